// UniPC, whose every step but the last is corrected.
import * as check from "../../check.ts";
import { truth } from "../construct.ts";
import type { ClassRow } from "../row.ts";
import { sigmaTimetable } from "../sigma-timetable.ts";
import type { Level } from "../table-schedule.ts";
import { thresholdingOf } from "./thresholding.ts";

export const unipcMultistep: ClassRow = {
  takes: ["sigmas", "mu"],
  stepTakes: [],
  timetable: (settings, request, tables) =>
    sigmaTimetable(settings, request, tables, {
      roundsLevels: truth(settings.config.predict_x0),
      final: "grid",
      repeats: settings.config.solver_order === 1,
      ownFlow: true,
    }),
  method({ config }, _step, { levels }, from) {
    const order = check.integer("solver_order", config.solver_order, 1);
    const variant = config.solver_type as "bh1" | "bh2";
    const data = truth(config.predict_x0);
    const final = config.final_sigmas_type;
    if (config.solver_p !== null)
      check.wrongValue("solver_p", "null", config.solver_p, "a predictor of another class is not supported");
    if (!data && config.prediction_type === "flow_prediction")
      check.wrongValue("predict_x0", "true with flow", config.predict_x0);
    // At sigma 0 a step is infinite in lambda, and diffusers has infinities times 0.
    if (final === "zero" && !data) check.wrongValue("predict_x0", 'true, or final_sigmas_type "sigma_min"', false);
    if (final === "zero" && variant === "bh1")
      check.wrongValue("solver_type", '"bh2", or final_sigmas_type "sigma_min"', variant);
    const lowerOrderFinal = truth(config.lower_order_final);
    const last = lowerOrderFinal ? 1 : Math.min(order, levels.length - 1 - from);
    const [before, end] = levels.slice(-2) as [Level, Level];
    if (last > (end.sigma === 0 ? 1 : end.sigma === before.sigma ? 2 : order))
      check.wrongValue("lower_order_final", "true with this grid and order", config.lower_order_final);
    const indices = Array.from(check.numbers("disable_corrector", config.disable_corrector));
    return {
      ...{ solver: "unipc", order, variant, lowerOrderFinal, predict: data ? "sample" : "epsilon" },
      disableCorrector: indices
        .map((k) => k - from)
        .filter((k) => Number.isInteger(k) && k >= 0 && k < levels.length - 1 - from),
      // With noise prediction thresholding is an argument that diffusers does not look at.
      ...(data ? thresholdingOf(config) : {}),
    };
  },
};
