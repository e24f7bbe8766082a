// DEIS multistep: the solver deis in noise prediction.
import * as check from "../../check.ts";
import { truth } from "../construct.ts";
import type { ClassRow } from "../row.ts";
import { sigmaTimetable } from "../sigma-timetable.ts";
import { thresholdingOf } from "./thresholding.ts";

export const deisMultistep: ClassRow = {
  takes: ["mu"],
  stepTakes: [],
  timetable: (settings, request, tables) =>
    sigmaTimetable(settings, request, tables, { final: "grid", repeats: settings.config.solver_order === 1 }),
  method: ({ config }, _step, { timesteps }) => ({
    solver: "deis",
    // A higher order is never reached.
    order: Math.min(check.integer("solver_order", config.solver_order, 1), 3),
    predict: "epsilon",
    // By the length of the whole list, wherever a run starts.
    lowerOrderFinal: truth(config.lower_order_final) && timesteps.length < 15,
    ...thresholdingOf(config),
  }),
};
