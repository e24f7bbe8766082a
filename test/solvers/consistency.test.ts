// The samplers of consistency models, and the noise of DDPM.
import { describe, expect, it } from "vitest";
import { createPlan, flow, type Plan, vpDiscrete, vpLinear } from "../../src/index.ts";
import type { Combine } from "../../src/plan/plan.ts";

/** Returns the terms of the combination that ends step k: coefficients on the state, on the output, on the draw. */
function ending({ steps }: Plan, k: number): number[] {
  const step = steps[k];
  const made = step?.operations.find((o): o is Combine => o.kind === "combine" && o.to === step.state);
  const before = k === 0 ? 0 : steps[k - 1]?.state;
  const drawn = step?.operations.find((o) => o.kind === "draw")?.to;
  const output = step?.outputs[0]?.value;
  return [before, output, drawn].map((value) => made?.terms.find(([, from]) => from === value)?.[0] ?? 0);
}

describe("lcm", () => {
  it("goes from each picture back to the next level by noise alone", () => {
    const plan = createPlan({ schedule: vpLinear(), steps: 4, solver: "lcm" });
    expect(plan.draws).toBe(4);
    for (const [k, { end }] of plan.steps.entries()) expect(ending(plan, k)).toEqual([0, end.alpha, end.sigma]);
  });

  it("ends with DDIM's step where the last one does not draw", () => {
    const options = { schedule: vpLinear(), steps: 4 } as const;
    const plan = createPlan({ ...options, solver: "lcm", lastDraw: false });
    expect(plan.draws).toBe(3);
    const wanted = ending(createPlan({ ...options, solver: "ddim" }), 3);
    for (const [i, c] of ending(plan, 3).entries()) expect(c).toBeCloseTo(wanted[i] as number, 12);
  });

  it("keeps a share of the state where told times are small, as the boundary condition has it", () => {
    const schedule = vpDiscrete();
    const grid = [1, 0.5, 0.001];
    const plan = createPlan({ schedule, grid, solver: "lcm", boundary: { scaling: 0.001 } });
    const told = schedule.modelTime(0.5) / 1000;
    // c_skip = (1/2)²/(s² + (1/2)²) of data with deviation 1/2 (Song et al. 2023, appendix C)
    const step = plan.steps[1];
    const picture = step?.operations.find((o): o is Combine => o.kind === "combine" && o.to !== step.state);
    const skip = 0.25 / (told * told + 0.25);
    expect(picture?.terms[0]?.[0]).toBeCloseTo(skip, 12);
    expect(picture?.terms[1]?.[0]).toBeCloseTo(told / Math.sqrt(told * told + 0.25), 12);
    expect(step?.consistent).toBe(false);
    expect(() => createPlan({ schedule, grid, solver: "lcm", boundary: {} as { scaling: number } })).toThrow(
      '"boundary.scaling": expected a finite number, got undefined',
    );
  });
});

describe("tcd", () => {
  it("with gamma 0 is DDIM, and draws nothing", () => {
    const options = { schedule: vpLinear(), steps: 5 } as const;
    const [plan, ddim] = [
      createPlan({ ...options, solver: "tcd", gamma: 0 }),
      createPlan({ ...options, solver: "ddim" }),
    ];
    expect(plan.draws).toBe(0);
    for (const k of plan.steps.keys()) expect(ending(plan, k)).toEqual(ending(ddim, k));
  });

  it("with gamma 1 on a schedule that ends without noise is multistep consistency sampling but for the last draw", () => {
    const options = { schedule: flow({ tMin: 0, tMax: 0.9 }), steps: 5 } as const;
    const plan = createPlan({ ...options, solver: "tcd", gamma: 1 });
    const lcm = createPlan({ ...options, solver: "lcm" });
    expect(plan.draws).toBe(4);
    for (const k of [0, 1, 2, 3]) {
      const wanted = ending(lcm, k);
      for (const [i, c] of ending(plan, k).entries()) expect(c).toBeCloseTo(wanted[i] as number, 12);
    }
  });

  it("goes through times that are given, one for each step", () => {
    const schedule = vpLinear();
    const options = { schedule, steps: 3, solver: "tcd", gamma: 0.4 } as const;
    const free = createPlan(options);
    const times = Array.from(free.grid.subarray(1), (t) => Math.max(schedule.tMin, 0.6 * t));
    expect(createPlan({ ...options, through: { times } }).steps).toEqual(free.steps);
    expect(() => createPlan({ ...options, through: { times: [0.1] } })).toThrow('"through.times": expected 3 times');
  });
});

describe("ddim as DDPM has it", () => {
  const options = { schedule: vpLinear(), steps: 4, solver: "ddim", eta: 1 } as const;

  it("draws with the forward step's deviation where the variance is large", () => {
    const [small, large] = [createPlan(options), createPlan({ ...options, posterior: { variance: "large" } })];
    for (const [k, { start, end, consistent }] of large.steps.entries()) {
      const [onState, onOutput, fresh] = ending(large, k) as [number, number, number];
      expect([onState, onOutput]).toEqual(ending(small, k).slice(0, 2));
      // beta = 1 − (alpha_s/alpha_t)²
      const ratio = start.alpha / end.alpha;
      expect(fresh).toBeCloseTo(Math.sqrt(1 - ratio * ratio), 12);
      expect(consistent).toBe(false);
    }
  });

  it("ends with the deterministic step where the last one does not draw", () => {
    const plan = createPlan({ ...options, posterior: { lastDraw: false } });
    expect(plan.draws).toBe(3);
    expect(ending(plan, 3)).toEqual(ending(createPlan({ ...options, eta: 0 }), 3));
  });

  it("refuses variances it does not know", () => {
    const plan = (posterior: object) => createPlan({ ...options, posterior });
    expect(() => plan({ variance: "learned" })).toThrow('"posterior.variance": expected one of "small", "large"');
    expect(() => plan({ lastDraw: 0 })).toThrow('"posterior.lastDraw": expected true or false, got 0');
  });
});
