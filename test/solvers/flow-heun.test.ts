import { describe, expect, it } from "vitest";
import { createPlan, flow, mixtureDenoiser } from "../../src/index.ts";
import { sampleInDoubles } from "../support/engines.ts";

describe("flow_heun", () => {
  it("on a rectified flow is Heun's method on the network's velocity, from pure noise to the data", async () => {
    const schedule = flow();
    const denoiser = mixtureDenoiser({
      schedule,
      means: [[0.5]],
      std: [0.3],
      weights: [1],
      prediction: "flow_prediction",
    });
    const plan = createPlan({ schedule, steps: 5, solver: "flow_heun" });
    expect(plan.nfe).toBe(9);
    // v = ε − x₀ of N(1/2, 0.3²) at x = (1 − t)·x₀ + t·ε
    const velocity = (x: number, t: number) => {
      const variance = (1 - t) * (1 - t) * 0.09 + t * t;
      const rest = (x - (1 - t) * 0.5) / variance;
      return t * rest - (0.5 + (1 - t) * 0.09 * rest);
    };
    let x = 1.5;
    for (let k = 0; k < 5; k++) {
      const [s, t] = [plan.grid[k] as number, plan.grid[k + 1] as number];
      const v = velocity(x, s);
      const guess = x + (t - s) * v;
      x = t === 0 ? guess : x + ((t - s) * (v + velocity(guess, t))) / 2;
    }
    const [end] = await sampleInDoubles({ plan, denoiser, shape: [1, 1], initial: [1.5], stepNoise: () => [0] });
    expect(end).toBeCloseTo(x, 12);
  });

  it("with churn draws in both halves of a step, in the range asked for", () => {
    const draws = (churn: object) =>
      createPlan({ schedule: flow(), steps: 4, solver: "flow_heun", churn: churn as { amount: number } }).draws;
    // Times 1, 3/4, 1/2, 1/4, 0: three steps of two calls, and one.
    expect(draws({ amount: 0 })).toBe(0);
    expect(draws({ amount: 1 })).toBe(7);
    expect(draws({ amount: 1, from: 0.5 })).toBe(6);
    expect(draws({ amount: 1, from: 0.3, to: 0.8 })).toBe(4);
    expect(() => draws({ amount: -1 })).toThrow('"churn.amount": expected a finite number ≥ 0, got -1');
    // JSON does not keep Infinity; without a bound there is none.
    expect(() => draws({ amount: 1, to: Infinity })).toThrow('"churn.to": expected a finite number ≥ 0');
    expect(() => draws({ amount: 1, unseen: "sample" })).toThrow('"unseen": unknown option');
    expect(() => draws({ amount: 1, noise: -1 })).toThrow('"churn.noise": expected a finite number ≥ 0, got -1');
  });
});
