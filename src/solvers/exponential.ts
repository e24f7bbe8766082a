// Exponential integrators: what the integral over a step is of outputs interpolated in lambda.
import { solveLinear, wasm } from "../wasm/module.ts";

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
