// What becomes of x₀ before a step uses it.
import * as check from "../../check.ts";
import { truth } from "../construct.ts";
import type { Config } from "../defaults.ts";
import type { Method } from "../row.ts";

/**
 * Returns the thresholding of a configuration: dynamic, whose quantile diffusers clamps to 1 … sample_max_value (null: no end), wins over
 * `clip_sample`, which clamps to ± clip_sample_range.
 * @throws TypeError, RangeError for what no state can be clamped to.
 */
export function thresholdingOf(config: Config): Pick<Method, "thresholding"> {
  if (truth(config.thresholding)) {
    const ratio = check.share("dynamic_thresholding_ratio", config.dynamic_thresholding_ratio);
    const { sample_max_value: most } = config;
    const limit = most === null ? {} : { limit: check.positive("sample_max_value", most) };
    return { thresholding: { ratio, maxValue: 1, ...limit } };
  }
  if (!truth(config.clip_sample)) return {};
  const range = check.positive("clip_sample_range", config.clip_sample_range);
  return { thresholding: { ratio: 0, maxValue: range, limit: range } };
}
