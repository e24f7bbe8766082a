// A network or a step that gives NaN or ±Infinity is reported with its step and time, and nothing of it is left for the next run.
import { describe, expect, it } from "vitest";
import {
  createPlan,
  type Denoiser,
  type DenoiserInput,
  gaussianNoise,
  NonFiniteError,
  type Plan,
  type SampleOptions,
  sample,
  sampleSteps,
  startSampling,
} from "../../src/index.ts";
import { bits, dims, expectBits, isCorrected, plans, schedule } from "../support/runs.ts";

const shape = [3, dims];
const length = 3 * dims;
const initial = gaussianNoise(1, shape);
const stepNoise = (draw: number) => gaussianNoise(draw, shape);
const usual = ({ x, t }: DenoiserInput<unknown>) => x.map((v) => Math.sin(v + t));

/** A network that spoils one entry of its output at call `at`, counted from 0. */
function spoiling(at: number, place: number, value: number): Denoiser & { calls: number } {
  const network = {
    calls: 0,
    prediction: "sample" as const,
    predict(input: DenoiserInput<unknown>) {
      const output = usual(input);
      if (network.calls++ === at) output[place] = value;
      return output;
    },
  };
  return network;
}

async function failure(promise: Promise<unknown>): Promise<NonFiniteError> {
  const error = await promise.then(
    () => expect.fail("it resolved"),
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(NonFiniteError);
  return error as NonFiniteError;
}

/** "The call at grid[k], k ≥ 1, belongs to step k − 1's corrector if it has one, else to step k." */
const stepOfCall = (plan: Plan, k: number) => (k > 0 && isCorrected(plan, k - 1) ? k - 1 : k);
const options = (plan: Plan, denoiser: Denoiser): SampleOptions<unknown> => ({
  plan,
  denoiser,
  shape,
  initial,
  ...(plan.draws > 0 ? { stepNoise } : {}),
});

describe.each(plans)("with %s", (_, plan) => {
  const values = [Number.NaN, Infinity, -Infinity];
  const places = [0, 5, dims, length - 1];

  it("a bad output is reported with the step and time of its call, however the run is driven", async () => {
    const expected = await sample(options(plan, { prediction: "sample", predict: usual }));
    for (let k = 0; k < plan.nfe; k++) {
      const [value, place] = [values[k % 3] as number, places[k % 4] as number];
      const network = () => spoiling(k, place, value);
      const drains = [
        sample(options(plan, network())),
        sample({ ...options(plan, network()), onStep() {} }),
        (async () => {
          for await (const _ of sampleSteps(options(plan, network())));
        })(),
      ];
      for (const promise of drains) {
        const error = await failure(promise);
        expect([error.step, error.t]).toEqual([stepOfCall(plan, k), plan.grid[k]]);
        expect(error.name).toBe("NonFiniteError");
        expect(error.message).toBe(
          `the model's output holds NaN or ±Infinity (step ${error.step}, t = ${plan.grid[k]})`,
        );
      }
      const counted = network();
      await failure(sample(options(plan, counted)));
      expect(counted.calls).toBe(k + 1);
      // The same memory again, full of what the failed run left.
      const { data } = await sample(options(plan, { prediction: "sample", predict: usual }));
      expectBits(data, expected.data);
    }
  });

  it("startSampling reports it as well, and the run has ended", () => {
    for (let k = 0; k < plan.nfe; k++) {
      const { denoiser: _, ...rest } = options(plan, spoiling(0, 0, 0));
      const run = startSampling({ ...rest, prediction: "sample" });
      const network = spoiling(k, 7, Number.NaN);
      const answer = () => run.answer(run.requests.map((r) => network.predict(r) as Float32Array));
      for (let j = 0; j < k; j++) answer();
      let error: unknown;
      try {
        answer();
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(NonFiniteError);
      expect(error).toMatchObject({ step: stepOfCall(plan, k), t: plan.grid[k] });
      expect([run.requests, run.result]).toEqual([[], undefined]);
      expect(() => run.answer([initial])).toThrow("the run has ended");
    }
  });
});

describe("under guidance", () => {
  const plan = createPlan({ schedule, steps: 3 });
  const guidance = { condition: "c", unconditional: "u", guidanceScale: 2 };

  it.each(["c", "u"])("a bad output of branch %s is reported, from two calls and from a pair", async (bad) => {
    const predict = (input: DenoiserInput<unknown>) => {
      const output = usual(input);
      if (input.condition === bad && input.t < 1) output[3] = Number.NaN;
      return output;
    };
    const predictGuided: NonNullable<Denoiser["predictGuided"]> = async ({ unconditional, ...input }) => ({
      conditional: predict(input),
      unconditional: predict({ ...input, condition: unconditional }),
    });
    for (const more of [{}, { predictGuided }]) {
      const error = await failure(
        sample({ ...options(plan, { prediction: "sample", predict, ...more }), ...guidance }),
      );
      expect([error.step, error.t]).toEqual([0, plan.grid[1]]);
    }
  });

  it("outputs that overflow only in their combination are reported with the state", async () => {
    const predict = ({ x, condition }: DenoiserInput<unknown>) => x.fill(condition === "c" ? 3e38 : -3e38);
    const ddim = createPlan({ schedule, steps: 3, solver: "ddim" });
    const error = await failure(sample({ ...options(ddim, { prediction: "sample", predict }), ...guidance }));
    expect([error.step, error.t]).toEqual([0, ddim.grid[1]]);
    expect(error.message).toMatch(/^the state holds NaN or ±Infinity \(step 0, t = /);
  });
});

describe("a state that overflows", () => {
  /** An ε of 3e38 is finite, and an x₀ beyond float32 wherever alpha is small enough; the network is blind to its x. */
  const overflowing = (at: number) => {
    let calls = 0;
    const predict = ({ x }: DenoiserInput<unknown>) => x.fill(calls++ === at ? 3e38 : 0.5);
    return { prediction: "epsilon" as const, predict };
  };

  it.each([
    ["dpmpp", 0],
    ["dpmpp", 2],
    ["ddim", 0],
    ["ddim", 3],
  ])("is reported with the step and the time of its end: %s, call %s", async (solver, at) => {
    const plan = createPlan({ schedule, steps: 6, solver, ...(solver === "dpmpp" ? { order: 1 } : {}) });
    for (const onStep of [undefined, () => {}]) {
      const base = options(plan, overflowing(at));
      const error = await failure(sample(onStep === undefined ? base : { ...base, onStep }));
      expect([error.step, error.t]).toEqual([at, plan.grid[at + 1]]);
      expect(error.message).toBe(`the state holds NaN or ±Infinity (step ${at}, t = ${plan.grid[at + 1]})`);
    }
  });

  it.each([0, 1, 2, 3])("belongs to the step whose corrector the call serves: unipc, call %s", async (at) => {
    const plan = createPlan({ schedule, steps: 6, disableCorrector: [1] });
    const error = await failure(sample(options(plan, overflowing(at))));
    const step = stepOfCall(plan, at);
    expect([error.step, error.t]).toEqual([step, plan.grid[step + 1]]);
    expect(step).toBe([0, 0, 2, 2][at]);
  });

  it("for stepNoise holds NaN", async () => {
    const plan = createPlan({ schedule, steps: 4, solver: "ddim", eta: 1 });
    const bad = (draw: number) => (draw === 3 ? new Float32Array(length).fill(Number.NaN) : stepNoise(draw));
    const network: Denoiser = { prediction: "sample", predict: usual };
    const error = await failure(sample({ plan, denoiser: network, shape, initial, stepNoise: bad }));
    expect([error.step, error.t]).toEqual([2, plan.grid[3]]);
  });
});

it("the largest float32 is finite: states and outputs that reach it are no error", async () => {
  const plan = createPlan({ schedule, steps: 2, solver: "ddim" });
  const predict = ({ x }: DenoiserInput<unknown>) => x.fill(3.4028234663852886e38);
  const { data } = await sample({
    plan,
    denoiser: { prediction: "sample", predict },
    shape: [1, 1000],
    initial: new Float32Array(1000),
  });
  expect(data.every(Number.isFinite)).toBe(true);
  expect(Math.max(...data)).toBeGreaterThan(3e38);
});

it("an error of one run leaves the others alone", async () => {
  const [, plan] = plans[0] as (typeof plans)[number];
  const alone = await sample(options(plan, { prediction: "sample", predict: usual }));
  const runs = Array.from({ length: 12 }, (_, i) =>
    i % 3 === 0
      ? failure(sample(options(plan, spoiling(i % plan.nfe, 4, Number.NaN))))
      : sample(options(plan, { prediction: "sample", predict: async (input) => usual(input) })),
  );
  for (const result of await Promise.all(runs)) {
    if (!(result instanceof NonFiniteError)) expect(bits(result.data)).toEqual(bits(alone.data));
  }
});
