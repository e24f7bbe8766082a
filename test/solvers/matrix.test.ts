// Every combination either ends with finite numbers or is refused by name before the first model call.
import { expect, it } from "vitest";
import { type Spacing, spacings } from "../../src/diffusion/grid.ts";
import { predictionTypes } from "../../src/diffusion/prediction.ts";
import {
  createPlan,
  type Denoiser,
  edm,
  flow,
  mixtureDenoiser,
  type NoiseSchedule,
  type Plan,
  sample,
  vpCosine,
  vpDiscrete,
  vpLinear,
} from "../../src/index.ts";
import type { Space } from "../../src/plan/plan.ts";
import { zeroTerminalSnr } from "../support/problems.ts";
import { orders, planOptions, type Setting, spaces } from "../support/solvers.ts";

const schedules: Record<string, NoiseSchedule> = {
  "vp-discrete": vpDiscrete(),
  "vp-linear": vpLinear(),
  "vp-cosine": vpCosine(),
  edm: edm(),
  "edm to sigma 0": edm({ sigmaMin: 0 }),
  "flow from t = 1 to 0": flow(),
  "flow between its ends": flow({ tMin: 1e-3, tMax: 0.999 }),
  "zero terminal SNR": zeroTerminalSnr(),
};
const stepCounts = Array.from({ length: 12 }, (_, i) => i + 1);
/** 12 with the solver's defaults; other orders are reached after 6, and noise space has nothing of its own after 4. */
const mostSteps = (setting: Setting, predict: Space) =>
  predict === "epsilon" ? 4 : orders.find(({ solver }) => solver === setting.solver) === setting ? 12 : 6;
const guidances = [1, 7.5];
const mixture = {
  means: [
    [1, -0.5],
    [-0.8, 0.3],
  ],
  std: [0.2, 0.3],
  weights: [1, 2],
};

/** Returns all combinations of one entry of each list. */
function product<A, B>(a: readonly A[], b: readonly B[]): [A, B][];
function product<A, B, C>(a: readonly A[], b: readonly B[], c: readonly C[]): [A, B, C][];
function product(...lists: (readonly unknown[])[]): unknown[][] {
  return lists.reduce<unknown[][]>((all, list) => all.flatMap((head) => list.map((entry) => [...head, entry])), [[]]);
}

/** Returns the plan, or the error that refuses it. */
function planOrError(make: () => Plan): Plan | Error {
  try {
    return make();
  } catch (error) {
    return error as Error;
  }
}

/** Returns what has no answer: a spacing by lambda where lambda is infinite, noise space there, ε or score where no signal is left. */
function refused(schedule: NoiseSchedule, spacing: Spacing, predict: Space): { plan: boolean; run: boolean } {
  const noSignal = schedule.alpha(schedule.tMax) === 0;
  const noNoise = schedule.sigma(schedule.tMin) === 0;
  const byLambda = { logSNR: noSignal || noNoise, exponential: noSignal || noNoise, karras: noSignal };
  const spaced = spacing in byLambda && byLambda[spacing as keyof typeof byLambda];
  return { plan: spaced || (predict === "epsilon" && (noSignal || noNoise)), run: noSignal };
}

/** Expects an error of the contract: a RangeError or TypeError that begins with the name of what is wrong. */
function expectRefusal(error: unknown, title: string): void {
  expect(error instanceof RangeError || error instanceof TypeError, `${title}: ${error}`).toBe(true);
  expect((error as Error).message, title).toMatch(/^"[\w.[\]]+": /);
}

it("every solver, order, space, number of steps, parameterisation, schedule, spacing and guidance", async () => {
  const outcomes = { finite: 0, refused: 0 };
  let calls = 0;
  for (const [name, schedule] of Object.entries(schedules)) {
    const denoisers = predictionTypes.map((prediction): Denoiser<readonly number[]> => {
      const { predict } = mixtureDenoiser({ schedule, ...mixture, prediction });
      const counted: typeof predict = (input) => {
        calls++;
        return predict(input);
      };
      return { prediction, predict: counted };
    });
    const attempt = async (plan: Plan, denoiser: Denoiser<readonly number[]>, guidanceScale: number, title: string) => {
      calls = 0;
      const run = { plan, denoiser, shape: [1, 2], seed: 3, condition: [0], unconditional: [-1], guidanceScale };
      const result = await sample(run).catch((error: unknown) => error as Error);
      if (result instanceof Error) {
        expectRefusal(result, title);
        if (calls !== 0) expect(calls, title).toBe(0);
        return false;
      }
      if (!result.data.every(Number.isFinite)) expect(result.data.join(), title).toBe("finite");
      const wanted = plan.nfe * (guidanceScale === 1 ? 1 : 2);
      if (calls !== wanted) expect(calls, title).toBe(wanted);
      return true;
    };
    for (const setting of orders) {
      for (const [predict, spacing, steps] of product(spaces, spacings, stepCounts)) {
        if (steps > mostSteps(setting, predict)) continue;
        const title = [name, setting.title, predict, spacing, steps].join(", ");
        const plan = planOrError(() => createPlan(planOptions(setting, { schedule, steps, spacing, predict })));
        const expected = refused(schedule, spacing, predict);
        if (plan instanceof Error) expectRefusal(plan, title);
        if (plan instanceof Error !== expected.plan) expect(plan, title).toBe(expected.plan ? "an error" : "a plan");
        for (const [denoiser, guidanceScale] of product(denoisers, guidances)) {
          const { prediction } = denoiser;
          const whole = `${title}, ${prediction}, guidance ${guidanceScale}`;
          const ended = !(plan instanceof Error) && (await attempt(plan, denoiser, guidanceScale, whole));
          const refusedRun = expected.run && (prediction === "epsilon" || prediction === "score");
          if (ended === (expected.plan || refusedRun)) expect(ended, whole).toBe(!ended);
          outcomes[ended ? "finite" : "refused"]++;
        }
      }
    }
  }
  const perPlan = predictionTypes.length * guidances.length;
  const plans = product(orders, spaces).reduce((sum, [setting, predict]) => sum + mostSteps(setting, predict), 0);
  const all = Object.keys(schedules).length * spacings.length * plans * perPlan;
  expect(outcomes.finite + outcomes.refused).toBe(all);
  expect(Math.min(outcomes.finite, outcomes.refused)).toBeGreaterThan(1000);
});
