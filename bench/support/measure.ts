// Timing on a machine that others use too: contenders take turns, so that a disturbance meets all of them, and what is reported are
// medians and quartiles of ratios within a round, which a change of clock or load between rounds does not move.

/** Something to time: does its work `calls` times and returns the microseconds of one. */
export type Contender = (calls: number) => number | Promise<number>;

/** Microseconds of one call in each round, by contender. */
export type Times<K extends string> = Readonly<Record<K, readonly number[]>>;

/** Median and quartiles. */
export interface Spread {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

export interface Effort {
  readonly rounds: number;
  /** Shortest duration of a contender's turn, in milliseconds; the number of calls follows from it. */
  readonly turn: number;
  /** Milliseconds that a contender runs before it counts, so that the engine has compiled it for good. */
  readonly warm: number;
}

/** Returns the contender that calls a function of this process. */
export function calling(work: () => void): Contender {
  return (calls) => {
    const started = performance.now();
    for (let i = 0; i < calls; i++) work();
    return ((performance.now() - started) * 1000) / calls;
  };
}

/** Returns the times of all contenders, measured in rounds, each in an order of its own: what the one before leaves in the caches counts. */
export async function race<K extends string>(contenders: Record<K, Contender>, effort: Effort): Promise<Times<K>> {
  const names = Object.keys(contenders) as K[];
  const calls = new Map<K, number>();
  for (const name of names) calls.set(name, await callsOfOneTurn(contenders[name], effort));
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  // One round that does not count, with all of them in turn.
  for (let round = -1; round < effort.rounds; round++) {
    for (const name of shuffled(names)) {
      const time = await contenders[name](calls.get(name) as number);
      if (round >= 0) times[name].push(time);
    }
  }
  return times;
}

function shuffled<T>(values: readonly T[]): T[] {
  const keyed = values.map((value) => ({ value, key: Math.random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value);
}

async function callsOfOneTurn(contender: Contender, { turn, warm }: Effort): Promise<number> {
  let calls = 1;
  for (let spent = 0; ; ) {
    const started = performance.now();
    await contender(calls);
    const milliseconds = performance.now() - started;
    spent += milliseconds;
    if (milliseconds < turn) calls = Math.ceil(calls * Math.min(8, Math.max(1.2, (1.2 * turn) / milliseconds)));
    else if (spent >= warm) return calls;
    // What was slow before it was compiled would have long turns ever after.
    else calls = Math.max(1, Math.ceil((calls * 1.2 * turn) / milliseconds));
  }
}

/** Returns the q-quantile of numbers, linearly interpolated. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(position)] as number, sorted[Math.ceil(position)] as number];
  return low + (position - Math.floor(position)) * (high - low);
}

export function spread(values: readonly number[]): Spread {
  return { low: quantile(values, 0.25), median: quantile(values, 0.5), high: quantile(values, 0.75) };
}

/** Returns how many times as fast `ours` is as `other`: time of the other over our time, round by round. */
export function speedup(other: readonly number[], ours: readonly number[]): Spread {
  return spread(other.map((time, round) => time / (ours[round] as number)));
}
