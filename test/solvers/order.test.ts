import { describe, expect, it } from "vitest";
import { createPlan, edm, flow, type NoiseSchedule, vpLinear } from "../../src/index.ts";
import type { Operation, Plan, PlanStep, Space } from "../../src/plan/plan.ts";
import { lambdaGrid, largestError, logSlope, toy } from "../support/problems.ts";
import { planOptions, type Setting, settings, spaces } from "../support/solvers.ts";

const declaredOrder = ({ solver, options }: Setting) => solver.observedOrder(options) as number;
const ordered = settings.filter((setting) => declaredOrder(setting) !== undefined);

// Where the Gaussian turns from noise into data (lambda = 1.2 at deviation 0.3). Over the whole range of the schedules a step of
// N = 80 is so long that a method of order 5 has not reached its slope.
const [noiseEnd, dataEnd] = [-2, 3];

/** Returns the slope of the error against the length of a step; the first `order` states are exact, so the first order − 1 steps. */
function slope(
  setting: Setting,
  schedule: NoiseSchedule,
  predict: Space,
  change: (plan: Plan) => Pick<Plan, "steps"> = (plan) => plan,
): number {
  const exactSteps = (setting.options.order ?? declaredOrder(setting)) as number;
  return logSlope(
    [80, 113, 160, 226, 320].map((steps) => {
      const grid = lambdaGrid(schedule, noiseEnd, dataEnd, steps);
      const plan = createPlan(planOptions(setting, { schedule, grid, predict, lowerOrderFinal: false }));
      const [{ start }] = plan.steps as [PlanStep];
      return [1 / steps, largestError(change(plan), toy, 1.5 * start.sigma, exactSteps - 1)] as const;
    }),
  );
}

/** Moves a thousandth of the newest output's weight to the one before: consistent as ever, but no longer of the order. */
function blunt(plan: Plan): Pick<Plan, "steps"> {
  const outputs = new Set(plan.steps.flatMap((step) => step.outputs.map(({ value }) => value)));
  const change = (operation: Operation): Operation => {
    if (operation.kind !== "combine") return operation;
    const [newest, before] = operation.terms.filter(([, from]) => outputs.has(from));
    if (newest === undefined || before === undefined) return operation;
    const moved = newest[0] / 1000;
    const terms = operation.terms.map((term) =>
      term === newest
        ? ([term[0] - moved, term[1]] as const)
        : term === before
          ? ([term[0] + moved, term[1]] as const)
          : term,
    );
    return { ...operation, terms };
  };
  return { steps: plan.steps.map((step) => ({ ...step, operations: step.operations.map(change) })) };
}

describe("the observed order on Gaussian data is the declared one", () => {
  it("for settings of each order from 1 to 5", () => {
    const declared = new Set(ordered.map(declaredOrder));
    for (const order of [1, 2, 3, 4, 5]) expect(declared).toContain(order);
  });

  for (const schedule of [vpLinear(), edm(), flow()]) {
    for (const setting of ordered) {
      it(`${setting.title}, on ${schedule.kind}`, () => {
        const declared = declaredOrder(setting);
        for (const predict of spaces) {
          const observed = slope(setting, schedule, predict);
          expect(Math.abs(observed - declared), `slope ${observed} in space ${predict}`).toBeLessThan(0.25);
        }
      });
    }
  }

  it("and the measurement notices a thousandth of a weight on the wrong output", () => {
    const multistep = ordered.filter(
      (setting) => (setting.options.order as number) >= 3 && declaredOrder(setting) >= 3,
    );
    expect(multistep.length).toBeGreaterThan(0);
    for (const setting of multistep) {
      // In noise, where every method weighs the outputs themselves.
      expect(slope(setting, vpLinear(), "epsilon", blunt), setting.title).toBeLessThan(1.9);
    }
  });
});
