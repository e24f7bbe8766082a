// Dynamic compensation (Zhao et al. 2024, arXiv 2409.03755, section 3.2) as a transformation of plans.
// Before step k the newest model output m₀, made at s₀, is replaced by the Lagrange interpolation of the newest dcOrder + 1 outputs
// at s₁ + ratio·(s₀ − s₁). The replacement is permanent: it keeps the time stamp s₀ and serves every later step, predictor,
// corrector and compensation alike; the corrector that ended with m₀ has used the original.
import * as check from "../check.ts";
import { lagrangeWeights } from "../wasm/module.ts";
import { checkPlan, finishPlan } from "./json.ts";
import { type Combine, type Operation, type Plan, type PlanStep, rename, type ValueId } from "./plan.ts";

/**
 * Returns the ratios after checking them against a number of steps: one per step, finite, the first `dcOrder` of them 1.
 * @throws TypeError, RangeError.
 */
export function checkRatios(ratios: unknown, steps: number, dcOrder: number): number[] {
  const list = Array.from(check.numbers("ratios", ratios));
  if (list.length !== steps) {
    throw new RangeError(`"ratios": expected one per step, ${steps}, got ${list.length}`);
  }
  for (const [k, ratio] of list.entries()) {
    check.finite(`ratios[${k}]`, ratio);
    if (k < dcOrder && ratio !== 1) {
      check.wrongValue(
        `ratios[${k}]`,
        "1",
        ratio,
        `the first ${dcOrder} steps lack the history that dcOrder ${dcOrder} needs`,
      );
    }
  }
  return list;
}

/**
 * Returns the plan with dynamic compensation by `ratios`, in place of any it had.
 * @param ratios one per step; 1 leaves a step alone, the first `dcOrder` must be 1
 * @param dcOrder degree of the interpolation, default the plan's
 * @throws TypeError, RangeError; RangeError for a plan whose solver keeps no history of outputs at the grid's times.
 */
export function compensate(plan: Plan, ratios: readonly number[], dcOrder?: number): Plan {
  checkPlan(plan);
  const degree = check.integer("dcOrder", dcOrder === undefined ? (plan.options.dcOrder ?? 2) : dcOrder, 1);
  const list = checkRatios(ratios, plan.steps.length, degree);
  const options = { ...plan.options, ratios: list, dcOrder: degree };
  return finishPlan(options, plan.grid, rewrite(plan.steps, plan.grid, list, degree));
}

/**
 * Returns the plan with a compensation in every step that can have one, also where its weights are those of ratio 1, for a search
 * that overwrites the weights. With the same weights its states have the bits of the plan that `compensate` gives.
 */
export function instrument(plan: Plan, dcOrder: number): Plan {
  const ratios = plan.steps.map(() => 1);
  return finishPlan(plan.options, plan.grid, rewrite(plan.steps, plan.grid, ratios, dcOrder, true));
}

/** Returns the weights of the newest dcOrder + 1 outputs, newest first, that compensate step k. */
export function compensationWeights(grid: ArrayLike<number>, k: number, ratio: number, dcOrder: number): number[] {
  const times = Array.from({ length: dcOrder + 1 }, (_, i) => grid[k - i] as number);
  const [s0, s1] = times as [number, number];
  return lagrangeWeights(times, s1 + ratio * (s0 - s1));
}

/** Returns the steps without compensation, then with the one that the ratios ask for, or with all that are possible. */
function rewrite(
  steps: readonly PlanStep[],
  grid: Float64Array,
  ratios: readonly number[],
  degree: number,
  everywhere = false,
): PlanStep[] {
  const names = new Map<ValueId, ValueId>([[0, 0]]);
  const name = (value: ValueId): ValueId => names.get(value) as ValueId;
  // Model outputs at grid times, newest first, by the name they go by now.
  const history: { readonly t: number; value: ValueId; readonly original: ValueId }[] = [];
  let count = 0;

  return steps.map((step, k) => {
    const operations: Operation[] = [];
    const outputs: PlanStep["outputs"][number][] = [];
    let pending = everywhere ? k >= degree : ratios[k] !== 1;
    const insert = () => {
      const [newest] = history;
      // The weights are those of grid[k], grid[k − 1], …; outputs of other times would be interpolated at the wrong place.
      const complete = history.length > degree && history.every(({ t }, i) => t === grid[k - i]);
      if (!pending || newest === undefined || !complete) return;
      pending = false;
      const weights = compensationWeights(grid, k, ratios[k] as number, degree);
      const terms = history.map((n, i) => [weights[i] as number, n.value] as const);
      const kept = everywhere ? terms : terms.filter(([c]) => c !== 0);
      const replacement: Combine = { kind: "combine", to: ++count, terms: kept, replaces: newest.value };
      operations.push(replacement);
      names.set(newest.original, replacement.to);
      newest.value = replacement.to;
    };
    insert();
    for (const operation of step.operations) {
      if (operation.kind === "combine" && operation.replaces !== undefined) {
        names.set(operation.to, name(operation.replaces));
        continue;
      }
      operations.push(rename(operation, name, ++count));
      names.set(operation.to, count);
      const output = step.outputs.find((o) => Math.max(o.value, o.denoised) === operation.to);
      if (output === undefined) continue;
      const value = name(output.value);
      outputs.push({ t: output.t, value, denoised: name(output.denoised) });
      if (!grid.includes(output.t)) continue;
      history.unshift({ t: output.t, value, original: output.value });
      history.length = Math.min(history.length, degree + 1);
      insert();
    }
    if (pending)
      throw new RangeError(
        `"ratios[${k}]": this solver keeps no model output at the start of step ${k} or of the ${degree} before it; use 1`,
      );
    return { ...step, operations, outputs, state: name(step.state) };
  });
}
