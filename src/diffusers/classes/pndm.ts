// PNDM, whose first steps take several calls, and IPNDM, which has none of them.
import * as check from "../../check.ts";
import { wasm } from "../../wasm/module.ts";
import { torchLinspace } from "../arithmetic.ts";
import { truth } from "../construct.ts";
import type { ClassRow } from "../row.ts";
import { denseTimesteps } from "../spacing.ts";
import { betweenSigmas, type Level, tableSchedule } from "../table-schedule.ts";
import { rounding } from "../tables.ts";
import { discreteLevels } from "./discrete.ts";

export const pndm: ClassRow = {
  takes: [],
  stepTakes: [],
  timetable({ config }, { steps }, tables) {
    const trainSteps = config.num_train_timesteps as number;
    const rungeKutta = !truth(config.skip_prk_steps);
    const count = check.integer("steps", steps, rungeKutta ? 4 : 1, trainSteps);
    const grid = denseTimesteps(config, count);
    const ratio = Math.floor(trainSteps / count);
    const half = Math.floor(ratio / 2);
    // Runge-Kutta steps end where the grid says, all others T // n below.
    const timetable = discreteLevels(config, tables, grid, (t, i) =>
      rungeKutta && i < 3 ? (grid[i + 1] as number) : t - ratio,
    );
    const calls = grid.map((t, i) => {
      const next = grid[i + 1] as number;
      if (rungeKutta && i < 3) return [t, next + half, next + half, next];
      return !rungeKutta && i === 0 && count > 1 ? [t, next] : [t];
    });
    const firstCalls = calls.map((_, i) => calls.slice(0, i).flat().length);
    return { ...timetable, timesteps: calls.flat(), firstCalls };
  },
  method({ config }, { steps }, { levels }, from) {
    if (levels[0]?.alpha === 0) {
      const key = Array.isArray(config.trained_betas) ? "trained_betas" : "beta_end";
      check.wrongValue(key, "betas that leave some signal at the first timestep", config[key]);
    }
    if (from > 0) {
      const remedy = 'its lists of calls fit no other start; take another class, for example by to("DDIMScheduler")';
      check.wrongValue("startIndex", "0", from, remedy);
    }
    const prediction = check.oneOf("prediction_type", config.prediction_type, ["epsilon", "v_prediction"]);
    const trainSteps = config.num_train_timesteps as number;
    const ratio = Math.floor(trainSteps / (steps as number));
    const departures = {
      ...(prediction === "v_prediction" && { velocity: true }),
      stride: ratio / trainSteps,
      half: Math.floor(ratio / 2) / trainSteps,
    };
    const start = truth(config.skip_prk_steps) ? "repeat" : "runge_kutta";
    return { solver: "pndm", start, lowerOrderFinal: false, departures };
  },
};

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
      schedule: (from) =>
        tableSchedule(
          "diffusers-ipndm",
          levels.slice(from),
          betweenSigmas("vp", (s) => s),
        ),
    };
  },
  method: () => ({ solver: "pndm", start: "none", lowerOrderFinal: false, departures: { blind: true } }),
};
