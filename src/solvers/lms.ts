// Linear multistep (Adams-Bashforth on a grid of any steps) for dy/dr = ε with y = x/alpha, r = sigma/alpha, as Crowson's k-diffusion
// has it: the newest ε are interpolated by a polynomial in r, which is integrated over the step, a step to r = 0 included.
import * as check from "../check.ts";
import type { Prediction, Term } from "../plan/tracer.ts";
import { defineSolver, firstOrder, type GridPoint, usable } from "./solver.ts";

export const lms = defineSolver<{ order: number }>({
  name: "lms",
  aliases: ["k_lms"],
  about: "linear multistep in sigma/alpha, of any order (Adams-Bashforth; k-diffusion's LMS)",
  multistep: true,
  options: { order: { default: 4, check: (name, v) => check.integer(name, v, 1), about: "order, ≥ 1" } },
  observedOrder: ({ order }) => order,

  build(trace, problem, { order }) {
    const { points, predict } = problem;
    const history: Prediction[] = []; // ε, newest first, and where they were made
    const places: number[] = [];
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      const m = trace.evaluate(x, s.t);
      const data: Term[] = [
        [1 / s.sigma, x],
        [-s.alpha / s.sigma, m],
      ];
      history.unshift(predict === "epsilon" ? m : { ...m, ...trace.combine(data) });
      places.unshift(s.sigma / s.alpha);
      const used = usable(problem, history, k, order);
      const weights = integrals(places.slice(0, used.length), t.sigma / t.alpha).map((w) => w * t.alpha);
      const [newest = 0] = weights;
      // The newest ε is put in as what it is made of, whose roundings then cancel, the others as they were kept.
      const terms: Term[] = used.length > 1 ? [] : firstOrder(s, t, x, m, predict);
      if (used.length > 1 && predict === "epsilon") terms.push([t.alpha / s.alpha, x], [newest, m]);
      else if (used.length > 1)
        terms.push([t.alpha / s.alpha + newest / s.sigma, x], [(-newest * s.alpha) / s.sigma, m]);
      for (const [j, epsilon] of used.entries()) if (j > 0) terms.push([weights[j] as number, epsilon]);
      x = trace.endStep(trace.combine(terms));
    }
  },
});

/** Returns the integrals from nodes[0] to `end` of the polynomials that are 1 at one node and 0 at the others. */
function integrals(nodes: readonly number[], end: number): number[] {
  const [start = 0] = nodes;
  return nodes.map((own, j) => {
    // Coefficients of the powers of r − start
    let powers = [1];
    for (const [i, other] of nodes.entries()) {
      if (i === j) continue;
      const next = [0, ...powers.map((c) => c / (own - other))];
      for (const [n, c] of powers.entries()) next[n] = (next[n] as number) - (c * (other - start)) / (own - other);
      powers = next;
    }
    const width = end - start;
    // Horner, from the highest power: ∫ r^n = width^(n + 1)/(n + 1)
    return width * powers.reduceRight((sum, c, n) => sum * width + c / (n + 1), 0);
  });
}
