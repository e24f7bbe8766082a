// The loop turned inside out: a server answers many runs from shared batches, and each has the bits that it has alone.
import { describe, expect, it } from "vitest";
import {
  createPlan,
  type PredictionType,
  type SampleOptions,
  type SamplingRun,
  type StepEvent,
  sample,
  startSampling,
} from "../../src/index.ts";
import { constructions } from "../support/constructions.ts";
import { dims, expectBits, mixture, plans, schedule } from "../support/runs.ts";

type Labels = readonly number[];
type Options = Omit<SampleOptions<Labels>, "denoiser" | "onStep">;

const scales = [1, 3, 0, 7.5];
const requests: Options[] = plans.map(([, plan], i) => {
  const batch = 1 + (i % 3);
  const labels = (label: number) => Array<number>(batch).fill(label);
  return {
    plan,
    shape: [batch, dims],
    seed: i % 2 === 0 ? i : Array.from({ length: batch }, (_, k) => 100 * i + k),
    generator: i % 5 === 4 ? "torch" : "philox",
    guidanceScale: scales[i % 4] as number,
    unconditional: labels(-1),
    ...(i % 6 === 5 ? {} : { condition: labels(i % 3) }),
  };
});

type Request = SamplingRun<Labels>["requests"][number];

/** Answers requests of one time by one call. */
function answerTogether(network: ReturnType<typeof mixture>, asked: readonly Request[]): Float32Array[] {
  const { t, modelTime } = asked[0] as Request;
  const items = asked.flatMap(({ shape }) => Array<number>(shape[0] as number).fill(0)).length;
  const x = Float32Array.from(asked.flatMap((request) => Array.from(request.x)));
  const condition = asked.flatMap((r) => r.condition ?? Array<number>(r.shape[0] as number).fill(-1));
  const output = network.predict({ x, shape: [items, dims], t, modelTime, condition }) as Float32Array;
  let at = 0;
  return asked.map((request) => {
    at += request.x.length;
    return output.subarray(at - request.x.length, at);
  });
}

describe.each(["epsilon", "v_prediction"] as const satisfies PredictionType[])("a network giving %s", (prediction) => {
  const network = mixture(prediction);

  it("answers runs of every plan, seed and guidance from shared batches with the bits of separate runs", async () => {
    const alone = await Promise.all(
      requests.map(async (o) => {
        const events: StepEvent[] = [];
        const result = await sample({ ...o, denoiser: network, onStep: (e) => void events.push(e) });
        return { result, events };
      }),
    );
    const together = requests.map((o) => ({ run: startSampling({ ...o, prediction }), events: [] as StepEvent[] }));
    expect(together.length).toBeGreaterThanOrEqual(16);
    let calls = 0;
    for (;;) {
      const waiting = together.filter(({ run }) => run.requests.length > 0);
      const time = waiting[0]?.run.requests[0]?.t;
      if (time === undefined) break;
      const group = waiting.filter(({ run }) => run.requests[0]?.t === time);
      const outputs = answerTogether(
        network,
        group.flatMap(({ run }) => run.requests),
      );
      calls++;
      for (const { run, events } of group) {
        const event = run.answer(outputs.splice(0, run.requests.length));
        if (event !== undefined) events.push(event);
      }
    }
    // All plans share one grid: one call a time for all the runs.
    expect(calls).toBe(6);
    for (const [i, { run, events }] of together.entries()) {
      const expected = alone[i] as (typeof alone)[number];
      expectBits((run.result as NonNullable<typeof run.result>).data, expected.result.data);
      expect(run.result).toEqual(expected.result);
      // Where a call ends two steps, answer gives the newer.
      for (const event of events) expect(event).toEqual(expected.events[event.step]);
      expect(events.at(-1)).toEqual(expected.events.at(-1));
    }
  });
});

