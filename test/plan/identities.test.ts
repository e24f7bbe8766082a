// What must be the same plan, or the same bits of a sample through WebAssembly.
import { describe, expect, it } from "vitest";
import {
  compensate,
  createPlan,
  mixtureDenoiser,
  type NoiseSchedule,
  type Plan,
  planFromJSON,
  sample,
  vpCosine,
  vpLinear,
} from "../../src/index.ts";
import { finishPlan } from "../../src/plan/json.ts";
import { Trace } from "../../src/plan/tracer.ts";
import { firstOrder, type GridPoint } from "../../src/solvers/solver.ts";
import { extremeSchedules, schedules } from "../support/problems.ts";
import { orders, planOptions, settings, spaces } from "../support/solvers.ts";

const written = (plan: Plan): string => JSON.stringify(plan);
const mixture = {
  means: [
    [1, -0.5],
    [-0.8, 0.3],
    [0.1, 0.9],
  ],
  std: [0.2, 0.3, 0.1],
  weights: [1, 2, 1],
};

/** Returns the bits of a guided sample, through WebAssembly. */
async function bits(plan: Plan, schedule: NoiseSchedule): Promise<number[]> {
  const denoiser = mixtureDenoiser({ schedule, ...mixture, prediction: "v_prediction" });
  const [condition, unconditional] = [
    [0, 1],
    [-1, -1],
  ];
  const shape = [2, 2];
  const { data } = await sample({ plan, denoiser, shape, seed: 7, condition, unconditional, guidanceScale: 2.5 });
  return Array.from(new Uint32Array(data.buffer));
}

/** A schedule of the user's own: vp-cosine by another name, without the library's mark. */
const own = (): NoiseSchedule => ({ ...vpCosine(), kind: "mine" });
const all = { ...schedules, ...extremeSchedules, "the user's own": own };
const ratios = [1, 1, 1.1, 0.8, 1.3];

describe.each(Object.entries(all))("on %s", (name, make) => {
  const schedule = make();
  // All settings on one schedule, and all orders on the others.
  const chosen = name === "vp-linear" ? settings : orders;
  const multistep = chosen.filter(({ solver }) => solver.multistep);
  const bothSpaces = name in extremeSchedules ? (["sample"] as const) : spaces;

  it("a plan that went through JSON samples the same bits, and is written the same again", async () => {
    for (const setting of chosen) {
      for (const predict of bothSpaces) {
        const options = planOptions(setting, { schedule, steps: 5, predict });
        const plan = createPlan(setting.solver.multistep ? { ...options, ratios } : options);
        const loaded = planFromJSON(JSON.parse(written(plan)));
        expect(written(loaded), setting.title).toBe(written(plan));
        expect(await bits(loaded, schedule), setting.title).toEqual(await bits(plan, schedule));
      }
    }
  });

  it("the options of a plan make it again, and so do those of the loaded one unless the schedule is the user's own", () => {
    for (const setting of chosen) {
      for (const place of [
        { steps: 5, spacing: "time_quadratic" as const },
        { grid: [0.9, 0.5, 0.4, 0.2, 0.1, 0.05] },
      ]) {
        const thresholding = { ratio: 0.9 };
        const plan = createPlan(planOptions(setting, { schedule, ...place, thresholding, lowerOrderFinal: false }));
        expect(written(createPlan(plan.options)), setting.title).toBe(written(plan));
        if (make === own) continue;
        expect(written(createPlan(planFromJSON(written(plan)).options)), setting.title).toBe(written(plan));
      }
    }
  });

  it("ratios of 1 are no compensation", async () => {
    for (const setting of multistep) {
      const plan = createPlan(planOptions(setting, { schedule, steps: 5 }));
      const compensated = compensate(plan, [1, 1, 1, 1, 1]);
      expect(compensated.steps, setting.title).toEqual(plan.steps);
      expect(await bits(compensated, schedule), setting.title).toEqual(await bits(plan, schedule));
    }
  });

  it("a plan created with ratios is the plan compensated afterwards, and a second compensation replaces the first", () => {
    for (const setting of multistep) {
      for (const predict of bothSpaces) {
        for (const dcOrder of [1, 2, 3]) {
          const own = [1, 1, 1, 0.8, 1.3];
          const plain = createPlan(planOptions(setting, { schedule, steps: 5, predict }));
          const created = createPlan(planOptions(setting, { schedule, steps: 5, predict, ratios: own, dcOrder }));
          const title = `${setting.title}, dcOrder ${dcOrder}`;
          expect(written(compensate(plain, own, dcOrder)), title).toBe(written(created));
          expect(written(compensate(compensate(plain, ratios, 2), own, dcOrder)), title).toBe(written(created));
          expect(compensate(created, [1, 1, 1, 1, 1]).steps, title).toEqual(plain.steps);
          // The degree of a compensated plan is the one a later call takes by default.
          expect(written(compensate(compensate(plain, own, dcOrder), own)), title).toBe(written(created));
        }
      }
    }
  });
});

