// Lowered plans, remembered.
import type { AffinePrediction, PredictionType } from "../diffusion/prediction.ts";
import { lower } from "../plan/lower.ts";
import type { Plan } from "../plan/plan.ts";
import type { Guidance, Observe, Program } from "../plan/program.ts";

// The newest program of each plan. Plans are made once and run often, and lowering takes longer than all else on the host that a step
// of a small tensor needs. Machines write coefficients into tables of their own, so programs stay as they are. Predictions of the
// user's own are functions that may come to answer differently; those are lowered every time, and so is guidance that changes.
const programs = new WeakMap<Plan, { prediction: string; scale: number; observe: Observe; program: Program }>();

/** Returns the program of a plan: the one of the last time, if that was lowered alike. */
export function programOf(
  plan: Plan,
  prediction: PredictionType | AffinePrediction,
  guidance: Guidance,
  observe: Observe,
): Program {
  const { scale, rescale } = guidance;
  const known = programs.get(plan);
  const plain = typeof scale === "number" && rescale === 0;
  if (plain && known?.prediction === prediction && known.scale === scale && known.observe === observe)
    return known.program;
  const program = lower(plan, prediction, guidance, observe);
  if (typeof prediction === "string" && plain) programs.set(plan, { prediction, scale, observe, program });
  return program;
}
