// Sigmas of rectified flow as the variance preserving classes make them (`use_flow_sigmas`), with their shifts.
import * as check from "../check.ts";
import { wasm } from "../wasm/module.ts";
import { exactly, linspace, type Rounding } from "./arithmetic.ts";
import type { Config } from "./config.ts";
import { truth } from "./construct.ts";
import type { TimetableRequest } from "./row.ts";

/** Returns how sigmas are shifted by a factor (Esser et al. 2024, arXiv 2403.03206, equation 23), in the precision in which they are kept. */
export function fixedShift(shift: number, round: Rounding): (sigma: number) => number {
  const [f, less] = [round(shift), round(shift - 1)];
  return (s) => round(round(f * s) / round(1 + round(less * s)));
}

/** Returns how sigmas are shifted by `mu`, as `time_shift_type` says. */
export function dynamicShift(config: Config, mu: number | undefined, round: Rounding): (sigma: number) => number {
  if (mu === undefined) throw new TypeError('"mu": required, the configuration has use_dynamic_shifting');
  const kind = check.oneOf("time_shift_type", config.time_shift_type, ["exponential", "linear"]);
  const f = round(kind === "exponential" ? wasm().exp(mu) : check.positive("mu", mu));
  return (s) => round(f / round(f + round(round(1 / s) - 1)));
}

/** Returns the sigmas stretched so that the last one is `shift_terminal`, if the configuration has one. */
export function stretched(config: Config, sigmas: readonly number[], round: Rounding): readonly number[] {
  if (!truth(config.shift_terminal)) return sigmas;
  const terminal = check.number("shift_terminal", config.shift_terminal, "a number below 1", (v) => v < 1);
  const scale = round(round(1 - (sigmas.at(-1) as number)) / round(1 - terminal));
  const remedy = "the last sigma is 1, which cannot be stretched; use more steps";
  if (scale === 0) check.wrongValue("shift_terminal", "null", terminal, remedy);
  return sigmas.map((s) => round(1 - round(round(1 - s) / scale)));
}

/**
 * Checks `mu`, and returns how to make `steps` sigmas below 1, noise to data.
 * @param own whether the class starts at 1 and shifts like FlowMatchEuler (UniPC), or leaves out 0 and takes mu for flow_shift
 */
export function flowSigmas(
  config: Config,
  { mu, sigmas: given }: TimetableRequest,
  steps: number,
  own: boolean,
): () => number[] {
  const dynamic = truth(config.use_dynamic_shifting);
  if (mu !== undefined) check.finite("mu", mu);
  const trainSteps = config.num_train_timesteps as number;
  const fixed = () => check.positive("flow_shift", config.flow_shift);
  if (!own) {
    if (mu !== undefined && !(dynamic && config.time_shift_type === "exponential"))
      throw new TypeError('"mu": expected none without use_dynamic_shifting and time_shift_type "exponential"');
    return () => {
      const shift = fixedShift(mu === undefined ? fixed() : wasm().exp(mu), exactly);
      const rising = linspace(1, 1 / trainSteps, steps + 1).map((alpha) => shift(1 - alpha));
      return rising.reverse().slice(0, -1);
    };
  }
  const shifted = dynamic ? dynamicShift(config, mu, exactly) : undefined;
  return () => {
    const shift = shifted ?? fixedShift(fixed(), exactly);
    const unshifted =
      given === undefined
        ? linspace(1, 1 / trainSteps, steps + 1).slice(0, -1)
        : Array.from(check.numbers("sigmas", given), (s, i) =>
            check.number(`sigmas[${i}]`, s, "a number > 0, at most 1", (s) => s > 0 && s <= 1),
          );
    const sigmas = stretched(config, unshifted.map(shift), exactly);
    // Kept a millionth from 1, where lambda is infinite.
    return sigmas.map((s, i) => (i === 0 && Math.abs(s - 1) < 1e-6 ? s - 1e-6 : s));
  };
}
