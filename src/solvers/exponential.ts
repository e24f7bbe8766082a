// Exponential integrators: what the integral over a step is of outputs interpolated in lambda.
import type { Space } from "../diffusion/prediction.ts";
import { solveLinear, wasm } from "../wasm/module.ts";
import type { GridPoint } from "./solver.ts";

/**
 * Returns what the step s → t is made of in which the share tau² of the noise is drawn afresh (Xue et al. 2023, arXiv 2309.05019,
 * proposition 4.2; tau 1 is DPM-Solver++'s SDE, 0 the ODE): x_t = ratio·x − S·z·∫₀¹ e^{z(1−v)} m(v) dv + spread·noise, with outputs m
 * at lambda_s + v·h. In noise space the noise drawn is what was taken away only in the limit of small steps.
 */
export function exponentialStep(space: Space, s: GridPoint, t: GridPoint, tau = 0) {
  const h = t.lambda - s.lambda;
  const share = tau * tau;
  const data = space === "sample";
  // h is infinite at the ends of a schedule: nothing times it where there is no tau.
  const grown = tau === 0 ? 0 : data ? -wasm().expm1(-2 * share * h) : share * wasm().expm1(2 * h);
  const ratio = data ? (t.sigma / s.sigma) * (tau === 0 ? 1 : wasm().exp(-share * h)) : t.alpha / s.alpha;
  const [z, S] = data ? [-(1 + share) * h, t.alpha] : [h, (1 + share) * t.sigma];
  return { h, z, S, ratio, spread: t.sigma * Math.sqrt(grown) };
}

/** Returns ∫₀¹ e^{z(1−v)} vⁿ dv = n!·φ_{n+1}(z) for n = 0 … count − 1. */
export function exponentialMoments(z: number, count: number): number[] {
  const moments: number[] = [];
  for (let n = 0, factorial = 1; n < count; factorial *= ++n) moments.push(factorial * wasm().phi(n + 1, z));
  return moments;
}

/**
 * Returns the weights w of the nodes r with Σ w·p(r) = ∫₀¹ e^{z(1−v)} p(v) dv for every polynomial p of a degree below their number,
 * whose moments are given. Over a step of length h from lambda_s, r = (lambda − lambda_s)/h.
 */
export function exponentialWeights(r: readonly number[], moments: readonly number[]): number[] {
  // Row n holds the powers rⁿ, by multiplication: `**` has other bits in other engines.
  const rows = [r.map(() => 1)];
  while (rows.length < r.length) rows.push((rows.at(-1) as number[]).map((power, j) => power * (r[j] as number)));
  return solveLinear(rows, moments);
}