describe("a plan on the user's own schedule", () => {
  it("is written by the schedule's kind, and loaded says so and throws by name when asked for anything else", () => {
    const plan = createPlan({ schedule: own(), steps: 3 });
    const { schedule } = planFromJSON(JSON.parse(written(plan))).options;
    expect(schedule.kind).toBe("mine");
    for (const member of ["tMin", "tMax", "alpha", "sigma", "lambda", "time", "modelTime"] as const) {
      expect(() => schedule[member], member).toThrow(/^schedule "mine": "/);
    }
    expect(() => createPlan(planFromJSON(written(plan)).options)).toThrow(/"mine"/);
  });

  it("that calls itself by the name of a built-in one is not taken for it", () => {
    const plan = createPlan({ schedule: { ...own(), kind: "vp-linear" }, steps: 3 });
    const { schedule } = planFromJSON(JSON.parse(written(plan))).options;
    expect(() => schedule.alpha(0.5)).toThrow(/^schedule "vp-linear": "alpha"/);
  });
});

describe("numbers that JSON does not keep", () => {
  it("a −0 among the options leaves a plan that loads", () => {
    const schedule = vpLinear();
    for (const options of [
      { schedule, steps: 4, solver: "ddim", eta: -0 },
      { schedule, steps: 4, ratios: [1, 1, -0, 1] },
      { schedule, steps: 4, disableCorrector: [-0] },
      { schedule, steps: 4, thresholding: { ratio: -0 } },
    ]) {
      const plan = createPlan(options);
      expect(written(planFromJSON(JSON.parse(written(plan))))).toBe(written(plan));
    }
  });
});

describe("a plan", () => {
  const plan = createPlan({ schedule: vpLinear(), steps: 5, ratios });

  it("cannot be changed", () => {
    expect(Object.isFrozen(plan)).toBe(true);
    expect(Object.isFrozen(plan.options)).toBe(true);
    expect(Object.isFrozen(plan.steps)).toBe(true);
    for (const step of plan.steps) {
      for (const part of [step, step.start, step.end, step.operations, step.outputs]) {
        expect(Object.isFrozen(part)).toBe(true);
      }
      for (const operation of step.operations) {
        expect(Object.isFrozen(operation)).toBe(true);
        if (operation.kind === "combine") for (const term of operation.terms) expect(Object.isFrozen(term)).toBe(true);
      }
    }
  });

  it("does not change with the arrays it was made of", () => {
    const own = [1, 1, 1.2];
    const grid = [1, 0.6, 0.3, 0.1];
    const made = createPlan({ schedule: vpLinear(), grid, ratios: own });
    const before = written(made);
    own[2] = 5;
    grid[3] = 0.2;
    expect(written(made)).toBe(before);
  });

  it("gives JSON that can be changed without changing the plan", () => {
    const before = written(plan);
    const json = plan.toJSON() as { grid: number[]; steps: { state: number }[]; options: { ratios: number[] } };
    json.grid[0] = 9;
    json.options.ratios[2] = 9;
    (json.steps[0] as { state: number }).state = 9;
    expect(written(plan)).toBe(before);
  });
});

describe("a plan that lacks an output at a time of its grid", () => {
  // Step 1 goes on with the output of step 0: exact for constant x₀, and no model call at grid[1].
  const schedule = vpLinear();
  const grid = Float64Array.of(1, 0.7, 0.4, 0.1);
  const points = Array.from(grid, (t) => ({
    t,
    alpha: schedule.alpha(t),
    sigma: schedule.sigma(t),
    lambda: schedule.lambda(t),
  })) as [GridPoint, GridPoint, GridPoint, GridPoint];
  const trace = new Trace(schedule, grid, "sample", undefined);
  let x = trace.start();
  const m0 = trace.evaluate(x, grid[0] as number);
  x = trace.endStep(trace.combine(firstOrder(points[0], points[1], x, m0)));
  x = trace.endStep(trace.combine(firstOrder(points[1], points[2], x, m0)));
  trace.endStep(trace.combine(firstOrder(points[2], points[3], x, trace.evaluate(x, grid[2] as number))));
  const plan = finishPlan({ schedule, steps: 3, grid, solver: "mine", predict: "sample" }, grid, trace.steps);

  it("is not compensated where the interpolation would take another's place for it", () => {
    expect(compensate(plan, [1, 1, 1], 1).nfe).toBe(2);
    const refused = (k: number) =>
      new RangeError(
        `"ratios[${k}]": this solver keeps no model output at the start of step ${k} or of the 1 before it; use 1`,
      );
    expect(() => compensate(plan, [1, 1.1, 1], 1)).toThrow(refused(1));
    expect(() => compensate(plan, [1, 1, 1.1], 1)).toThrow(refused(2));
  });
});
