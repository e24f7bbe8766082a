import { describe, expect, it } from "vitest";
import { createPlan, type Plan, type PlanStep, vpLinear } from "../../src/index.ts";
import { inputs, type ValueId } from "../../src/plan/plan.ts";
import { validate } from "../../src/plan/validate.ts";
import { extremeSchedules, schedules } from "../support/problems.ts";
import { planOptions, settings, spaces } from "../support/solvers.ts";

/** Returns the values on which a state, a model call or what an observer sees depends: all that a run can show. */
function reaching({ steps }: Plan): Set<ValueId> {
  const used = new Set<ValueId>();
  for (const step of steps.toReversed()) {
    used.add(step.state);
    for (const { value, denoised } of step.outputs) {
      used.add(value);
      used.add(denoised);
    }
    for (const operation of step.operations.toReversed()) {
      if (used.has(operation.to) || operation.kind === "evaluate") for (const from of inputs(operation)) used.add(from);
    }
  }
  return used;
}

/** Yields the steps of a plan with one coefficient changed by a thousandth, for each coefficient that a run can show. */
function* mutations(plan: Plan): Generator<{ steps: PlanStep[]; what: string }> {
  const used = reaching(plan);
  for (const [k, step] of plan.steps.entries()) {
    if (step.consistent === false) continue;
    for (const [i, operation] of step.operations.entries()) {
      if (operation.kind !== "combine" || !used.has(operation.to)) continue;
      for (const [j, [c, from]] of operation.terms.entries()) {
        // 0 but for rounding, as for the first output of a midpoint step, beside coefficients of up to 152.
        if (Math.abs(c) < 1e-13) continue;
        const terms = operation.terms.with(j, [c * 1.001, from]);
        const operations = step.operations.with(i, { ...operation, terms });
        const what = `step ${k}, value ${operation.to}, coefficient ${c} of ${from}`;
        yield { steps: plan.steps.with(k, { ...step, operations }), what };
      }
    }
  }
}

/** Returns the plans of every setting that are worth mutating: with and without compensation, thresholding, both spaces. */
function* plans(): Generator<Plan> {
  const schedule = vpLinear();
  const steps = 5;
  for (const setting of settings) {
    for (const predict of spaces) {
      for (const thresholding of [undefined, { ratio: 0.9 }]) {
        for (const ratios of setting.solver.multistep ? [undefined, [1, 1, 1.1, 0.8, 1.3]] : [undefined]) {
          yield createPlan(
            planOptions(setting, {
              ...{ schedule, steps, predict },
              ...(thresholding && { thresholding }),
              ...(ratios && { ratios }),
            }),
          );
        }
      }
    }
  }
}

describe("a plan that claims consistency", () => {
  it("passes for every solver, space, schedule and spacing", () => {
    let count = 0;
    for (const make of Object.values(schedules)) {
      const schedule = make();
      for (const setting of settings) {
        for (const predict of spaces) {
          for (const spacing of ["time_uniform", "logSNR", "time_quadratic", "karras", "exponential"] as const) {
            // createPlan validates what it has made.
            for (const steps of [1, 2, 3, 7]) createPlan(planOptions(setting, { schedule, steps, spacing, predict }));
            count += 4;
          }
        }
      }
    }
    expect(count).toBe(7 * settings.length * 2 * 5 * 4);
  });

  it("passes where lambda is infinite at an end", () => {
    for (const make of Object.values(extremeSchedules)) {
      const schedule = make();
      for (const setting of settings) {
        for (const steps of [1, 2, 3, 7]) createPlan(planOptions(setting, { schedule, steps }));
      }
    }
  });

  it("passes on 1000 steps, where those of lambda are small", () => {
    for (const setting of settings) createPlan(planOptions(setting, { schedule: vpLinear(), steps: 1000 }));
  });

  it("is refused when any coefficient that a run can show is off by a thousandth", () => {
    let count = 0;
    for (const plan of plans()) {
      for (const { steps, what } of mutations(plan)) {
        count++;
        const title = `${JSON.stringify({ ...plan.options, schedule: undefined })}, ${what}`;
        expect(() => validate(plan.grid, steps), title).toThrow(RangeError);
      }
    }
    expect(count).toBeGreaterThan(8000);
  });

  it("is refused, naming the step, when a value is read before it is written or a step does not start where the last one ended", () => {
    const plan = createPlan({ schedule: vpLinear(), steps: 3, solver: "ddim" });
    const [a, b, c] = plan.steps as [PlanStep, PlanStep, PlanStep];
    expect(() => validate(plan.grid, [b, a, c])).toThrow(
      /^"steps\[0\]": expected a step that keeps a clean signal clean, got one in which the times are not those of the grid$/,
    );
    const backwards = [{ ...a, operations: a.operations.toReversed() }, b, c];
    expect(() => validate(plan.grid, backwards)).toThrow(
      /^"steps\[0\]": expected a step that keeps a clean signal clean, got one in which value 2 reads a value that does not exist yet$/,
    );
    expect(() => validate(plan.grid, [a, { ...b, state: a.state }, c])).toThrow(
      /^"steps\[1\]": expected a step that keeps a clean signal clean, got one in which the state is inconsistent/,
    );
    expect(() => validate(plan.grid, [a, { ...b, state: 99 }, c])).toThrow(
      /^"steps\[1\]": expected a step that keeps a clean signal clean, got one in which the state does not exist$/,
    );
  });
});
