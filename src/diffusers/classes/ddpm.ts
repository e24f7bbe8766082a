// DDPM: ancestral steps from each timestep to the next of the list, the last one to the picture.
import * as check from "../../check.ts";
import type { ClassRow } from "../row.ts";
import { denseTimesteps } from "../spacing.ts";
import { discreteLevels, integerTimesteps } from "./discrete.ts";
import { thresholdingOf } from "./thresholding.ts";

const variances = ["fixed_small", "fixed_small_log", "fixed_large"];

/** The other variances, and why not. */
const refused: Readonly<Record<string, string>> = {
  learned: "the network's variance channels are not used here",
  learned_range: "the network's variance channels are not used here",
  fixed_large_log: "diffusers takes the root of a logarithm, which is negative",
};

export const ddpm: ClassRow = {
  takes: ["timesteps"],
  stepTakes: [],
  timetable({ config }, request, tables) {
    const trainSteps = config.num_train_timesteps as number;
    const timesteps =
      integerTimesteps(request, trainSteps) ??
      denseTimesteps(config, check.integer("steps", request.steps, 1, trainSteps));
    // Below 0 is the picture; −1 may be a timestep itself (spacing "trailing"), and the step to it goes to the picture too.
    return discreteLevels(config, tables, timesteps, (t, i) => timesteps[i + 1] ?? Math.min(t - 1, -1));
  },
  method({ config }, _, { timesteps }) {
    const type = check.oneOf("variance_type", config.variance_type, [...variances, ...Object.keys(refused)]);
    if (type in refused) check.wrongValue("variance_type", `one of ${variances.join(", ")}`, type, refused[type]);
    const posterior = {
      ...(type === "fixed_large" && { variance: "large" as const }),
      ...((timesteps.at(-1) as number) <= 0 && { lastDraw: false }),
    };
    return { solver: "ddim", eta: 1, posterior, ...thresholdingOf(config) };
  },
};
