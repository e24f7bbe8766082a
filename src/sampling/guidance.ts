// Classifier-free guidance of a run: which model calls are guided, and how strongly.
import * as check from "../check.ts";
import { modelCalls, type Plan } from "../plan/plan.ts";
import type { Guidance } from "../plan/program.ts";

/** What a run takes of guidance. */
export interface GuidanceOptions {
  /** o = u + scale·(c − u) on the raw outputs: one scale, or one for each model call of the plan; default 1, the conditional output alone. */
  guidanceScale?: number | readonly number[];
  /**
   * Noise levels sigma/alpha, above the first and up to the second, outside which the scale is 1: one pass of the network instead of two.
   * Source: Kynkäänniemi et al. 2024 (arXiv 2404.07724).
   */
  guidanceInterval?: readonly [low: number, high: number];
  /**
   * Share, 0 to 1, by which a guided output gets back the standard deviation of the conditional one, item by item; default 0.
   * Source: Lin et al. 2024 (arXiv 2305.08891), section 3.4.
   */
  guidanceRescale?: number;
}

/** Returns the scales as a list after checking them. */
export function checkScales(value: unknown): number[] {
  const list = Array.isArray(value) || ArrayBuffer.isView(value);
  if (!list) return [check.finite("guidanceScale", value)];
  return Array.from(check.numbers("guidanceScale", value), (w, i) => check.finite(`guidanceScale[${i}]`, w));
}

/**
 * Returns the guidance of a plan's model calls.
 * @throws TypeError, RangeError for a list of another length than the plan's calls, an interval that is none, a share outside 0 … 1.
 */
export function guidanceOf(o: GuidanceOptions, plan: Plan): Guidance {
  const { guidanceScale = 1, guidanceInterval: interval, guidanceRescale: rescale = 0 } = o;
  const given = checkScales(guidanceScale);
  if (typeof guidanceScale !== "number" && given.length !== plan.nfe)
    check.wrongValue("guidanceScale", `one scale, or one for each of ${plan.nfe} model calls`, given.length);
  check.share("guidanceRescale", rescale);
  if (interval === undefined) return { scale: typeof guidanceScale === "number" ? guidanceScale : given, rescale };
  const [low, high] = Array.from(check.numbers("guidanceInterval", interval));
  if (interval.length !== 2 || !((low as number) >= 0) || !((high as number) > (low as number)))
    check.wrongValue("guidanceInterval", "two noise levels sigma/alpha, 0 ≤ low < high", interval);
  const calls = modelCalls(plan);
  const scale = calls.map(({ alpha, sigma }, i) => {
    // sigma ≤ level·alpha rather than a quotient: alpha may be 0.
    const inside = sigma > (low as number) * alpha && (high === Infinity || sigma <= (high as number) * alpha);
    return inside ? (given[i] ?? (given[0] as number)) : 1;
  });
  return { scale, rescale };
}
