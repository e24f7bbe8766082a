// DDIM: integer timesteps, levels straight from alphas_cumprod.
import * as check from "../../check.ts";
import type { ClassRow, Settings } from "../row.ts";
import { denseTimesteps } from "../spacing.ts";
import { discreteLevels } from "./discrete.ts";
import { thresholdingOf } from "./thresholding.ts";

export const ddim: ClassRow = {
  takes: [],
  stepTakes: ["eta", "useClippedModelOutput"],
  timetable({ config }: Settings, { steps }, tables) {
    const trainSteps = config.num_train_timesteps as number;
    const count = check.integer("steps", steps, 1, trainSteps);
    const timesteps = denseTimesteps(config, count);
    // The target of a step is T // n below, whatever the spacing.
    const ratio = Math.floor(trainSteps / count);
    return discreteLevels(config, tables, timesteps, (t) => t - ratio);
  },
  method({ config }, { eta = 0, useClippedModelOutput = false }) {
    const thresholding = thresholdingOf(config);
    check.share("eta", eta);
    const clipped = check.boolean("useClippedModelOutput", useClippedModelOutput);
    return { solver: "ddim", eta, ...thresholding, ...(thresholding.thresholding && { rawNoise: !clipped }) };
  },
};

/** CogVideoX's, on its own table; it has arguments for clipping and looks at none. */
export const cogVideoXDdim: ClassRow = { ...ddim, stepTakes: [], method: () => ({ solver: "ddim" }) };
