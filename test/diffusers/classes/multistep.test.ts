// DPM-Solver multistep, UniPC and EDM DPM-Solver beside the recorded cases: what is refused, short runs, runs that start in the middle.
import { describe, expect, it } from "vitest";
import { schedulerFromConfig } from "../../../src/diffusers/index.ts";
import { type Plan, sample } from "../../../src/index.ts";
import type { PlanStep } from "../../../src/plan/plan.ts";

const [dpm, unipc, edm] = ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "EDMDPMSolverMultistepScheduler"];
const flow = { use_flow_sigmas: true, prediction_type: "flow_prediction" };

/** What diffusers answers with an exception, with NaN, or with numbers that mean something else, and the name that must come up. */
const refused: [className: string | undefined, config: object, request: object, name: string][] = [
  [dpm, {}, { steps: 5, timesteps: [900, 100] }, "timesteps"],
  [dpm, { use_karras_sigmas: true }, { timesteps: [900, 100] }, "timesteps"],
  [dpm, {}, { timesteps: [100, 900] }, "timesteps[1]"],
  [dpm, { lambda_min_clipped: 100 }, { steps: 2 }, "lambda_min_clipped"],
  [dpm, { solver_order: 4 }, { steps: 5 }, "solver_order"],
  [dpm, { prediction_type: "flow_prediction" }, { steps: 5 }, "prediction_type"],
  [dpm, { use_flow_sigmas: true, prediction_type: "v_prediction" }, { steps: 5 }, "prediction_type"],
  [dpm, { ...flow, use_karras_sigmas: true }, { steps: 5 }, "use_flow_sigmas"],
  [dpm, { ...flow, algorithm_type: "dpmsolver", final_sigmas_type: "sigma_min" }, { steps: 5 }, "algorithm_type"],
  [dpm, flow, { steps: 5, mu: 1 }, "mu"],
  [
    dpm,
    { algorithm_type: "sde-dpmsolver", final_sigmas_type: "sigma_min", solver_order: 3 },
    { steps: 5 },
    "solver_order",
  ],
  [
    dpm,
    { use_karras_sigmas: true, final_sigmas_type: "sigma_min", solver_order: 3 },
    { steps: 15 },
    "final_sigmas_type",
  ],
  [
    dpm,
    { use_karras_sigmas: true, final_sigmas_type: "sigma_min", sigma_min: 0.001, algorithm_type: "sde-dpmsolver++" },
    { steps: 5 },
    "final_sigmas_type",
  ],
  [unipc, {}, { steps: 5, sigmas: [0.9, 0.5] }, "sigmas"],
  [unipc, {}, { sigmas: [0.9, 0.5] }, "sigmas"],
  [unipc, { ...flow, use_karras_sigmas: true }, { sigmas: [0.9, 0.5] }, "sigmas"],
  [unipc, { ...flow, predict_x0: false, final_sigmas_type: "sigma_min" }, { steps: 5 }, "predict_x0"],
  [unipc, { ...flow, shift_terminal: 0.1 }, { steps: 1 }, "shift_terminal"],
  [unipc, { predict_x0: false }, { steps: 5 }, "predict_x0"],
  [unipc, { solver_type: "bh1" }, { steps: 5 }, "solver_type"],
  [unipc, { solver_order: 3, lower_order_final: false }, { steps: 5 }, "lower_order_final"],
  [unipc, { solver_p: { _class_name: "DPMSolverMultistepScheduler" } }, { steps: 5 }, "solver_p"],
  [edm, { prediction_type: "sample" }, { steps: 5 }, "prediction_type"],
  [edm, { algorithm_type: "sde-dpmsolver++", solver_order: 3 }, { steps: 5 }, "solver_order"],
];

describe("is refused by the name of the argument:", () => {
  it.each(refused)("%s %j %j", (className, config, request, name) => {
    const scheduler = schedulerFromConfig(config, { className: className as string });
    expect(() => scheduler.plan(request)).toThrow(`"${name}": `);
  });
});

