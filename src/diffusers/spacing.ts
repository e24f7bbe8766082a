// The three ways in which diffusers spaces training timesteps (Lin et al. 2024, arXiv 2305.08891, table 2), as its classes round them.
import * as check from "../check.ts";
import { roundHalfEven } from "../diffusion/snap.ts";
import { arangeDown, linspace } from "./arithmetic.ts";
import type { Config } from "./defaults.ts";
import type { TimetableRequest } from "./row.ts";

/**
 * Returns the timesteps that end at 0 or `steps_offset`, noise to data: `steps` of them from `steps` + 1 (multistep classes), or all.
 * @param fractional whether timesteps may be no integers
 */
function spaced(config: Config, steps: number, extra: 0 | 1, trainSteps: number, fractional = false): number[] {
  const names = ["linspace", "leading", "trailing"] as const;
  switch (check.oneOf("timestep_spacing", config.timestep_spacing, names)) {
    case "linspace":
      return linspace(0, trainSteps - 1, steps + extra)
        .reverse()
        .slice(0, steps);
    case "leading": {
      const ratio = Math.floor(trainSteps / (steps + extra));
      const kind = fractional ? "a finite number" : "an integer";
      const offset = check.number("steps_offset", config.steps_offset, kind, (v) =>
        fractional ? Number.isFinite(v) : Number.isInteger(v),
      );
      return Array.from({ length: steps }, (_, i) => (steps - 1 - i + extra) * ratio + offset);
    }
    case "trailing":
      return arangeDown(trainSteps, (config.num_train_timesteps as number) / steps).map((t) => roundHalfEven(t) - 1);
  }
}

/** Returns the integer timesteps of DDIM and its like. */
export function denseTimesteps(config: Config, steps: number): number[] {
  return spaced(config, steps, 0, config.num_train_timesteps as number).map(roundHalfEven);
}

/** Returns the timesteps of Euler and its like, fractional where they are spaced linearly. */
export function fractionalTimesteps(config: Config, steps: number): number[] {
  return spaced(config, steps, 0, config.num_train_timesteps as number, true);
}

/** Returns the integer timesteps of the multistep classes, which leave out the last of steps + 1. */
export function multistepTimesteps(config: Config, steps: number, trainSteps: number): number[] {
  return spaced(config, steps, 1, trainSteps).map(roundHalfEven);
}

/** Returns `value` if it is a list of timesteps that fall, each from 0 to below `trainSteps`. */
export function givenTimesteps(value: unknown, trainSteps: number): number[] {
  const list = Array.from(check.numbers("timesteps", value));
  if (list.length === 0) check.wrongValue("timesteps", "at least one timestep", value);
  list.forEach((t, i) => {
    check.number(`timesteps[${i}]`, t, `a number from 0 to ${trainSteps - 1}`, (v) => v >= 0 && v < trainSteps);
    const before = i === 0 ? Infinity : (list[i - 1] as number);
    if (t >= before) check.wrongValue(`timesteps[${i}]`, `less than the timestep before, ${before}`, t);
  });
  return list;
}

/** Refuses a request that says more than one of steps, timesteps and sigmas. */
export function checkAlone(request: TimetableRequest): void {
  const names = (["steps", "timesteps", "sigmas"] as const).filter((name) => request[name] !== undefined);
  if (names.length > 1)
    throw new TypeError(`"${names[1]}": expected one of steps, timesteps and sigmas, got ${names.join(", ")}`);
}
