// The exact denoiser of a Gaussian mixture: the test bed whose answers are known.
// For data Σ_k w_k N(μ_k, s_k² I) and x = alpha·x₀ + sigma·ε, component k of x has mean alpha·μ_k and variance v_k = alpha² s_k² + sigma²,
// its responsibility is r_k ∝ w_k N(x; alpha·μ_k, v_k I), and E[x₀ | x] = Σ r_k (μ_k + alpha s_k²/v_k (x − alpha μ_k)).
import * as check from "../check.ts";
import { predictionTypes } from "../diffusion/prediction.ts";
import { checkSchedule, type NoiseSchedule } from "../diffusion/schedule.ts";
import { wasm } from "../wasm/module.ts";
import type { Denoiser, PredictionType } from "./denoiser.ts";

export interface MixtureOptions {
  schedule: NoiseSchedule;
  /** One mean per component, each as long as an item. */
  means: number[][];
  /** Isotropic standard deviation of each component, ≥ 0; 0 is a point. */
  std: number[];
  /** Weights > 0, not necessarily of sum 1. */
  weights: number[];
  /** Label of each component; default: component k has label k. */
  labels?: number[];
  /** Default "epsilon". */
  prediction?: PredictionType;
}

/**
 * Returns the exact denoiser of a Gaussian mixture. `condition` is one component label per batch item; −1, or no condition, means all
 * components.
 * @throws TypeError, RangeError; `predict` throws RangeError for a label without a component and for items of another size.
 */
export function mixtureDenoiser(o: MixtureOptions): Denoiser<readonly number[]> {
  const names = ["schedule", "means", "std", "weights", "labels", "prediction"];
  const given = check.options<MixtureOptions>("mixtureDenoiser", o, names);
  for (const name of ["schedule", "means", "std", "weights"] as const) {
    if (given[name] === undefined) throw new TypeError(`"${name}": required`);
  }
  const schedule = checkSchedule(given.schedule, "schedule");
  const { prediction: output = "epsilon" } = given;
  const prediction = check.oneOf("prediction", output, predictionTypes);
  if (!Array.isArray(given.means)) check.wrongType("means", "an array with one mean per component", given.means);
  if (given.means.length === 0) check.wrongValue("means", "at least one component", given.means);
  const means = given.means.map((mean, k) => {
    const values = Float64Array.from(check.numbers(`means[${k}]`, mean), (v, i) =>
      check.finite(`means[${k}][${i}]`, v),
    );
    const length = given.means?.[0]?.length;
    if (values.length === 0) check.wrongValue(`means[${k}]`, "at least one number", mean);
    if (values.length !== length) check.wrongValue(`means[${k}]`, `${length} numbers`, mean);
    return values;
  });
  const perComponent = (name: string, value: unknown, one: (name: string, v: unknown) => number): number[] => {
    const list = check.numbers(name, value);
    if (list.length !== means.length) check.wrongValue(name, `one number per component, ${means.length}`, value);
    return Array.from(list, (v, k) => one(`${name}[${k}]`, v));
  };
  const std = perComponent("std", given.std, check.notNegative);
  const weights = perComponent("weights", given.weights, check.positive);
  const all = means.map((_, k) => k);
  const label = (name: string, v: unknown) => check.integer(name, v, 0);
  const labels = given.labels === undefined ? all : perComponent("labels", given.labels, label);
  const dims = (means[0] as Float64Array).length;
  const componentsOf = (label: number, name: string): number[] => {
    const found = label === -1 ? all : all.filter((k) => labels[k] === label);
    if (found.length === 0) {
      check.wrongValue(name, `-1 or one of the labels ${[...new Set(labels)].join(", ")}`, label);
    }
    return found;
  };

  return {
    prediction,
    predict({ x, shape, t, condition }) {
      const batch = shape[0] as number;
      if (x.length !== batch * dims) {
        throw new RangeError(`"shape": expected items of ${dims} numbers, as the means have, got ${x.length / batch}`);
      }
      if (condition !== undefined && check.numbers("condition", condition).length !== batch) {
        check.wrongValue("condition", `one label per batch item, ${batch}`, condition);
      }
      const { exp, log } = wasm();
      const [alpha, sigma] = [schedule.alpha(t), schedule.sigma(t)];
      const variance = std.map((s) => alpha * alpha * s * s + sigma * sigma);
      const out = x.slice();
      const clean = new Float64Array(dims);
      for (let item = 0; item < batch; item++) {
        const components = componentsOf(condition?.[item] ?? -1, `condition[${item}]`);
        const state = x.subarray(item * dims, (item + 1) * dims);
        const logs = components.map((k) => {
          const [mean, v] = [means[k] as Float64Array, variance[k] as number];
          let distance = 0;
          for (let i = 0; i < dims; i++) {
            const d = (state[i] as number) - alpha * (mean[i] as number);
            distance += d * d;
          }
          return log(weights[k] as number) - (distance / v + dims * log(v)) / 2;
        });
        const most = logs.reduce((a, b) => Math.max(a, b), -Infinity);
        const relative = logs.map((l) => exp(l - most));
        const total = relative.reduce((a, b) => a + b, 0);
        clean.fill(0);
        for (const [j, k] of components.entries()) {
          const [mean, v, s] = [means[k] as Float64Array, variance[k] as number, std[k] as number];
          const r = (relative[j] as number) / total;
          const shrink = (alpha * (s * s)) / v;
          for (let i = 0; i < dims; i++) {
            const m = mean[i] as number;
            clean[i] = (clean[i] as number) + r * (m + shrink * ((state[i] as number) - alpha * m));
          }
        }
        for (let i = 0; i < dims; i++) {
          out[item * dims + i] = express(prediction, state[i] as number, clean[i] as number, alpha, sigma);
        }
      }
      return out;
    },
  };
}

/** Returns x₀ as the parameterisation writes it; ε = (x − alpha·x₀)/sigma. */
function express(prediction: PredictionType, x: number, x0: number, alpha: number, sigma: number): number {
  const epsilon = (x - alpha * x0) / sigma;
  switch (prediction) {
    case "sample":
      return x0;
    case "epsilon":
      return epsilon;
    case "v_prediction":
      return alpha * epsilon - sigma * x0;
    case "score":
      return -epsilon / sigma;
    case "flow_prediction":
      return epsilon - x0;
  }
}
