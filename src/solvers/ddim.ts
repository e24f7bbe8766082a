// DDIM (Song et al. 2021, arXiv 2010.02502): the first-order step, with a share eta of the noise drawn afresh; eta = 1 is the
// ancestral sampling of DDPM (Ho et al. 2020) with its smaller variance.
import * as check from "../check.ts";
import type { Prediction, Term } from "../plan/tracer.ts";
import { wasm } from "../wasm/module.ts";
import { defineSolver, type GridPoint } from "./solver.ts";

export const ddim = defineSolver<{ order: number; eta: number; rawNoise: boolean }>({
  name: "ddim",
  aliases: [],
  about: "DDIM, first order, with a share eta of fresh noise (Song et al. 2021, arXiv 2010.02502)",
  multistep: true,
  options: {
    order: { default: 1, check: (name, v) => check.integer(name, v, 1, 1), about: "order, always 1" },
    eta: {
      default: 0,
      check: (name, v) => check.number(name, v, "a number from 0 to 1", (v) => v >= 0 && v <= 1),
      about: "share of fresh noise, 0 to 1",
    },
    rawNoise: {
      default: false,
      check: check.boolean,
      about: "whether ε stays the network's own where x₀ is thresholded",
    },
  },
  observedOrder: ({ eta }) => (eta === 0 ? 1 : undefined),

  build(trace, { points, arrival, predict }, { eta, rawNoise }) {
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, arrival(k)];
      const m: Prediction = trace.evaluate(x, s.t);
      // sigma_t² = kept² + fresh², fresh = eta·sigma_t·√(1 − e^{−2h})
      const share = eta * eta * -wasm().expm1(2 * (s.lambda - t.lambda));
      const fresh = t.sigma * Math.sqrt(share);
      const kept = t.sigma * Math.sqrt(1 - share);
      // alpha_t x₀ + kept ε, with x₀ or ε eliminated through x = alpha_s x₀ + sigma_s ε
      const terms: Term[] = rawNoise
        ? [
            [t.alpha, m.denoised],
            [kept, m.noise()],
          ]
        : predict === "sample"
          ? [
              [kept / s.sigma, x],
              [t.alpha - (s.alpha * kept) / s.sigma, m],
            ]
          : [
              [t.alpha / s.alpha, x],
              [kept - (t.alpha * s.sigma) / s.alpha, m],
            ];
      // Drawn where it counts for nothing too, at a last step to sigma 0: the stream is the same whatever the grid.
      if (eta > 0) terms.push([fresh, trace.draw()]);
      x = trace.endStep(trace.combine(terms));
    }
  },
});
