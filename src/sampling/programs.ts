// Lowered plans, remembered.
import type { AffinePrediction, PredictionType } from "../diffusion/prediction.ts";
import { lower, type Observe, type Program } from "../plan/lower.ts";
import type { Plan } from "../plan/plan.ts";

// The newest program of each plan. Plans are made once and run often, and lowering takes longer than all else on the host that a step
// of a small tensor needs. Machines write coefficients into tables of their own, so programs stay as
// they are. Predictions of the user's own are functions that may come to answer differently; those are lowered every time.
const programs = new WeakMap<Plan, { prediction: string; guidanceScale: number; observe: Observe; program: Program }>();

/** Returns the program of a plan: the one of the last time, if that was lowered alike. */
export function programOf(
  plan: Plan,
  prediction: PredictionType | AffinePrediction,
  guidanceScale: number,
  observe: Observe,
): Program {
  const known = programs.get(plan);
  const fits = known?.prediction === prediction && known.guidanceScale === guidanceScale && known.observe === observe;
  if (fits) return known.program;
  const program = lower(plan, prediction, guidanceScale, observe);
  if (typeof prediction === "string") programs.set(plan, { prediction, guidanceScale, observe, program });
  return program;
}