describe("a run whose network the caller runs", () => {
  const plan = createPlan({ schedule, steps: 4, solver: "dpmpp" });
  const shape = [2, dims];
  const network = mixture("epsilon");
  const start = (part: object = {}) =>
    startSampling<Labels>({ plan, shape, seed: 1, prediction: "epsilon", ...part } as Options & {
      prediction: "epsilon";
    });
  const guidance = { condition: [0, 1], unconditional: [-1, -1], guidanceScale: 2 };
  const answers = (run: SamplingRun<Labels>) => run.requests.map((r) => network.predict(r) as Float32Array);
  function finish(run: SamplingRun<Labels>) {
    while (run.requests.length > 0) run.answer(answers(run));
    return run.result as NonNullable<typeof run.result>;
  }

  it("asks for the pair, conditional first, and says which is which", () => {
    const run = start(guidance);
    expect(run.requests.map((r) => [r.branch, r.condition, r.t, r.modelTime, r.shape])).toEqual([
      ["conditional", guidance.condition, 1, 1000, shape],
      ["unconditional", guidance.unconditional, 1, 1000, shape],
    ]);
    const [a, b] = run.requests.map((r) => r.x) as [Float32Array, Float32Array];
    expectBits(a, b);
    a.fill(0);
    expect(b).not.toEqual(a);
    run.dispose();
    expect(start().requests.map((r) => r.branch)).toEqual(["conditional"]);
  });

  it("says nothing of a result before its end, and nothing is left to ask then", () => {
    const run = start();
    for (let k = 0; k < 4; k++) {
      expect(run.result).toBeUndefined();
      expect(run.requests).toHaveLength(1);
      expect(run.answer(answers(run))).toMatchObject({ step: k, nfe: k + 1 });
    }
    expect(run.requests).toEqual([]);
    expect(run.result).toMatchObject({ shape, nfe: 4 });
    const { result } = run;
    expect(() => run.answer([])).toThrow(new Error("answer: the run has ended"));
    expect(run.result).toBe(result);
  });

  it("tells nothing of a step that is not at its end: the first call of a corrected plan", () => {
    const run = start({ plan: createPlan({ schedule, steps: 4 }) });
    expect(run.answer(answers(run))).toBeUndefined();
    expect(run.answer(answers(run))).toMatchObject({ step: 0, nfe: 2 });
  });

  const n = 2 * dims;
  const mistakes: [string, unknown, string][] = [
    [
      "nothing",
      undefined,
      'TypeError: "outputs": expected an array with one Float32Array for each request, got undefined',
    ],
    [
      "an array that is not in a list",
      new Float32Array(n),
      `TypeError: "outputs": expected an array with one Float32Array for each request, got Float32Array of length ${n}`,
    ],
    ["no outputs", [], 'RangeError: "outputs": expected one for each of 2 requests, got 0'],
    ["half the pair", [new Float32Array(n)], 'RangeError: "outputs": expected one for each of 2 requests, got 1'],
    [
      "one too many",
      [1, 2, 3].map(() => new Float32Array(n)),
      'RangeError: "outputs": expected one for each of 2 requests, got 3',
    ],
    [
      "a list for an output",
      [Array(n).fill(0), new Float32Array(n)],
      `TypeError: "outputs[0]": expected a Float32Array of length ${n}, got an array of length ${n}`,
    ],
    [
      "a promise",
      [new Float32Array(n), Promise.resolve(new Float32Array(n))],
      `TypeError: "outputs[1]": expected a Float32Array of length ${n}, got an object`,
    ],
    [
      "one item",
      [new Float32Array(n), new Float32Array(dims)],
      `RangeError: "outputs[1]": expected a length of ${n} for shape [2, ${dims}], got ${dims}`,
    ],
    [
      "doubles",
      [new Float32Array(n), new Float64Array(n)],
      `TypeError: "outputs[1]": expected a Float32Array of length ${n}, got Float64Array of length ${n}`,
    ],
  ];

  it.each(mistakes)("is left as it was by a wrong answer, and can be answered again: %s", (_, outputs, message) => {
    const expected = finish(start(guidance));
    const run = start(guidance);
    for (let k = 0; k < 4; k++) {
      const before = run.requests.map(({ x, ...rest }) => ({ ...rest, x: x.slice() }));
      let error: unknown;
      try {
        run.answer(outputs as Float32Array[]);
      } catch (thrown) {
        error = thrown;
      }
      expect(`${error}`).toBe(message);
      expect(run.requests).toEqual(before);
      expect(run.result).toBeUndefined();
      expect(run.answer(answers(run))).toMatchObject({ step: k, nfe: k + 1 });
    }
    expect(run.result).toEqual(expected);
  });

  it("copies its answers: the caller may reuse their buffers", () => {
    const expected = finish(start(guidance));
    const run = start(guidance);
    const buffers = [new Float32Array(n), new Float32Array(n)];
    while (run.requests.length > 0) {
      for (const [i, output] of answers(run).entries()) buffers[i]?.set(output);
      run.answer(buffers);
      for (const buffer of buffers) buffer.fill(Number.NaN);
    }
    expect(run.result).toEqual(expected);
  });

  it("gives its memory back when it ends, or when it is disposed of, however often", async () => {
    // Of a size that no other test of this file has, so that instances lie idle only from here.
    const shape = [1, 60000];
    const begin = (value: number) =>
      startSampling({ plan, shape, initial: new Float32Array(60000).fill(value), prediction: "sample" });
    const answer = (run: ReturnType<typeof begin>) => run.answer(run.requests.map(({ x }) => x.map((v) => v / 2)));
    const end = (run: ReturnType<typeof begin>) => {
      while (run.requests.length > 0) answer(run);
      return run.result?.data as Float32Array;
    };
    const made = async (action: () => unknown) => (await constructions("Instance", action)).length;
    const expected = end(begin(1));
    expect(await made(() => end(begin(1)))).toBe(0);
    const run = begin(1);
    answer(run);
    expect(await made(() => end(begin(1)))).toBe(1);
    for (let i = 0; i < 3; i++) run.dispose();
    expect([run.requests, run.result]).toEqual([[], undefined]);
    expect(() => run.answer([])).toThrow("the run has ended");
    // Two instances lie idle now. Had one been given back twice, a third run would share it.
    const three: ReturnType<typeof begin>[] = [];
    expect(await made(() => three.push(begin(1), begin(2), begin(3)))).toBe(1);
    while (three.some(({ requests }) => requests.length > 0)) three.forEach(answer);
    expectBits(three[0]?.result?.data as Float32Array, expected);
    expect(three[1]?.result?.data).not.toEqual(expected);
  });

  it("keeps its result when it is disposed of after its end", () => {
    const run = start();
    const result = finish(run);
    run.dispose();
    expect(run.result).toEqual(result);
  });
});
