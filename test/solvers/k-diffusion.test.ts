// What is particular to the methods that came from k-diffusion; their published runs are in test/diffusers/cases.test.ts.
import { describe, expect, it } from "vitest";
import { createPlan, edm, type Plan, vpLinear } from "../../src/index.ts";
import type { Combine, PlanStep } from "../../src/plan/plan.ts";

const grid = [10, 4, 1.5, 0.6, 0.2];
const combinations = (plan: Plan) =>
  plan.steps.flatMap(({ operations }) => operations.filter((o): o is Combine => o.kind === "combine"));

describe("churn", () => {
  const churned = (churn: object, schedule = edm()) => createPlan({ schedule, grid, solver: "euler", churn } as never);

  it("raises sigma by γ = min(amount/steps, √2 − 1) where sigma is between from and to, and calls the network there", () => {
    const calls = (plan: Plan) =>
      plan.steps.map(({ operations }) => operations.find((o) => o.kind === "evaluate")?.sigma);
    const raised = calls(churned({ amount: 0.4 }));
    for (const [k, sigma] of raised.entries())
      expect(Math.abs((sigma as number) / (1.1 * (grid[k] as number)) - 1)).toBeLessThan(1e-14);
    expect((calls(churned({ amount: 40 }))[0] as number) / 10).toBeCloseTo(Math.SQRT2, 14);
    const some = churned({ amount: 0.4, from: 1, to: 4 });
    expect(some.draws).toBe(2);
    expect(calls(some).map((sigma, k) => sigma === grid[k])).toEqual([true, false, false, true]);
  });

  it("adds noise of variance sigma²·((1 + γ)² − 1), times noise², and claims a consistent step only where noise is 1", () => {
    for (const noise of [1, 1.003]) {
      const plan = churned({ amount: 0.4, noise });
      const [first] = combinations(plan) as [Combine];
      const added = noise * 10 * Math.sqrt(1.1 * 1.1 - 1);
      expect(Math.abs((first.terms[1]?.[0] as number) / added - 1)).toBeLessThan(1e-14);
      expect(plan.steps.every((step) => step.consistent === (noise === 1 ? undefined : false))).toBe(true);
    }
  });

  it("of amount 0 is DDIM, draw for draw and coefficient for coefficient", () => {
    for (const schedule of [edm(), vpLinear()]) {
      const [plain, ddim] = [
        createPlan({ schedule, steps: 5, solver: "euler" }),
        createPlan({ schedule, steps: 5, solver: "ddim" }),
      ];
      expect(plain.draws).toBe(0);
      const terms = (plan: Plan) => combinations(plan).flatMap((made) => made.terms.map(([c]) => c));
      for (const [i, c] of terms(plain).entries()) expect(c).toBeCloseTo(terms(ddim)[i] as number, 13);
    }
  });

  it("is refused with a message that names the part that is wrong", () => {
    expect(() => churned({ amount: -1 })).toThrow(/^"churn\.amount": expected a finite number ≥ 0, got -1/);
    expect(() => churned({ amount: 1, to: Infinity })).toThrow(/^"churn\.to": /);
    expect(() => churned({ amount: 1, unseen: "score" })).toThrow(/^"churn\.unseen": expected one of "epsilon"/);
    expect(() => churned({ amount: 1, most: 2 })).toThrow(/^"most": unknown option/);
  });
});

/** Returns the state from which the step at a time starts. */
const previous = (plan: Plan, t: number) => plan.steps.find(({ end }) => end.t === t)?.state;

describe("LMS", () => {
  it("has the weights of Adams and Bashforth on equidistant sigmas, a last step to sigma 0 included", () => {
    const plan = createPlan({
      schedule: edm({ sigmaMin: 0 }),
      grid: [5, 4, 3, 2, 1, 0],
      solver: "lms",
      order: 4,
      lowerOrderFinal: false,
    });
    const weights = plan.steps.map(({ operations, state, start }) => {
      const made = operations.find((o) => o.kind === "combine" && o.to === state) as Combine;
      // The newest ε is there as (x − x₀)/sigma.
      const x0 = operations.find((o) => o.kind === "evaluate")?.to;
      return made.terms
        .filter(([, from]) => from !== 0 && from !== previous(plan, start.t))
        .map(([c, from]) => (from === x0 ? c * start.sigma : -c));
    });
    const wanted = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]];
    for (const [k, row] of [...wanted, wanted[3] as number[]].entries()) {
      expect(weights[k]).toHaveLength(row.length);
      // Newest first; coefficients of size 1, a few operations deep.
      for (const [j, w] of row.entries()) expect(Math.abs((weights[k]?.[j] as number) - w)).toBeLessThan(1e-13);
    }
  });
});

describe("DPM-Solver-2 with all of its noise fresh", () => {
  it("calls the network a second time at the level where the step ends, and goes down to sigma_t²/sigma_s", () => {
    const plan = createPlan({ schedule: edm(), grid, solver: "kdpm2", eta: 1 });
    expect([plan.nfe, plan.draws]).toEqual([8, 4]);
    for (const step of plan.steps) {
      const { start: s, end: t } = step as PlanStep;
      const second = step.operations.filter((o) => o.kind === "evaluate")[1];
      expect(Math.abs((second?.sigma as number) / t.sigma - 1)).toBeLessThan(1e-14);
      const made = step.operations.find((o) => o.kind === "combine" && o.to === step.state) as Combine;
      const fresh = made.terms.at(-1)?.[0] as number;
      expect(Math.abs(fresh * fresh + (t.sigma ** 2 / s.sigma) ** 2 - t.sigma ** 2)).toBeLessThan(1e-13 * t.sigma ** 2);
    }
  });

  it("draws nothing in a last step to sigma 0, which calls the network once", () => {
    const plan = createPlan({ schedule: edm({ sigmaMin: 0 }), grid: [10, 1, 0], solver: "kdpm2", eta: 1 });
    expect([plan.nfe, plan.draws]).toEqual([3, 1]);
  });
});
