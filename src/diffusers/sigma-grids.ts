// Grids of sigmas that reshape a scheduler's own. A configuration's sigma_min and sigma_max decide their ends in every class, also in
// those that have no such argument (diffusers looks into the stored configuration).
import * as check from "../check.ts";
import { wasm } from "../wasm/module.ts";
import { linspace } from "./arithmetic.ts";
import type { Config, Json } from "./defaults.ts";

/** First and last sigma, noise to data. */
export type Ends = readonly [first: number, last: number];

/**
 * Returns the ends of a reshaped grid: those of the stored configuration, else the given ones.
 * @throws TypeError, RangeError for ends that are there and no finite numbers.
 */
export function endsOf(stored: Config, [first, last]: Ends): Ends {
  const { sigma_max: high, sigma_min: low } = stored;
  const end = (name: string, value: Json | undefined, own: number) =>
    value === undefined || value === null ? own : check.finite(name, value);
  return [end("sigma_max", high, first), end("sigma_min", low, last)];
}

/** Returns `steps` sigmas equidistant in sigma^(1/rho) (Karras et al. 2022, arXiv 2206.00364, equation 5). */
export function karrasSigmas([first, last]: Ends, steps: number, rho = 7): number[] {
  return karrasRamp([first, last], linspace(0, 1, steps), rho);
}

/** Returns the same at given positions of the ramp, 0 to 1. */
export function karrasRamp([first, last]: Ends, ramp: readonly number[], rho = 7): number[] {
  const [a, b] = [wasm().pow(first, 1 / rho), wasm().pow(last, 1 / rho)];
  return ramp.map((x) => wasm().pow(a + x * (b - a), rho));
}

/** Returns `steps` sigmas equidistant in ln sigma. */
export function exponentialSigmas([first, last]: Ends, steps: number): number[] {
  return linspace(wasm().log(first), wasm().log(last), steps).map((log) => wasm().exp(log));
}

/**
 * Returns `steps` sigmas spaced as the quantiles of a beta distribution with a = b = 0.6, dense at both ends
 * (Lee et al. 2024, arXiv 2407.12173).
 */
export function betaSigmas([first, last]: Ends, steps: number): number[] {
  return linspace(0, 1, steps).map((x) => last + wasm().betaQuantile(1 - x, 0.6) * (first - last));
}
