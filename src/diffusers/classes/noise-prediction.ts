// What the classes that can work in noise prediction fail at there.
import * as check from "../../check.ts";
import type { Config } from "../config.ts";
import { truth } from "../construct.ts";

/** Refuses what diffusers has no formula for, or one that does not run. @param other the algorithm that has one */
export function checkNoisePrediction(config: Config, other: string): void {
  const algorithm = config.algorithm_type as string;
  if (config.prediction_type === "flow_prediction")
    check.wrongValue("algorithm_type", `${JSON.stringify(other)} with flow_prediction`, algorithm);
  if (truth(config.thresholding))
    check.wrongValue("thresholding", `false with algorithm_type ${JSON.stringify(algorithm)}`, config.thresholding);
}
