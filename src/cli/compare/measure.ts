// The comparison itself: a fine reference, then every solver at every number of steps, from the same seeds.
import type { Denoiser } from "../../denoisers/denoiser.ts";
import type { SolverOptions } from "../../diffusers/names.ts";
import type { LoadedModel } from "../../onnx/load-model.ts";
import type { Plan } from "../../plan/plan.ts";
import { NonFiniteError } from "../../sampling/run.ts";
import { sample } from "../../sampling/sample.ts";
import { type Clock, timed } from "../listen.ts";
import { type Estimate, meanEstimate, ratioEstimate, squaredErrors } from "./statistics.ts";

/** Pictures in one run; more seeds are more runs. */
const batch = 20;

/** What is compared: a name of the command line and what it stands for. */
export interface Contender {
  readonly name: string;
  readonly options: SolverOptions;
  /** UniPC with compensation ratios. */
  readonly compensated: boolean;
}

/** A contender at one number of steps and one guidance; without a plan there are no ratios for the setting. */
export interface Task {
  readonly contender: Contender;
  readonly guidance: number;
  readonly steps: number;
  readonly plan: Plan | undefined;
}

/** What a task gave. */
export interface Cell extends Task {
  /** Mean squared error of the final picture to the reference; absent where there is a note. */
  readonly error?: Estimate;
  /** The same for each seed. */
  readonly errors?: readonly number[];
  /** The error against that of the same solver without ratios, drawn seed by seed. */
  readonly gain?: Estimate;
  /** Network and solver, for one picture. */
  readonly millisecondsPerCall?: number;
  readonly pictures?: Float32Array;
  readonly note?: string;
}

/** One guidance: its reference's first pictures and its cells. */
export interface Panel {
  readonly guidance: number;
  readonly reference: Float32Array;
  readonly cells: readonly Cell[];
}

export interface Work {
  readonly model: LoadedModel;
  readonly seeds: readonly number[];
  readonly labels: readonly number[];
  readonly reference: Plan;
  /** Pictures of each cell to keep. */
  readonly keep: number;
  readonly signal: AbortSignal;
  /** Called with units of work: one picture in one run of the network. */
  readonly onWork: (units: number, phase: string) => void;
}

export const noRatios = "no ratios for this setting";

/** Returns the units of work that a plan costs. */
export function unitsOf(plan: Plan | undefined, guidance: number, count: number): number {
  return (plan?.nfe ?? 0) * count * (guidance === 1 ? 1 : 2);
}

/** Runs the tasks of one guidance. */
export async function measure(work: Work, guidance: number, tasks: readonly Task[]): Promise<Panel> {
  const { keep } = work;
  const kept = (data: Float32Array) => data.slice(0, (data.length / work.seeds.length) * keep);
  const reference = await run(work, work.reference, guidance, `reference at guidance ${guidance}`);
  const cells: Cell[] = [];
  for (const task of tasks) {
    const { contender, steps, plan } = task;
    if (plan === undefined) {
      cells.push({ ...task, note: noRatios });
      continue;
    }
    try {
      const phase = `${contender.name}, ${steps} steps, guidance ${guidance}`;
      const { data, milliseconds } = await run(work, plan, guidance, phase);
      const errors = squaredErrors(data, reference.data, work.seeds.length);
      const millisecondsPerCall = milliseconds / plan.nfe / work.seeds.length;
      cells.push({ ...task, errors, error: meanEstimate(errors), millisecondsPerCall, pictures: kept(data) });
    } catch (cause) {
      // Solvers that go astray belong into the comparison.
      if (!(cause instanceof NonFiniteError)) throw cause;
      cells.push({ ...task, note: `no finite numbers after step ${cause.step}` });
    }
  }
  return { guidance, reference: kept(reference.data), cells: cells.map((cell) => withGain(cell, cells)) };
}

/** Returns what a cell's plan is without its ratios, as text. */
function planOf({ plan }: Cell): string {
  const { ratios, dcOrder, ...rest } = plan?.options ?? {};
  return JSON.stringify(rest);
}

/** Returns the cell beside the one without ratios, if both are there. */
function withGain(cell: Cell, cells: readonly Cell[]): Cell {
  if (!cell.contender.compensated || cell.errors === undefined) return cell;
  const about = planOf(cell);
  const plain = cells.find((other) => !other.contender.compensated && planOf(other) === about);
  return plain?.errors === undefined ? cell : { ...cell, gain: ratioEstimate(cell.errors, plain.errors) };
}

/** Returns the final pictures of all seeds, and the time that network and solver took. */
async function run(work: Work, plan: Plan, guidance: number, phase: string) {
  const { model, seeds, labels, signal, onWork } = work;
  const clock: Clock = { seconds: 0, elsewhere: 0 };
  const denoiser: Denoiser<readonly number[]> = timed(model.denoiser, clock, (items) =>
    onWork(items * (guidance === 1 ? 1 : 2), phase),
  );
  const length = model.shape.reduce((product, n) => product * n, 1);
  const data = new Float32Array(seeds.length * length);
  const started = performance.now();
  for (let from = 0; from < seeds.length; from += batch) {
    const condition = labels.slice(from, from + batch);
    const result = await sample<readonly number[]>({
      plan,
      denoiser,
      shape: [condition.length, ...model.shape],
      seed: seeds.slice(from, from + batch),
      condition,
      guidanceScale: guidance,
      ...(guidance === 1 ? {} : { unconditional: condition.map(() => -1) }),
      signal,
    });
    data.set(result.data, from * length);
  }
  return { data, milliseconds: performance.now() - started - 1000 * clock.elsewhere };
}
