// Guidance that changes from call to call, and its rescaling.
import { describe, expect, it } from "vitest";
import { createPlan, type Denoiser, gaussianNoise, mixtureDenoiser, sample, vpLinear } from "../../src/index.ts";
import { referenceEngine } from "../support/reference-engine.ts";

const schedule = vpLinear();
const plan = createPlan({ schedule, steps: 6, spacing: "logSNR" });
const mixture = mixtureDenoiser({
  schedule,
  means: [
    [1, -0.5, 0.2],
    [-0.8, 0.3, 0.9],
  ],
  std: [0.2, 0.3],
  weights: [1, 2],
});
const base = { plan, denoiser: mixture, shape: [2, 3], seed: 5, condition: [0, 1], unconditional: [-1, -1] };

describe("one scale for each model call", () => {
  it("has the bits of a single scale where all are equal", async () => {
    const [one, list] = await Promise.all(
      [4, new Array<number>(6).fill(4)].map((guidanceScale) => sample({ ...base, guidanceScale })),
    );
    expect(list?.data).toEqual(one?.data);
    expect([one?.passes, list?.passes, one?.nfe]).toEqual([12, 12, 6]);
  });

  it("makes one pass where the scale is 1, and differs from guiding everywhere", async () => {
    const guidanceScale = [4, 4, 1, 1, 4, 1];
    const { data, passes, nfe } = await sample({ ...base, guidanceScale });
    expect([passes, nfe]).toEqual([9, 6]);
    expect(data).not.toEqual((await sample({ ...base, guidanceScale: 4 })).data);
  });

  it("is refused in another number than the plan has calls, and without `unconditional`", async () => {
    await expect(sample({ ...base, guidanceScale: [4, 4] })).rejects.toThrow(
      '"guidanceScale": expected one scale, or one for each of 6 model calls, got 2',
    );
    const { unconditional: _, ...rest } = base;
    await expect(sample({ ...rest, guidanceScale: [1, 1, 1, 1, 1, 2] })).rejects.toThrow('"unconditional": required');
    await expect(sample({ ...base, guidanceScale: [1, 1, 1, 1, 1, Number.NaN] })).rejects.toThrow('"guidanceScale[5]"');
  });
});

describe("an interval of noise levels", () => {
  it("guides the calls inside it and no others", async () => {
    const levels = plan.steps.map(({ start }) => start.sigma / start.alpha);
    const [low, high] = [levels[4] as number, levels[1] as number];
    const limited = await sample({ ...base, guidanceScale: 4, guidanceInterval: [low, high] });
    expect(limited.passes).toBe(6 + 3);
    const byHand = await sample({ ...base, guidanceScale: [1, 4, 4, 4, 1, 1] });
    expect(limited.data).toEqual(byHand.data);
    const everywhere = await sample({ ...base, guidanceScale: 4, guidanceInterval: [0, Infinity] });
    expect(everywhere.data).toEqual((await sample({ ...base, guidanceScale: 4 })).data);
  });

  it("is refused if it is none", async () => {
    for (const guidanceInterval of [[1, 0], [1], [Number.NaN, 1], [-1, 1]] as unknown as [number, number][])
      await expect(sample({ ...base, guidanceScale: 4, guidanceInterval })).rejects.toThrow('"guidanceInterval"');
  });
});

describe("rescaling", () => {
  const shape = [2, 40];
  const [c, u] = [gaussianNoise(1, shape), gaussianNoise(2, shape).map((v) => 3 * v + 0.5)];
  const pair: Denoiser<string> = {
    prediction: "sample",
    predict: ({ condition }) => (condition === "c" ? c : u),
  };
  // One step of DDIM to sigma 0 returns x₀ itself: the network's guided output.
  const end = createPlan({ schedule: vpLinear({ tMin: 0 }), steps: 1, solver: "ddim" });
  const run = { plan: end, denoiser: pair, shape, seed: 1, condition: "c", unconditional: "u", guidanceScale: 3 };
  const deviation = (values: ArrayLike<number>) => {
    const list = Array.from(values);
    const mean = list.reduce((a, b) => a + b, 0) / list.length;
    return Math.sqrt(list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length);
  };

  it("at share 1 gives each item the deviation of its conditional output, at 0 changes nothing, and between them mixes", async () => {
    const results = await Promise.all([0, 0.7, 1].map((guidanceRescale) => sample({ ...run, guidanceRescale })));
    const [none, some, whole] = results.map(({ data }) => data) as [Float32Array, Float32Array, Float32Array];
    expect(none).toEqual((await sample(run)).data);
    for (const item of [0, 1]) {
      const part = (values: Float32Array) => values.subarray(40 * item, 40 * (item + 1));
      // A factor and a product rounded to float32: 2^-23 relative.
      expect(Math.abs(deviation(part(whole)) / deviation(part(c)) - 1)).toBeLessThan(2e-7);
      expect(deviation(part(none)) / deviation(part(c))).toBeGreaterThan(2);
      part(some).forEach((v, i) => {
        const mixed = 0.7 * (part(whole)[i] as number) + 0.3 * (part(none)[i] as number);
        expect(Math.abs(v - mixed)).toBeLessThan(1e-5);
      });
    }
  });

  it("agrees with the reference engine, over a whole run", async () => {
    const options = { ...base, guidanceScale: 6, guidanceRescale: 0.7 };
    const { data } = await sample(options);
    const float64 = { ...mixture, predict: (i: Parameters<typeof mixture.predict>[0]) => mixture.predict(i) };
    const exact = await sample({ ...options, denoiser: float64, engine: referenceEngine(Math.fround) });
    for (const [i, v] of data.entries()) expect(Math.abs(v - (exact.data[i] as number))).toBeLessThan(1e-5);
  });

  it("leaves an output that does not vary as it is", async () => {
    const flat: Denoiser<string> = { prediction: "sample", predict: ({ x }) => new Float32Array(x.length).fill(0.5) };
    const { data } = await sample({ ...run, denoiser: flat, guidanceRescale: 1 });
    expect(data.every((v) => v === 0.5)).toBe(true);
  });

  it("is refused outside 0 to 1", async () => {
    await expect(sample({ ...run, guidanceRescale: 1.5 })).rejects.toThrow('"guidanceRescale"');
  });
});