it("runs of 1, 2 and 3 steps end with finite numbers on every grid, prediction and final sigma that make sense", async () => {
  const grids = ["karras", "lu", "exponential", "beta"].map((name) => ({
    [`use_${name}${name === "lu" ? "_lambdas" : "_sigmas"}`]: true,
  }));
  const ends = ["zero", "sigma_min"].map((type) => ({ final_sigmas_type: type }));
  const predictions = ["epsilon", "sample", "v_prediction"].map((type) => ({ prediction_type: type }));
  for (const className of [dpm, unipc, edm] as string[]) {
    const own = className === edm ? [{}, { sigma_schedule: "exponential" }] : [{}, flow, ...grids];
    for (const end of ends) {
      for (const prediction of className === edm ? predictions.filter((_, i) => i !== 1) : predictions) {
        for (const grid of own) {
          for (const steps of [1, 2, 3]) {
            const config = { ...prediction, ...grid, ...end };
            const scheduler = schedulerFromConfig(config, { className });
            const plan = scheduler.plan({ steps });
            const predict = ({ x }: { x: Float32Array }) => x.map((v) => v / 2);
            const denoiser = { prediction: scheduler.prediction, predict };
            const { data } = await sample({ plan, denoiser, shape: [1, 4], seed: 1 });
            expect(data.every(Number.isFinite), `${className} ${steps} ${JSON.stringify(config)}`).toBe(true);
          }
        }
      }
    }
  }
});

/** Returns of how many outputs each step makes its state. */
function orders(plan: Plan): number[] {
  const outputs = new Set(plan.steps.flatMap((step) => step.outputs.map(({ value }) => value)));
  return plan.steps.map((step) => {
    const made = step.operations.find((o) => o.kind === "combine" && o.to === step.state);
    return made?.kind === "combine" ? made.terms.filter(([, from]) => outputs.has(from)).length : 0;
  });
}

describe("the order of DPM-Solver's steps", () => {
  const config = { solver_order: 3, final_sigmas_type: "sigma_min" };
  const plan = (change: object, request: object) =>
    schedulerFromConfig({ ...config, ...change }, { className: dpm as string }).plan(request);

  it("is lowered at the end in lists of fewer than 15, wherever a run starts", () => {
    expect(orders(plan({}, { steps: 14 })).slice(-3)).toEqual([3, 2, 1]);
    expect(orders(plan({}, { steps: 15 })).slice(-3)).toEqual([3, 3, 3]);
    expect(orders(plan({}, { steps: 15, startIndex: 10 }))).toEqual([1, 2, 3, 3, 3]);
    expect(orders(plan({}, { steps: 10, startIndex: 6 }))).toEqual([1, 2, 2, 1]);
  });

  it("is lowered in the last step alone by euler_at_final, and by a final sigma of 0", () => {
    expect(orders(plan({ euler_at_final: true }, { steps: 15 })).slice(-3)).toEqual([3, 3, 1]);
    expect(orders(plan({ final_sigmas_type: "zero" }, { steps: 15 })).slice(-3)).toEqual([3, 3, 1]);
  });
});

it("a grid that sigma_min takes below the table's first sigma ends with a step back up", () => {
  const config = { use_karras_sigmas: true, sigma_min: 0.001, final_sigmas_type: "sigma_min" };
  const scheduler = schedulerFromConfig(config, { className: dpm as string });
  const [before, last] = (scheduler.timetable({ steps: 5 }).sigmas ?? []).slice(-2) as [number, number];
  expect(before).toBe(Math.fround(0.001));
  expect(last).toBeGreaterThan(before);
  const { end } = scheduler.plan({ steps: 5 }).steps.at(-1) as PlanStep;
  // s = sigma/alpha, both rounded to float32, as diffusers keeps them: 2^-24 each.
  expect(Math.abs(end.sigma / end.alpha / last - 1)).toBeLessThan(1.2e-7);
});
