// DPM-Solver++ multistep (Lu et al. 2022, arXiv 2211.01095, algorithm 2), orders 1 to 3, and its noise-prediction sister DPM-Solver,
// both also as SDE solvers (section 5 there), which draw once a step. Order 2 in the midpoint form that is published as "2M", or with
// the exact integral ("heun"). Order 3 is kept as published: its second difference is half of the Taylor term, so the observed order
// is 2, not 3; the third-order form is UniP-3.
import * as check from "../check.ts";
import type { Space } from "../diffusion/prediction.ts";
import type { Prediction, Term, Value } from "../plan/tracer.ts";
import { wasm } from "../wasm/module.ts";
import { exponentialStep } from "./exponential.ts";
import { defineSolver, type GridPoint, isSingular, type Problem, type SolverOption, usable } from "./solver.ts";

/** What both forms of the method take, multistep and singlestep. */
export interface DpmOptions {
  order: number;
  variant: "midpoint" | "heun";
  sde: boolean;
}

// One by one: a bundler keeps an object that is spread, whether or not the solver is used.
export const order: SolverOption<number> = {
  default: 2,
  check: (name, v) => check.integer(name, v, 1, 3),
  about: "order, 1 to 3",
};
export const variant: SolverOption<DpmOptions["variant"]> = {
  default: "midpoint",
  check: (name, v) => check.oneOf(name, v, ["midpoint", "heun"]),
  about: "how differences are weighted: by the midpoint rule, or by their exact integrals",
};
export const sde: SolverOption<boolean> = {
  default: false,
  check: check.boolean,
  about: "whether noise is drawn at every call (the SDE solver)",
};

/** Returns what a step claims: with noise prediction the SDE draws as much as it takes away only in the limit of small steps. */
export function claimsOf(sde: boolean, predict: Space): { consistent?: false } {
  return sde && predict === "epsilon" ? { consistent: false } : {};
}

interface DpmppOptions extends DpmOptions {
  eulerFinal: boolean;
}

export const dpmpp = defineSolver<DpmppOptions>({
  name: "dpmpp",
  aliases: ["dpmsolver++", "dpm_solver_pp"],
  about: "DPM-Solver++ multistep, orders 1 to 3, also as an SDE solver (Lu et al. 2022, arXiv 2211.01095)",
  multistep: true,
  options: {
    order,
    variant,
    sde,
    eulerFinal: { default: false, check: check.boolean, about: "whether the last step is of order 1" },
  },
  observedOrder: ({ order, sde }) => (sde ? undefined : Math.min(order, 2)),

  build(trace, problem, { order, variant, sde, eulerFinal }) {
    const { points, predict } = problem;
    const claims = claimsOf(sde, predict);
    const history: Prediction[] = []; // newest first
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      history.unshift(trace.evaluate(x, s.t));
      const first = isSingular(s, t) || (eulerFinal && k === points.length - 2);
      const m = first ? history.slice(0, 1) : usable(problem, history, k, order);
      const terms = multistep(problem, variant, s, t, x, m, sde ? trace.draw() : undefined);
      x = trace.endStep(trace.combine(terms), claims);
    }
  },
});

/** Returns the update of a step s → t from the newest outputs, as many as the order, with the noise that `fresh` makes of it as an SDE. */
function multistep(
  { predict }: Problem,
  variant: "midpoint" | "heun",
  s: GridPoint,
  t: GridPoint,
  x: Value,
  [m0, m1, m2]: readonly Prediction[],
  fresh: Value | undefined,
): Term[] {
  const { h, z, S, ratio, spread } = exponentialStep(predict, s, t, fresh === undefined ? 0 : 1);
  const E = wasm().expm1(z);
  const terms: Term[] = [
    [ratio, x],
    [-S * E, m0 as Prediction],
    ...(fresh === undefined ? [] : [[spread, fresh] as const]),
  ];
  if (m0 === undefined || m1 === undefined) return terms;
  const first = -S * z * wasm().phi(2, z);
  const r0 = (s.lambda - m1.lambda) / h;
  if (m2 === undefined) {
    // Times D₁ = (m₀ − m₁)/r₀
    const weight = (variant === "midpoint" ? (-S * E) / 2 : first) / r0;
    return [...terms, [weight, m0], [-weight, m1]];
  }
  // D₁ = A + r₀/(r₀ + r₁)·(A − C), D₂ = (A − C)/(r₀ + r₁) with A = (m₀ − m₁)/r₀, C = (m₁ − m₂)/r₁
  const r1 = (m1.lambda - m2.lambda) / h;
  const second = -S * secondMoment(predict, z, fresh !== undefined);
  // Coefficients of A and C in first·D₁ + second·D₂
  const onC = -(first * r0 + second) / (r0 + r1);
  const onA = first - onC;
  return [...terms, [onA / r0, m0], [-onA / r0, m1], [onC / r1, m1], [-onC / r1, m2]];
}

/**
 * Returns the weight of half the second derivative over a step. As diffusers has the SDE in data prediction: φ₂ + ½ where the ODE has
 * z·φ₃ = φ₂ − ½ (and so has k-diffusion). Its steps are of first order only.
 */
export function secondMoment(predict: Space, z: number, sde: boolean): number {
  return predict === "sample" && sde ? wasm().phi(2, z) + 0.5 : z * wasm().phi(3, z);
}
