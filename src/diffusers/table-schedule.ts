// The noise schedule that a scheduler's timetable is: levels by name, and what lies between them.
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import { wasm } from "../wasm/module.ts";
import { exactly } from "./arithmetic.ts";

/** A noise level: x = alpha·x₀ + sigma·ε at time t, where the network is told `told`. */
export interface Level {
  readonly t: number;
  readonly alpha: number;
  readonly sigma: number;
  readonly told: number;
}

/** How levels follow from a sigma that is the time: "vp" has alpha = 1/√(1 + s²), "ve" 1, "flow" 1 − s; sigma is s·alpha, s, s. */
export type SigmaFamily = "vp" | "ve" | "flow";

/** Returns alpha and sigma of a sigma; `round` is for those that are kept in a table's precision. */
export function familyLevel(family: SigmaFamily, s: number, round = exactly): { alpha: number; sigma: number } {
  switch (family) {
    case "vp": {
      const alpha = round(1 / round(Math.sqrt(round(round(s * s) + 1))));
      return { alpha, sigma: round(s * alpha) };
    }
    case "ve":
      return { alpha: 1, sigma: s };
    case "flow":
      return { alpha: round(1 - s), sigma: s };
  }
}

/** 2^−30: far below any step, far above the rounding of a time. */
export const hair = 9.313225746154785e-10;

/** What a schedule of levels needs beside them. */
export interface Between {
  /** Returns the level of a time that is none of the named ones. */
  at(t: number): Level;
  /** Returns the time of a half log-SNR. */
  time(lambda: number): number;
  /** Factor of the network's input at a level, default 1. */
  input?(level: Level): number;
  readonly sigmaData?: number;
}

/** Returns the schedule of the levels, noise to data, whose times fall. */
export function tableSchedule(kind: string, levels: readonly Level[], between: Between): NoiseSchedule {
  const named = new Map(levels.map((level) => [level.t, level]));
  const at = (t: number) => named.get(t) ?? between.at(t);
  const { input, sigmaData } = between;
  return Object.freeze({
    kind,
    tMin: (levels.at(-1) as Level).t,
    tMax: (levels[0] as Level).t,
    alpha: (t: number) => at(t).alpha,
    sigma: (t: number) => at(t).sigma,
    lambda: (t: number) => {
      const { alpha, sigma } = at(t);
      return sigma === 0 ? Infinity : alpha === 0 ? -Infinity : wasm().log(alpha / sigma);
    },
    time: between.time,
    modelTime: (t: number) => at(t).told,
    ...(input === undefined ? {} : { input: (t: number) => input(at(t)) }),
    ...(sigmaData === undefined ? {} : { sigmaData }),
  });
}

/** Returns what lies between the levels of a class whose time is sigma; `told` says what the network hears at a sigma. */
export function betweenSigmas(
  family: SigmaFamily,
  told: (sigma: number) => number,
  rest: Pick<Between, "input" | "sigmaData"> = {},
): Between {
  return {
    at: (t) => ({ t, ...familyLevel(family, t), told: told(t) }),
    time: (lambda) => (family === "flow" ? 1 / (1 + wasm().exp(lambda)) : wasm().exp(-lambda)),
    ...rest,
  };
}

/**
 * Returns the levels of a list of sigmas, the last one included. Their times are the sigmas; where one is said twice, its second name
 * is a hair lower, so that times fall.
 * @param repeats whether a sigma may be said twice before the end; the last one always may
 * @throws RangeError where sigmas do not fall.
 */
export function sigmaLevels(
  family: SigmaFamily,
  sigmas: readonly number[],
  told: readonly number[],
  repeats: boolean,
): Level[] {
  let time = Infinity;
  return sigmas.map((s, i) => {
    const before = i === 0 ? Infinity : (sigmas[i - 1] as number);
    const repeated = s === before && (repeats || i === sigmas.length - 1);
    if (!(s < before || repeated) || s < 0) {
      throw new RangeError(
        `"sigmas": expected sigmas that fall from noise to data, got ${s} after ${before} at index ${i}; use fewer steps or another grid`,
      );
    }
    time = repeated ? time * (1 - hair) : s;
    return { t: time, ...familyLevel(family, s), told: told[i] ?? 0 };
  });
}
