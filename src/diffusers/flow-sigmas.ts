// Sigmas of rectified flow as the variance preserving classes make them (`use_flow_sigmas`), with their shifts.
import * as check from "../check.ts";
import { wasm } from "../wasm/module.ts";
import { linspace } from "./arithmetic.ts";
import type { Config } from "./config.ts";
import { truth } from "./construct.ts";
import type { TimetableRequest } from "./row.ts";

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
  const shiftBy = (shift: number) => (s: number) => (shift * s) / (1 + (shift - 1) * s);
  const fixed = () => check.positive("flow_shift", config.flow_shift);
  if (!own) {
    if (mu !== undefined && !(dynamic && config.time_shift_type === "exponential"))
      throw new TypeError('"mu": expected none without use_dynamic_shifting and time_shift_type "exponential"');
    return () => {
      const shift = shiftBy(mu === undefined ? fixed() : wasm().exp(mu));
      const rising = linspace(1, 1 / trainSteps, steps + 1).map((alpha) => shift(1 - alpha));
      return rising.reverse().slice(0, -1);
    };
  }
  if (dynamic && mu === undefined) throw new TypeError('"mu": required, the configuration has use_dynamic_shifting');
  return () => {
    const unshifted =
      given === undefined
        ? linspace(1, 1 / trainSteps, steps + 1).slice(0, -1)
        : Array.from(check.numbers("sigmas", given), (s, i) =>
            check.number(`sigmas[${i}]`, s, "a number > 0, at most 1", (s) => s > 0 && s <= 1),
          );
    const kind = dynamic ? check.oneOf("time_shift_type", config.time_shift_type, ["exponential", "linear"]) : "fixed";
    const factor = kind === "exponential" ? wasm().exp(mu as number) : (mu as number);
    if (kind === "linear") check.positive("mu", mu);
    const shift = kind === "fixed" ? shiftBy(fixed()) : (s: number) => factor / (factor + (1 / s - 1));
    let sigmas = unshifted.map(shift);
    if (truth(config.shift_terminal)) {
      // Stretched so that the last one is shift_terminal.
      const terminal = check.number("shift_terminal", config.shift_terminal, "a number below 1", (v) => v < 1);
      const scale = (1 - (sigmas.at(-1) as number)) / (1 - terminal);
      if (scale === 0) check.wrongValue("shift_terminal", "null for one step from 1", terminal);
      sigmas = sigmas.map((s) => 1 - (1 - s) / scale);
    }
    // Kept a millionth from 1, where lambda is infinite.
    return sigmas.map((s, i) => (i === 0 && Math.abs(s - 1) < 1e-6 ? s - 1e-6 : s));
  };
}
