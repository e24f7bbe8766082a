// Plans of every kind on one grid, a network with an exact answer, and comparison of bits.
import { expect } from "vitest";
import { createPlan, type Denoiser, mixtureDenoiser, type Plan, type PlanOptions, vpLinear } from "../../src/index.ts";

export const schedule = vpLinear();
/** Numbers of an item: odd, so that items are not aligned to vectors. */
export const dims = 13;

const spread = (offset: number) => Array.from({ length: dims }, (_, i) => Math.sin(i * 1.7 + offset) * 2);
const components = { means: [spread(0), spread(1), spread(2)], std: [0.2, 0.5, 1], weights: [1, 2, 1] };
export const mixture = (prediction: NonNullable<Parameters<typeof mixtureDenoiser>[0]["prediction"]>) =>
  mixtureDenoiser({ schedule, ...components, prediction });

const steps = 6;
const ratios = [1, 1, 0.9, 1.2, 0.8, 1.1];
const thresholding = { ratio: 0.8, maxValue: 1.5 };

/** What tells plans apart beside schedule and steps. */
export const variety: readonly Omit<PlanOptions, "schedule">[] = [
  {},
  { order: 1 },
  { order: 3, variant: "bh1" },
  { order: 4, lowerOrderFinal: false },
  { corrector: false },
  { order: 3, disableCorrector: [0, 3] },
  { predict: "epsilon" },
  { order: 3, ratios },
  { predict: "epsilon", ratios, thresholding },
  { solver: "dpmpp", order: 1 },
  { solver: "dpmpp" },
  { solver: "dpmpp", order: 3, ratios, dcOrder: 1 },
  { solver: "dpmpp", predict: "epsilon", thresholding },
  { solver: "ddim" },
  { solver: "ddim", eta: 1 },
  { solver: "ddim", eta: 0.5, predict: "epsilon", ratios },
  { solver: "ddim", eta: 0.3, thresholding },
];

export const plans: readonly (readonly [title: string, plan: Plan])[] = variety.map((options) => [
  JSON.stringify(options),
  createPlan({ schedule, steps, ...options }),
]);

/** Whether a step of the plan ends with a corrector, by what the documentation says of its options. */
export function isCorrected({ options: { solver, corrector, disableCorrector }, steps }: Plan, k: number): boolean {
  return solver === "unipc" && corrector === true && k < steps.length - 1 && !disableCorrector?.includes(k);
}

/** A network that gives x₀ as some function of x and t, and writes down its calls. */
export function recorder(): Denoiser & { readonly calls: { t: number; x: Float32Array; output: Float32Array }[] } {
  const calls: { t: number; x: Float32Array; output: Float32Array }[] = [];
  return {
    calls,
    prediction: "sample",
    predict({ x, t }) {
      const output = x.map((v, i) => 2 * Math.sin(v * (1 - t) + i));
      calls.push({ t, x: x.slice(), output: output.slice() });
      return output;
    },
  };
}

export const bits = (values: Float32Array): Uint32Array => new Uint32Array(values.slice().buffer);

/** Checks that two tensors are the same, bit for bit. */
export function expectBits(actual: Float32Array, expected: Float32Array): void {
  expect(bits(actual)).toEqual(bits(expected));
}

/** Checks that two tensors differ by less than `tolerance` everywhere; NaN is no small difference. */
export function expectClose(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const far = Array.from(actual, (v, i) => Math.abs(v - (expected[i] as number))).filter((d) => !(d < tolerance));
  expect(far).toEqual([]);
}
