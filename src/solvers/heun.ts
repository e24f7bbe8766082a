// Heun's method for dy/dr = ε with y = x/alpha, r = sigma/alpha (Karras et al. 2022, arXiv 2206.00364, algorithm 1): an Euler step,
// and the mean of the slopes at its two ends. A step that ends without noise, or starts without signal, stays Euler's.
import type { Term } from "../plan/tracer.ts";
import { defineSolver, firstOrder, type GridPoint } from "./solver.ts";

export const heun = defineSolver<Record<never, never>>({
  name: "heun",
  aliases: [],
  about: "Heun, second order, two model calls a step (Karras et al. 2022, arXiv 2206.00364, algorithm 1)",
  multistep: false,
  options: {},
  observedOrder: () => 2,

  build(trace, { points, predict }) {
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      const m = trace.evaluate(x, s.t);
      const guess = trace.combine(firstOrder(s, t, x, m, predict));
      if (!Number.isFinite(s.lambda) || !Number.isFinite(t.lambda)) {
        x = trace.endStep(guess);
        continue;
      }
      const n = trace.evaluate(guess, t.t);
      const [r, end] = [s.sigma / s.alpha, t.sigma / t.alpha];
      const half = (t.alpha * (end - r)) / 2;
      const terms: Term[] = [];
      if (predict === "epsilon") terms.push([t.alpha / s.alpha, x], [half, m], [half, n]);
      // ε = (y − x₀)/r at both ends, which of a network that gives ε leaves nothing but it once its x₀ is put in; where alpha grows,
      // with the second y put in too, so that no rounding of a state is multiplied by what it grows.
      else if (t.alpha === s.alpha)
        terms.push([1 + half / s.sigma, x], [-half / r, m], [half / t.sigma, guess], [-half / end, n]);
      else terms.push([t.sigma / s.sigma, x], [half * (1 / end - 2 / r), m], [-half / end, n]);
      x = trace.endStep(trace.combine(terms));
    }
  },
});
