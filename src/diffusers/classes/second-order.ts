// Heun and both KDPM2: two calls a step, the last one to sigma 0 excepted; the network is told where it is called.
import * as check from "../../check.ts";
import { truth } from "../construct.ts";
import type { ClassRow } from "../row.ts";
import { kTimetable } from "./k-sigmas.ts";

export const heun: ClassRow = {
  takes: ["timesteps"],
  stepTakes: [],
  timetable: (settings, request, tables) => kTimetable(settings, request, tables, { second: "end" }),
  method({ config }) {
    check.oneOf("prediction_type", config.prediction_type, ["epsilon", "sample", "v_prediction"]);
    if (!truth(config.clip_sample)) return { solver: "heun" };
    const range = check.positive("clip_sample_range", config.clip_sample_range);
    return { solver: "heun", thresholding: { ratio: 0, maxValue: range, limit: range } };
  },
};

export const kdpm2 = kdpm2Row(0);
export const kdpm2Ancestral = kdpm2Row(1);

function kdpm2Row(eta: 0 | 1): ClassRow {
  return {
    takes: [],
    stepTakes: [],
    timetable: (settings, request, tables) =>
      kTimetable(settings, request, tables, { second: "middle", ancestral: eta === 1 }),
    method({ config }) {
      check.oneOf("prediction_type", config.prediction_type, ["epsilon", "v_prediction"]);
      return { solver: "kdpm2", eta };
    },
  };
}
