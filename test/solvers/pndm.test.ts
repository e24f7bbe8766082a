import { describe, expect, it } from "vitest";
import { createPlan, flow, type Plan, vpDiscrete, vpLinear } from "../../src/index.ts";
import type { Combine, Evaluate } from "../../src/plan/plan.ts";

const calls = ({ steps }: Plan) =>
  steps.map(({ operations }) => operations.filter((o) => o.kind === "evaluate").length);

/** Returns the coefficients of the combination that ends step k, by value. */
function coefficients({ steps }: Plan, k: number): Map<number, number> {
  const made = steps[k]?.operations.find((o): o is Combine => o.kind === "combine" && o.to === steps[k]?.state);
  return new Map(made?.terms.map(([c, from]) => [from, c]));
}

describe("pndm", () => {
  it("calls once, twice or four times in its first steps, as `start` says, and once in all others", () => {
    const plan = (start: "none" | "repeat" | "runge_kutta", steps: number) =>
      createPlan({ schedule: vpDiscrete(), solver: "pndm", start, steps });
    expect(calls(plan("none", 5))).toEqual([1, 1, 1, 1, 1]);
    expect(calls(plan("repeat", 5))).toEqual([2, 1, 1, 1, 1]);
    expect(calls(plan("runge_kutta", 5))).toEqual([4, 4, 4, 1, 1]);
    expect(calls(plan("repeat", 1))).toEqual([1]);
    expect(calls(plan("runge_kutta", 2))).toEqual([4, 1]);
  });

  it("of order 1 that starts from nothing is DDIM", () => {
    const options = { schedule: vpLinear(), steps: 6, predict: "epsilon" } as const;
    const [a, b] = [
      createPlan({ ...options, solver: "pndm", order: 1, start: "none" }),
      createPlan({ ...options, solver: "ddim" }),
    ];
    for (const k of a.steps.keys()) {
      const [mine, theirs] = [coefficients(a, k), coefficients(b, k)];
      expect([...mine.keys()]).toEqual([...theirs.keys()]);
      for (const [value, c] of mine) expect(Math.abs(c / (theirs.get(value) as number) - 1)).toBeLessThan(1e-12);
    }
  });

  it("weighs outputs as Adams and Bashforth do, whatever the steps", () => {
    const plan = createPlan({ schedule: vpLinear(), steps: 6, solver: "pndm", start: "none", lowerOrderFinal: false });
    const outputs = plan.steps.map(({ outputs }) => outputs[0]?.value as number);
    const last = coefficients(plan, 5);
    const weights = [5, 4, 3, 2].map((k) => last.get(outputs[k] as number) as number);
    const sum = weights.reduce((a, b) => a + b, 0);
    // 55/24, −59/24, 37/24, −9/24
    for (const [i, w] of [55, -59, 37, -9].entries()) expect(((weights[i] as number) / sum) * 24).toBeCloseTo(w, 9);
  });

  it("calls Runge-Kutta's middle twice, halfway in time", () => {
    const plan = createPlan({ schedule: vpLinear(), steps: 4, solver: "pndm", start: "runge_kutta" });
    const [step] = plan.steps;
    const times = step?.operations.filter((o): o is Evaluate => o.kind === "evaluate").map(({ t }) => t) as number[];
    const [s, t] = [plan.grid[0] as number, plan.grid[1] as number];
    expect(times).toEqual([s, (s + t) / 2, (s + t) / 2, t]);
  });

  it("takes the first step from pure noise by its data, unless that counts as unknown", () => {
    const options = { schedule: flow(), steps: 3, solver: "pndm", start: "none" } as const;
    expect(coefficients(createPlan(options), 0).size).toBe(2);
    const blind = createPlan({ ...options, departures: { blind: true } });
    const [, t] = [...blind.grid];
    expect([...coefficients(blind, 0)]).toEqual([[0, t]]);
    expect(blind.steps[0]?.consistent).toBe(false);
  });

  it("refuses departures that it does not know", () => {
    const plan = (departures: object) => createPlan({ schedule: vpLinear(), steps: 3, solver: "pndm", departures });
    expect(() => plan({ stridee: 1 })).toThrow('"stridee": unknown option of departures');
    expect(() => plan({ stride: -1 })).toThrow('"departures.stride": expected a finite number ≥ 0, got -1');
    expect(() => plan({ velocity: 1 })).toThrow('"departures.velocity": expected true or false, got 1');
  });
});
