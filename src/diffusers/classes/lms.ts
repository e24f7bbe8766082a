// LMS: Adams-Bashforth in variance exploding space.
import * as check from "../../check.ts";
import type { ClassRow } from "../row.ts";
import { kTimetable } from "./k-sigmas.ts";

export const lms: ClassRow = {
  takes: [],
  stepTakes: ["order"],
  timetable: (settings, request, tables) => kTimetable(settings, request, tables, { ownEnds: true }),
  method({ config }, { order: given = 4 }, { levels }, from) {
    check.oneOf("prediction_type", config.prediction_type, ["epsilon", "sample", "v_prediction"]);
    const order = check.integer("order", given, 1);
    if (order > 1 && from > 0) {
      const remedy = "diffusers weighs outputs of the steps before, which such a run does not have";
      check.wrongValue("startIndex", "0 with an order above 1", from, remedy);
    }
    const again = levels.findIndex(({ sigma }, i) => i > 0 && sigma === levels[i - 1]?.sigma);
    if (order > 1 && again > 0) {
      const remedy = "outputs at one sigma have no polynomial; use order 1, or fewer steps";
      check.wrongValue(`sigmas[${again}]`, "a sigma other than the one before", levels[again]?.sigma, remedy);
    }
    return { solver: "lms", order, lowerOrderFinal: false };
  },
};
