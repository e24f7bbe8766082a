// SA-Solver, whose tau is 1 at timesteps 200 … 800 and 0 elsewhere: another function cannot be in a file.
import * as check from "../../check.ts";
import { truth } from "../construct.ts";
import type { ClassRow } from "../row.ts";
import { sigmaTimetable } from "../sigma-timetable.ts";
import { checkNoisePrediction } from "./noise-prediction.ts";
import { thresholdingOf } from "./thresholding.ts";

export const saSolver: ClassRow = {
  takes: [],
  stepTakes: [],
  timetable: (settings, request, tables) => {
    const { predictor_order: predictor, corrector_order: corrector, algorithm_type: algorithm } = settings.config;
    const data = algorithm === "data_prediction";
    return sigmaTimetable(settings, request, tables, {
      final: "grid",
      repeats: predictor === 1 && corrector === 1,
      roundsLevels: data,
    });
  },
  method({ config }, _step, { timesteps, levels }, from) {
    if (levels.at(-1)?.sigma === 0) {
      const key = Array.isArray(config.trained_betas) ? "trained_betas" : "beta_start";
      const remedy = "a first beta of 0 leaves no noise at the end, where diffusers has infinities times 0";
      check.wrongValue(key, "a first beta > 0", config[key], remedy);
    }
    if (config.tau_func !== null) check.wrongValue("tau_func", "null", config.tau_func);
    const data = config.algorithm_type === "data_prediction";
    if (!data) checkNoisePrediction(config, "data_prediction");
    const lowerOrderFinal = truth(config.lower_order_final);
    const steps = timesteps.length - from;
    /** Returns an order that a run reaches, from the longest history of which the end leaves something. */
    const order = (key: string, history: number) => {
      const given = check.integer(key, config[key], 1);
      if (Math.min(given, history) > 4) check.wrongValue(key, "an integer from 1 to 4", given);
      return Math.min(given, 4);
    };
    return {
      ...{ solver: "sa", lowerOrderFinal, predict: data ? "sample" : "epsilon" },
      order: order("predictor_order", lowerOrderFinal ? (steps + 1) >> 1 : steps),
      correctorOrder: order("corrector_order", lowerOrderFinal ? (steps + 3) >> 1 : steps),
      tau: [[200, 800, 1]],
      ...thresholdingOf(config),
    };
  },
};
