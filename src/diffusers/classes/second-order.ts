// Heun and both KDPM2: two calls a step, the last one to sigma 0 excepted; the network is told where it is called.
import * as check from "../../check.ts";
import type { ClassRow } from "../row.ts";
import { kTimetable, lowEndSquared } from "./k-sigmas.ts";
import { thresholdingOf } from "./thresholding.ts";

export const heun: ClassRow = {
  takes: ["timesteps"],
  stepTakes: [],
  timetable: (settings, request, tables) => kTimetable(settings, request, tables, { second: "end" }),
  method({ config }) {
    check.oneOf("prediction_type", config.prediction_type, ["epsilon", "sample", "v_prediction"]);
    return { solver: "heun", ...thresholdingOf(config) };
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
    method({ config }, _, { levels }, from) {
      check.oneOf("prediction_type", config.prediction_type, ["epsilon", "v_prediction"]);
      if (eta === 1) checkDown(levels.slice(from).map(({ sigma }) => sigma));
      return { solver: "kdpm2", eta };
    },
  };
}

/** Refuses steps whose low end √(t² − up²) diffusers rounds to 0 in float32: its logarithm, and the run, would be no number. */
function checkDown(sigmas: readonly number[]): void {
  for (const [i, s] of sigmas.entries()) {
    const t = sigmas[i + 1] ?? 0;
    if (t > 0 && !(lowEndSquared(s, t) > 0))
      check.wrongValue(
        "steps",
        "steps that end above a thousandth of the sigma at which they start",
        `${t} after ${s}`,
      );
  }
}
