// DPM-Solver++ as an SDE solver: what it is exact about, and what only in the limit.
import { describe, expect, it } from "vitest";
import { createPlan, edm, flow, type Plan, type PlanOptions, vpLinear } from "../../src/index.ts";
import type { Operation, ValueId } from "../../src/plan/plan.ts";
import { lambdaGrid, logSlope } from "../support/problems.ts";
import { spaces } from "../support/solvers.ts";

const deviation = 0.3;

/** Returns by how much the variance of the last state misses that of Gaussian data of this deviation, relative to it. */
function varianceError(plan: Plan): number {
  // Every value is linear in the start state and the draws: its coefficients, of which index 0 belongs to the start state.
  const values = new Map<ValueId, Float64Array>();
  const unit = (i: number, c: number) => {
    const vector = new Float64Array(plan.draws + 1);
    vector[i] = c;
    return vector;
  };
  const total = ({ alpha, sigma }: { alpha: number; sigma: number }) => (alpha * deviation) ** 2 + sigma * sigma;
  const [first, last] = [plan.steps[0], plan.steps.at(-1)];
  if (first === undefined || last === undefined) throw new Error("a plan without steps");
  values.set(0, unit(0, Math.sqrt(total(first.start))));
  const compute = (o: Operation): Float64Array => {
    if (o.kind === "draw") return unit(o.draw, 1);
    if (o.kind === "clip") throw new Error("not linear");
    if (o.kind === "evaluate") {
      const factor = (o.space === "sample" ? o.alpha * deviation ** 2 : o.sigma) / total(o);
      return (values.get(o.x) as Float64Array).map((c) => c * factor);
    }
    const sum = new Float64Array(plan.draws + 1);
    for (const [c, from] of o.terms) {
      const vector = values.get(from) as Float64Array;
      for (const [i, v] of vector.entries()) sum[i] = (sum[i] as number) + c * v;
    }
    return sum;
  };
  for (const step of plan.steps) for (const operation of step.operations) values.set(operation.to, compute(operation));
  const state = values.get(last.state) as Float64Array;
  return Math.abs(state.reduce((sum, c) => sum + c * c, 0) / total(last.end) - 1);
}

/** Returns the slope of that error against the length of a step. */
function slope(options: Pick<PlanOptions, "schedule" | "predict" | "order" | "variant">): number {
  return logSlope(
    [80, 113, 160, 226, 320].map((steps) => {
      const grid = lambdaGrid(options.schedule, -2, 3, steps);
      const plan = createPlan({ ...options, grid, solver: "dpmpp", sde: true, lowerOrderFinal: false });
      return [1 / steps, varianceError(plan)] as const;
    }),
  );
}

describe.each([vpLinear(), edm(), flow()])("on $kind", (schedule) => {
  it("the variance of Gaussian data is met in the order of the solver, up to 2", () => {
    for (const predict of spaces) {
      for (const variant of ["midpoint", "heun"] as const) {
        for (const order of [1, 2]) {
          const title = `${predict}, ${variant}, order ${order}`;
          expect(Math.abs(slope({ schedule, predict, variant, order }) - order), title).toBeLessThan(0.25);
        }
      }
    }
  });

  it("order 3 gains nothing over 2, and in data prediction, as only diffusers has it, loses one", () => {
    expect(Math.abs(slope({ schedule, predict: "epsilon", order: 3 }) - 2)).toBeLessThan(0.25);
    expect(Math.abs(slope({ schedule, predict: "sample", order: 3 }) - 1)).toBeLessThan(0.25);
  });

  it("order 1 in data prediction is DDIM with all of the noise drawn afresh", () => {
    const grid = lambdaGrid(schedule, -2, 3, 8);
    const sde = createPlan({ schedule, grid, solver: "dpmpp", sde: true, order: 1 });
    const ddim = createPlan({ schedule, grid, solver: "ddim", eta: 1 });
    for (const [k, step] of sde.steps.entries()) {
      const terms = (plan: Plan) => plan.steps[k]?.operations.flatMap((o) => (o.kind === "combine" ? o.terms : []));
      expect(step.operations.map(({ kind }) => kind)).toEqual(ddim.steps[k]?.operations.map(({ kind }) => kind));
      // Coefficients of order 1 from a few float64 operations each.
      for (const [i, [c, from]] of (terms(sde) ?? []).entries()) {
        expect(from).toBe(terms(ddim)?.[i]?.[1]);
        expect(Math.abs(c - (terms(ddim)?.[i]?.[0] as number))).toBeLessThan(1e-13);
      }
    }
  });
});
