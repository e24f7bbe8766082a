// Data at one point is sampled without error by every consistent method, whatever its order: the state's noise is then carried along
// unchanged, x_t = alpha_t·μ + sigma_t·(x_T − alpha_T·μ)/sigma_T. The order of a method is nothing that this could see.
import { describe, expect, it } from "vitest";
import { predictionTypes } from "../../src/diffusion/prediction.ts";
import {
  compensate,
  createPlan,
  mixtureDenoiser,
  type NoiseSchedule,
  type Plan,
  type PredictionType,
} from "../../src/index.ts";
import type { Point } from "../../src/plan/plan.ts";
import { sampleInDoubles } from "../support/engines.ts";
import { extremeSchedules, randomNumbers, schedules } from "../support/problems.ts";
import { planOptions, settings, spaces } from "../support/solvers.ts";

const random = randomNumbers(1);
const points = [
  [0.7, -1.2],
  [-0.4, 0.9],
];
const guidanceScale = 7.5;

interface Case {
  plan: Plan;
  schedule: NoiseSchedule;
  prediction: PredictionType;
  guided?: boolean;
}

/**
 * Returns the largest difference between the end of a run and the theory, per unit of the largest number on the way: in noise space
 * the initial state is multiplied by alpha_t/alpha_T, 152 on vp-linear, and ε times sigma_t taken away again.
 */
async function error({ plan, schedule, prediction, guided = false }: Case): Promise<number> {
  const denoiser = mixtureDenoiser({ schedule, means: points, std: [0, 0], weights: [1, 1], prediction });
  const [start, end] = [plan.steps[0]?.start as Point, plan.steps.at(-1)?.end as Point];
  // One batch item per source of noise, which is 1 in this item and 0 in the others.
  const items = 1 + plan.draws;
  const noise = (source: number) => Array.from({ length: 2 * items }, (_, i) => (i >> 1 === source ? 1 : 0));
  // Guidance between two points is a point: o = u + w·(c − u), and every parameterisation is affine in x₀.
  const [c, u] = points as [number[], number[]];
  const mean = (i: number) =>
    guided ? (u[i] as number) + guidanceScale * ((c[i] as number) - (u[i] as number)) : c[i];
  const initial = noise(0).map((z, i) => start.alpha * (mean(i & 1) as number) + start.sigma * z);
  const data = await sampleInDoubles({
    plan,
    denoiser,
    shape: [items, 2],
    initial,
    stepNoise: noise,
    condition: new Array(items).fill(0),
    ...(guided ? { unconditional: new Array(items).fill(1), guidanceScale } : {}),
  });
  const residual = data.map((x, i) => x - end.alpha * (mean(i & 1) as number));
  // sigma_t² = Σ (share of each source)²; without draws the only share is sigma_t itself, with its sign.
  const total = [0, 1].map((i) => Math.sqrt(residual.reduce((sum, r, j) => sum + (j % 2 === i ? r * r : 0), 0)));
  const errors = [...total, ...(plan.draws === 0 ? residual : [])].map((r) => Math.abs(r - end.sigma));
  const growth = inNoise(plan) ? end.alpha / start.alpha : 1;
  return Math.max(...errors) / Math.max(1, ...initial.map((x) => Math.abs(growth * x)));
}

/** Whether outputs are held as ε; some methods do so whatever `predict` says. */
function inNoise({ steps }: Plan): boolean {
  return steps.some(({ operations }) => operations.some((o) => o.kind === "evaluate" && o.space === "epsilon"));
}

/** Ratios of a plan of `steps` steps, the first `dcOrder` of them 1. */
const randomRatios = (steps: number, dcOrder: number) =>
  Array.from({ length: steps }, (_, k) => (k < dcOrder ? 1 : 0.5 + random()));

// In noise space a corrector multiplies the rounding of its model call once more by sigma_t·(e^h − 1), 4476 in the first step on the
// cosine table; one of order 1, which has that call alone, does so with its whole weight and in each of the seven steps.
const tolerances = { sample: 1e-12, epsilon: 1e-10 };

/**
 * Returns the tolerance of a plan. Runge-Kutta steps chain four calls, each of which multiplies the rounding of the one before, and
 * guidance does so by 7.5 more.
 */
function toleranceOf(plan: Plan): number {
  const chained = Math.max(...plan.steps.map(({ outputs }) => outputs.length));
  if (chained > 2) return 1e-7;
  // Two calls a step: the first one's x₀, from ε with up to 2e4 (sigma/alpha of the cosine table) times its rounding, is weighed
  // against the second's by e^h/2 instead of being scaled down.
  if (plan.nfe > 1.5 * plan.steps.length) return 1e-9;
  return tolerances[inNoise(plan) ? "epsilon" : "sample"];
}

describe.each(Object.entries(schedules))("data at one point, on %s,", (_, make) => {
  const schedule = make();

  it.each(spaces)("is sampled exactly by every solver in every setting, in space %s", async (predict) => {
    for (const setting of settings) {
      for (const spacing of ["time_uniform", "logSNR", "karras"] as const) {
        const plan = createPlan(planOptions(setting, { schedule, steps: 7, spacing, predict }));
        if (plan.steps.some(({ consistent }) => consistent === false)) continue;
        expect(await error({ plan, schedule, prediction: "epsilon" }), setting.title).toBeLessThan(toleranceOf(plan));
      }
    }
  });

  it.each(spaces)("is sampled exactly whatever the ratios of compensation, in space %s", async (predict) => {
    for (const setting of settings.filter(({ solver }) => solver.multistep)) {
      const plan = createPlan(planOptions(setting, { schedule, steps: 7, predict }));
      // Fresh noise makes each step's ε another one, and an interpolation of them is none: only x₀ stays exact then.
      if (plan.draws > 0 && predict === "epsilon") continue;
      for (const dcOrder of [1, 2, 3]) {
        const compensated = compensate(plan, randomRatios(7, dcOrder), dcOrder);
        const e = await error({ plan: compensated, schedule, prediction: "sample" });
        expect(e, `${setting.title}, dcOrder ${dcOrder}`).toBeLessThan(tolerances[predict]);
      }
    }
  });

  it("is sampled exactly from a network of every parameterisation, guided or not", async () => {
    for (const setting of settings) {
      for (const prediction of predictionTypes) {
        const plan = createPlan(planOptions(setting, { schedule, steps: 5 }));
        for (const guided of [false, true]) {
          const e = await error({ plan, schedule, prediction, guided });
          expect(e, `${setting.title}, ${prediction}, guided ${guided}`).toBeLessThan(toleranceOf(plan));
        }
      }
    }
  });
});

it.each(Object.entries(extremeSchedules))("data at one point is sampled exactly on %s", async (_, make) => {
  const schedule = make();
  for (const setting of settings) {
    const plan = createPlan(planOptions(setting, { schedule, steps: 6 }));
    for (const prediction of ["sample", "v_prediction", "flow_prediction"] as const) {
      expect(await error({ plan, schedule, prediction }), setting.title).toBeLessThan(toleranceOf(plan));
      if (!setting.solver.multistep) continue;
      const compensated = compensate(plan, randomRatios(6, 2));
      expect(await error({ plan: compensated, schedule, prediction }), setting.title).toBeLessThan(tolerances.sample);
    }
  }
});
