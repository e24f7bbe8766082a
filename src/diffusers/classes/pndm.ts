// PNDM, whose first steps take several calls, and IPNDM, which has none of them.
import * as check from "../../check.ts";
import { wasm } from "../../wasm/module.ts";
import { torchLinspace } from "../arithmetic.ts";
import { truth } from "../construct.ts";
import type { ClassRow } from "../row.ts";
import { denseTimesteps } from "../spacing.ts";
import { type Level, tableSchedule } from "../table-schedule.ts";
import { rounding } from "../tables.ts";
import { discreteLevels } from "./discrete.ts";

/** Returns how many calls image to image leaves out, as its pipelines count them: in steps, though the first step has two calls. */
function skipped(count: number, strength: number | undefined, rungeKutta: boolean): number {
  if (strength === undefined) return 0;
  const skip = count - Math.min(Math.floor(count * strength), count);
  if (skip === count) check.wrongValue("strength", `at least 1/${count}, which is one step`, strength);
  if (skip > 0 && rungeKutta) {
    const remedy = "Runge-Kutta steps have no other start; set skip_prk_steps";
    check.wrongValue("strength", "1", strength, remedy);
  }
  return skip;
}

export const pndm: ClassRow = {
  takes: ["strength"],
  stepTakes: [],
  timetable({ config }, { steps, strength }, tables) {
    const trainSteps = config.num_train_timesteps as number;
    const rungeKutta = !truth(config.skip_prk_steps);
    const count = check.integer("steps", steps, rungeKutta ? 4 : 1, trainSteps);
    let grid = denseTimesteps(config, count);
    const ratio = Math.floor(trainSteps / count);
    const half = Math.floor(ratio / 2);
    const skip = skipped(count, strength, rungeKutta);
    let calls = grid.map((t, i) => {
      const next = grid[i + 1] as number;
      if (rungeKutta && i < 3) return [t, next + half, next + half, next];
      return !rungeKutta && i === 0 && count > 1 ? [t, next] : [t];
    });
    if (skip > 0) {
      // What is left of the list is run as a whole one is: the first step twice. The calls after it are one step ahead of the state.
      const [first, second, ...others] = calls.flat().slice(skip) as [number, number, ...number[]];
      calls = [[first, second], ...others.map((t) => [t])];
      grid = [first, ...others];
    }
    // Runge-Kutta steps end where the grid says, all others T // n below.
    const timetable = discreteLevels(config, tables, grid, (t, i) =>
      rungeKutta && i < 3 ? (grid[i + 1] as number) : t - ratio,
    );
    const firstCalls = calls.map((_, i) => calls.slice(0, i).flat().length);
    return { ...timetable, timesteps: calls.flat(), firstCalls };
  },
  method({ config }, { steps, strength }, { levels, timesteps, firstCalls }, from) {
    if (levels[0]?.alpha === 0) {
      const key = Array.isArray(config.trained_betas) ? "trained_betas" : "beta_end";
      check.wrongValue(key, "betas that leave some signal at the first timestep", config[key]);
    }
    if (from > 0) check.wrongValue("startIndex", "0", firstCalls?.[from], "say strength instead");
    const prediction = check.oneOf("prediction_type", config.prediction_type, ["epsilon", "v_prediction"]);
    const rungeKutta = !truth(config.skip_prk_steps);
    const trainSteps = config.num_train_timesteps as number;
    const ratio = Math.floor(trainSteps / (steps as number));
    const table = Array.isArray(config.trained_betas) ? config.trained_betas.length : trainSteps;
    const departures = {
      ...(prediction === "v_prediction" && { velocity: true }),
      stride: ratio / table,
      half: Math.floor(ratio / 2) / table,
      ...(skipped(steps as number, strength, rungeKutta) > 0 && { second: ((timesteps[1] as number) + 1) / table }),
    };
    return { solver: "pndm", start: rungeKutta ? "runge_kutta" : "repeat", lowerOrderFinal: false, departures };
  },
};

const quarter = (turn: number) => wasm().sin((turn * Math.PI) / 2);

export const ipndm: ClassRow = {
  prediction: "v_prediction",
  takes: [],
  stepTakes: [],
  timetable({ config }, { steps }, tables) {
    const round = rounding(tables);
    // A single step would give zeros, whatever the network says.
    const count = check.integer("steps", steps, 2);
    const betas = Array.isArray(config.trained_betas)
      ? (config.trained_betas as number[]).map(round)
      : torchLinspace(1, 0, count + 1, round).map((s) => {
          const sine = round(wasm().sin(round(s * round(Math.PI)) / 2));
          return round(sine * sine);
        });
    const levels = betas.map((sigma): Level => {
      const alpha = round(Math.sqrt(round(1 - round(sigma * sigma))));
      const told = round(round(round(wasm().atan2(sigma, alpha)) / round(Math.PI)) * 2);
      return { t: told, alpha, sigma, told };
    });
    levels.forEach(({ t }, i) => {
      const before = i === 0 ? Infinity : (levels[i - 1] as Level).t;
      if (!(t < before)) check.wrongValue(`trained_betas[${i}]`, "numbers from 0 to 1 that fall", betas[i]);
    });
    if (levels.length < 2) check.wrongValue("trained_betas", "null or at least two numbers", config.trained_betas);
    return {
      timesteps: levels.slice(0, -1).map(({ told }) => told),
      sigmas: undefined,
      initNoiseSigma: 1,
      levels,
      // Time is the angle between signal and noise, in quarter turns.
      schedule: (from) =>
        tableSchedule("diffusers-ipndm", levels.slice(from), {
          at: (t) => ({ t, alpha: quarter(1 - t), sigma: quarter(t), told: t }),
          time: (lambda) => (2 / Math.PI) * wasm().atan2(wasm().exp(-lambda), 1),
        }),
    };
  },
  method: () => ({ solver: "pndm", start: "none", lowerOrderFinal: false, departures: { blind: true } }),
};
