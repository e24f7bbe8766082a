// What becomes of x₀ before a step uses it.
import { truth } from "../construct.ts";
import type { Json } from "../defaults.ts";
import type { Method } from "../row.ts";

/**
 * Returns the thresholding of a configuration: dynamic, whose quantile diffusers clamps to 1 … sample_max_value, wins over
 * `clip_sample`, which clamps to ± clip_sample_range.
 */
export function thresholdingOf(config: Readonly<Record<string, Json>>): Pick<Method, "thresholding"> {
  if (truth(config.thresholding)) {
    const [ratio, limit] = [config.dynamic_thresholding_ratio as number, config.sample_max_value as number];
    return { thresholding: { ratio, maxValue: 1, limit } };
  }
  if (!truth(config.clip_sample)) return {};
  const range = config.clip_sample_range as number;
  return { thresholding: { ratio: 0, maxValue: range, limit: range } };
}
