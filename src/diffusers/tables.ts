// The noise tables of schedulers that were trained on discrete levels: betas, alphas_cumprod, sigmas, in float32 as torch keeps them,
// or in float64.
import * as check from "../check.ts";
import { wasm } from "../wasm/module.ts";
import { exactly, type Rounding, torchLinspace } from "./arithmetic.ts";
import type { Config } from "./config.ts";
import { truth } from "./construct.ts";

/** Precision of the tables: "float32" rounds as diffusers does, "float64" does not. */
export type TablePrecision = "float32" | "float64";

/** Returns how a table of this precision rounds. */
export function rounding(tables: TablePrecision): Rounding {
  return tables === "float32" ? Math.fround : exactly;
}

/** What a class keeps of its betas. */
export interface NoiseTables {
  readonly betas: readonly number[];
  /** alphas_cumprod: the share of signal in the variance at each training timestep. */
  readonly alphasCumprod: readonly number[];
  readonly round: Rounding;
}

/** Returns the betas that a configuration names. */
function betasOf(config: Config, round: Rounding): number[] {
  if (Array.isArray(config.trained_betas)) return (config.trained_betas as number[]).map(round);
  const count = config.num_train_timesteps as number;
  const [start, end] = [config.beta_start as number, config.beta_end as number];
  const rules = ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "exp", "laplace"] as const;
  switch (check.oneOf("beta_schedule", config.beta_schedule, rules)) {
    case "linear":
      return torchLinspace(start, end, count, round);
    case "scaled_linear":
      return torchLinspace(Math.sqrt(start), Math.sqrt(end), count, round).map((x) => round(x * x));
    case "squaredcos_cap_v2":
      return Array.from({ length: count }, (_, i) => round(wasm().cosineBeta(i, count)));
    case "exp":
      return betasOfSignal((t) => wasm().exp(-12 * t), count, round);
    case "laplace":
      return betasOfSignal(laplaceSignal, count, round);
    case "sigmoid":
      return torchLinspace(-6, 6, count, round).map((x) => {
        const share = round(1 / (1 + wasm().exp(-x)));
        return round(round(share * round(end - start)) + round(start));
      });
  }
}

/** Returns betas, at most 0.999, whose products follow a function of the time from 0 to 1. */
function betasOfSignal(signal: (t: number) => number, count: number, round: Rounding): number[] {
  return Array.from({ length: count }, (_, i) =>
    round(Math.min(1 - signal((i + 1) / count) / signal(i / count), 0.999)),
  );
}

/** Returns alpha where lambda is distributed as Laplace's law has it (Hang et al. 2024, arXiv 2407.03297), as diffusers has it. */
function laplaceSignal(t: number): number {
  const log = wasm().log(1 - 2 * Math.abs(0.5 - t) + 1e-6);
  const ratio = wasm().exp((t > 0.5 ? 0.5 : -0.5) * log);
  return Math.sqrt(ratio / (1 + ratio));
}

/** Returns the running products of 1 − beta: kept in double, each entry rounded. */
function products(betas: readonly number[], round: Rounding): number[] {
  let product = 1;
  return betas.map((beta) => {
    product *= round(1 - beta);
    return round(product);
  });
}

/** Returns alphas_cumprod whose last entry is 0 (Lin et al. 2024, arXiv 2305.08891, algorithm 1). */
function zeroTerminalSnr(alphasCumprod: readonly number[], round: Rounding): number[] {
  const roots = alphasCumprod.map((ab) => round(Math.sqrt(ab)));
  const [first, last] = [roots[0] as number, roots.at(-1) as number];
  const factor = round(first / round(first - last));
  return roots.map((root) => {
    const shifted = round(round(root - last) * factor);
    return round(shifted * shifted);
  });
}

/** Returns the betas of these products. */
function betasOfProducts(signal: readonly number[], round: Rounding): number[] {
  return signal.map((ab, i) => round(1 - (i === 0 ? ab : round(ab / (signal[i - 1] as number)))));
}

/**
 * Returns the tables of a configuration.
 * @param lastAlphaCumprod what classes that work with sigmas put in place of alphas_cumprod 0 at zero terminal SNR
 */
export function noiseTables(config: Config, tables: TablePrecision, lastAlphaCumprod?: number): NoiseTables {
  if (config.snr_shift_scale !== undefined) return shiftedTables(config, tables);
  const round = rounding(tables);
  let betas = betasOf(config, round);
  if (truth(config.rescale_betas_zero_snr))
    betas = betasOfProducts(zeroTerminalSnr(products(betas, round), round), round);
  const alphasCumprod = products(betas, round);
  if (truth(config.rescale_betas_zero_snr) && lastAlphaCumprod !== undefined)
    alphasCumprod[alphasCumprod.length - 1] = lastAlphaCumprod;
  return { betas, alphasCumprod, round };
}

/** Returns the tables of CogVideoX: signal-to-noise ratios divided by a factor; scaled_linear betas are in double precision. */
function shiftedTables(config: Config, tables: TablePrecision): NoiseTables {
  const double = config.beta_schedule === "scaled_linear" && !Array.isArray(config.trained_betas);
  const round = rounding(double ? "float64" : tables);
  const scale = check.positive("snr_shift_scale", config.snr_shift_scale);
  const betas = betasOf(config, round);
  const shifted = products(betas, round).map((ab) => round(ab / round(scale + round(round(1 - scale) * ab))));
  const alphasCumprod = truth(config.rescale_betas_zero_snr) ? zeroTerminalSnr(shifted, round) : shifted;
  return { betas, alphasCumprod, round };
}

/** Returns √((1 − ab)/ab) of each entry, rounded like the table. */
function sigmaTable({ alphasCumprod, round }: NoiseTables): number[] {
  return alphasCumprod.map((ab) => round(Math.sqrt(round(round(1 - ab) / ab))));
}

/** Returns the tables of the classes whose time is a sigma: sigmas, their logarithms, and the (fractional) timestep of any. */
export function sigmaTables(config: Config, tables: TablePrecision) {
  const noise = noiseTables(config, tables, 5.9604644775390625e-8); // 2^−24
  const sigmas = sigmaTable(noise);
  const logs = sigmas.map((s) => noise.round(wasm().log(s)));
  return { noise, round: noise.round, table: sigmas, logs, toTimestep: (s: number) => sigmaToTimestep(s, logs) };
}

/** Returns the (fractional) training timestep of a sigma: linear in ln sigma between the entries, clamped to the ends. */
function sigmaToTimestep(sigma: number, logSigmas: readonly number[]): number {
  const log = wasm().log(Math.max(sigma, 1e-10));
  // The last entry that is not above. Tables rise, but at zero terminal SNR the last entry may lie below those before it.
  let low = logSigmas.length - 1;
  while (low > 0 && (logSigmas[low] as number) > log) low--;
  low = Math.min(low, logSigmas.length - 2);
  const [a, b] = [logSigmas[low] as number, logSigmas[low + 1] as number];
  const share = Math.min(Math.max((a - log) / (a - b), 0), 1);
  return (1 - share) * low + share * (low + 1);
}
