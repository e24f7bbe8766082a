// Timetables of the classes that work with alphas_cumprod at integer timesteps. Time n/M is training timestep n − 1, as in vpDiscrete.
import * as check from "../../check.ts";
import { wasm } from "../../wasm/module.ts";
import { interpolate } from "../arithmetic.ts";
import { truth } from "../construct.ts";
import type { Config } from "../defaults.ts";
import type { Timetable, TimetableRequest } from "../row.ts";
import { givenTimesteps } from "../spacing.ts";
import { type Level, tableSchedule } from "../table-schedule.ts";
import { noiseTables, type TablePrecision } from "../tables.ts";

/**
 * Returns the timetable of steps that go from each timestep to the next one's level, or where `target` says.
 * @param target Returns the timestep at which a step ends; below 0 is the final level
 * @param final alphas_cumprod there, default 1 or the first entry of the table, as set_alpha_to_one says
 * @throws RangeError where a timestep is not in the table.
 */
export function discreteLevels(
  config: Config,
  tables: TablePrecision,
  timesteps: readonly number[],
  target: (timestep: number, index: number) => number,
  final?: 1 | "first",
): Timetable {
  check.oneOf("prediction_type", config.prediction_type, ["epsilon", "sample", "v_prediction"]);
  const { alphasCumprod } = noiseTables(config, tables);
  const count = alphasCumprod.length;
  const signal = (timestep: number): number => {
    // −1, which float stepping may give (spacing "trailing"), is the last entry in Python.
    const ab = alphasCumprod.at(timestep >= -1 ? timestep : count);
    if (Number.isNaN(ab)) {
      const remedy = "the products of these betas vanish before the last one";
      check.wrongValue("rescale_betas_zero_snr", "false", config.rescale_betas_zero_snr, remedy);
    }
    const remedy = "the table of betas is shorter than num_train_timesteps, or steps_offset too large";
    return ab ?? check.wrongValue("timesteps", `timesteps from 0 to ${count - 1}`, timestep, remedy);
  };
  const level = (timestep: number, ab: number): Level => ({
    t: (timestep + 1) / count,
    alpha: Math.sqrt(ab),
    sigma: Math.sqrt(1 - ab),
    told: timestep,
  });
  const { set_alpha_to_one: toOne = true } = config;
  const whole = final === undefined ? truth(toOne) : final === 1;
  const last = whole ? 1 : (alphasCumprod[0] as number);
  const ends = timesteps
    .map((timestep, i) => target(timestep, i))
    .map((end) => level(end, end < 0 ? last : signal(end)));
  const levels = [...timesteps.map((timestep) => level(timestep, signal(timestep))), ends.at(-1) as Level];
  return {
    timesteps,
    sigmas: undefined,
    initNoiseSigma: 1,
    levels,
    arrivals: ends.map((end, i) => (end.alpha === levels[i + 1]?.alpha ? undefined : end)),
    schedule: (from) =>
      tableSchedule("diffusers-discrete", levels.slice(from), {
        at: (t) => {
          const [exact, timestep] = [t * count - 1, Math.round(t * count) - 1];
          // Rounding may have moved the time of an entry; between entries alphas_cumprod is linear.
          if (Math.abs(exact - timestep) > 1e-6) return level(exact, interpolate(alphasCumprod, exact));
          return level(timestep, timestep < 0 ? last : signal(timestep));
        },
        time: (lambda) => {
          const ab = 1 / (1 + wasm().exp(-2 * lambda));
          const n = alphasCumprod.findIndex((entry) => entry <= ab);
          if (n <= 0) return n < 0 ? 1 : 1 / count;
          const [above, below] = [alphasCumprod[n - 1] as number, alphasCumprod[n] as number];
          return (n + (above - ab) / (above - below)) / count;
        },
      }),
  };
}

/** Returns the timesteps of a request that lists them: integers that fall. @throws TypeError, RangeError. */
export function integerTimesteps({ timesteps, steps }: TimetableRequest, trainSteps: number): number[] | undefined {
  if (timesteps === undefined) return undefined;
  if (steps !== undefined) check.wrongValue("steps", "none beside timesteps", steps);
  const list = givenTimesteps(timesteps, trainSteps);
  list.forEach((t, i) => {
    check.integer(`timesteps[${i}]`, t, 0);
  });
  return list;
}
