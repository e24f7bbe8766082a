// One reference for several searches.
import { describe, expect, it } from "vitest";
import {
  createPlan,
  type Denoiser,
  edm,
  mixtureDenoiser,
  type NoiseSchedule,
  ratioReference,
  sample,
  searchRatios,
  vpDiscrete,
} from "../../src/index.ts";

const shape = [5, 4];
const mixture = {
  means: [
    [1, -0.5, 0.2, 0.7],
    [-0.8, 0.3, 0.9, -1],
  ],
  std: [0.2, 0.3],
  weights: [1, 2],
};

function problem(schedule: NoiseSchedule) {
  let calls = 0;
  const { prediction, predict } = mixtureDenoiser({ schedule, ...mixture });
  const denoiser: Denoiser<readonly number[]> = {
    prediction,
    predict(input) {
      calls++;
      return predict(input);
    },
  };
  const plans = [5, 6, 8].map((steps) => createPlan({ schedule, steps, spacing: "logSNR" }));
  return { denoiser, plans, calls: () => calls };
}

describe("a reference that searches share", () => {
  it("is one run, through the times of all plans, and spares each search its own", async () => {
    const { denoiser, plans, calls } = problem(vpDiscrete());
    const shared = await ratioReference({ plans, denoiser, shape, seed: 3, reference: { steps: 300 } });
    expect(shared.nfe).toBe(300);
    expect(calls()).toBe(300);
    expect(shared.states.length).toBe(shared.grid.length);
    for (const plan of plans) {
      const found = await searchRatios({ plan, denoiser, shape, seed: 3, reference: shared });
      const alone = await searchRatios({ plan, denoiser, shape, seed: 3, reference: { steps: 300 } });
      expect(found.nfe.reference).toBe(0);
      expect(alone.nfe.reference).toBe(300);
      // Both are DDIM with 300 steps, through other times: errors of first order, 1/300 of the way each.
      for (const [k, ratio] of found.ratios.entries())
        expect(Math.abs(ratio - (alone.ratios[k] as number))).toBeLessThan(0.05);
    }
  });

  it("begins with the state at which its run began, and ends with the sample", async () => {
    const { denoiser, plans } = problem(edm());
    const { grid, states, nfe } = await ratioReference({ plans, denoiser, shape, seed: 3, reference: { steps: 20 } });
    const [first] = states as [Float32Array];
    // Variance exploding: noise times the first sigma.
    const whole = await sample({ plan: createPlan({ schedule: edm(), grid }), denoiser, shape, initial: first });
    const seeded = await sample({ plan: createPlan({ schedule: edm(), grid }), denoiser, shape, seed: 3 });
    expect(whole.data).toEqual(seeded.data);
    expect(states.at(-1)?.every(Number.isFinite)).toBe(true);
    expect(nfe).toBe(20);
  });

  it("is refused for plans that cannot have one, by the name of the plan", async () => {
    const { denoiser, plans } = problem(vpDiscrete());
    const other = createPlan({ schedule: vpDiscrete({ trainSteps: 500 }), steps: 5 });
    const shorter = createPlan({ schedule: vpDiscrete(), grid: [0.9, 0.5, 0.1] });
    for (const plan of [other, shorter])
      await expect(ratioReference({ plans: [...plans, plan], denoiser, shape, seed: 3 })).rejects.toThrow(
        '"plans[3]": expected schedule, thresholding, first and last time of the first plan',
      );
    await expect(ratioReference({ plans: [], denoiser, shape, seed: 3 })).rejects.toThrow('"plans": expected a list');
    await expect(ratioReference({ plans, denoiser, shape })).rejects.toThrow('"seed": required');
  });
});
