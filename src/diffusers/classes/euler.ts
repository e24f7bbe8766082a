// Euler and Euler ancestral: DDIM in variance exploding space, the ancestral one with all of its noise drawn afresh.
import * as check from "../../check.ts";
import type { Churn } from "../../plan/plan.ts";
import type { ClassRow, Method, StepRequest, Timetable } from "../row.ts";
import { kTimetable } from "./k-sigmas.ts";

export const euler: ClassRow = {
  takes: ["timesteps", "sigmas"],
  stepTakes: ["sChurn", "sTmin", "sTmax", "sNoise"],
  timetable: (settings, request, tables) => kTimetable(settings, request, tables, {}),
  method({ config }, step, timetable, from) {
    const names = ["epsilon", "sample", "original_sample", "v_prediction"] as const;
    const named = check.oneOf("prediction_type", config.prediction_type, names);
    return churned(step, timetable, from, named === "original_sample" ? "sample" : named);
  },
};

export const eulerAncestral: ClassRow = {
  takes: [],
  stepTakes: [],
  timetable: (settings, request, tables) => kTimetable(settings, request, tables, { ancestral: true }),
  method({ config }) {
    check.oneOf("prediction_type", config.prediction_type, ["epsilon", "v_prediction"]);
    return { solver: "ddim", eta: 1 };
  },
};

/**
 * Returns the churn of `step` for a run of so many steps, its amount 0 where none is added. diffusers divides by the length of its list
 * of sigmas, wherever a run starts.
 */
export function churnOf(
  { sChurn = 0, sTmin = 0, sTmax = Infinity, sNoise = 1 }: StepRequest,
  sigmas: readonly number[] = [],
  steps: number,
): Churn {
  const churn = check.notNegative("sChurn", sChurn);
  const noise = check.notNegative("sNoise", sNoise);
  // Half a unit of float32, in which diffusers compares.
  const least = check.number("sTmin", sTmin, "a number", () => true) * (1 - 2.9802322387695312e-8);
  const most = check.number("sTmax", sTmax, "a number", () => true) * (1 + 2.9802322387695312e-8);
  if (churn === 0 || least === Infinity || most < 0) return { amount: 0 };
  const to = most === Infinity ? {} : { to: most };
  return { amount: (churn * steps) / (sigmas.length - 1), from: Math.max(0, least), ...to, noise };
}

/** Returns Euler's method with the churn of `step`, for a network that diffusers calls before the noise is added. */
export function churned(
  step: StepRequest,
  { sigmas, levels }: Pick<Timetable, "sigmas" | "levels">,
  from: number,
  unseen: NonNullable<Churn["unseen"]>,
): Method {
  const churn = churnOf(step, sigmas, levels.length - 1 - from);
  return churn.amount === 0 ? { solver: "ddim" } : { solver: "euler", churn: { ...churn, unseen } };
}
