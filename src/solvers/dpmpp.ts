// DPM-Solver++ multistep (Lu et al. 2022, arXiv 2211.01095, algorithm 2), orders 1 to 3, and its noise-prediction sister DPM-Solver.
// Order 2 in the midpoint form that is published as "2M". Order 3 is kept as published: its second difference is half of the Taylor
// term, so the observed order is 2, not 3; the third-order form is UniP-3.
import * as check from "../check.ts";
import type { Prediction, Term, Value } from "../plan/tracer.ts";
import { wasm } from "../wasm/module.ts";
import { defineSolver, firstOrder, type GridPoint, isSingular, type Problem, usable } from "./solver.ts";

export const dpmpp = defineSolver<{ order: number }>({
  name: "dpmpp",
  aliases: ["dpmsolver++", "dpm_solver_pp"],
  about: "DPM-Solver++ multistep in midpoint form, orders 1 to 3 (Lu et al. 2022, arXiv 2211.01095)",
  multistep: true,
  options: { order: { default: 2, check: (name, v) => check.integer(name, v, 1, 3), about: "order, 1 to 3" } },
  observedOrder: ({ order }) => Math.min(order, 2),

  build(trace, problem, { order }) {
    const { points } = problem;
    const history: Prediction[] = []; // newest first
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      history.unshift(trace.evaluate(x, s.t));
      const update = isSingular(s, t)
        ? firstOrder(s, t, x, history[0] as Prediction)
        : multistep(problem, s, t, x, usable(problem, history, k, order));
      x = trace.endStep(trace.combine(update));
    }
  },
});

/** Returns the update of a step s → t from the newest outputs, as many as the order. */
function multistep({ predict }: Problem, s: GridPoint, t: GridPoint, x: Value, m: Prediction[]): Term[] {
  const [m0, m1, m2] = m;
  const h = t.lambda - s.lambda;
  const z = predict === "sample" ? -h : h;
  const [ratio, S] = predict === "sample" ? [t.sigma / s.sigma, t.alpha] : [t.alpha / s.alpha, t.sigma];
  const E = wasm().expm1(z);
  const terms: Term[] = [
    [ratio, x],
    [-S * E, m0 as Prediction],
  ];
  if (m0 === undefined || m1 === undefined) return terms;
  const r0 = (s.lambda - m1.lambda) / h;
  if (m2 === undefined) {
    // −S·E·D₁/2 with D₁ = (m₀ − m₁)/r₀
    const half = (-S * E) / (2 * r0);
    return [...terms, [half, m0], [-half, m1]];
  }
  // D₁ = A + r₀/(r₀ + r₁)·(A − C), D₂ = (A − C)/(r₀ + r₁) with A = (m₀ − m₁)/r₀, C = (m₁ − m₂)/r₁
  const r1 = (m1.lambda - m2.lambda) / h;
  const first = -S * z * wasm().phi(2, z);
  const second = -S * z * wasm().phi(3, z);
  // Coefficients of A and C in first·D₁ + second·D₂
  const onC = -(first * r0 + second) / (r0 + r1);
  const onA = first - onC;
  return [...terms, [onA / r0, m0], [-onA / r0, m1], [onC / r1, m1], [-onC / r1, m2]];
}
