// DDIM (Song et al. 2021, arXiv 2010.02502): the first-order step, with a share eta of the noise drawn afresh; eta = 1 is the
// ancestral sampling of DDPM (Ho et al. 2020) with its smaller variance.
import * as check from "../check.ts";
import type { Posterior } from "../plan/plan.ts";
import type { Term } from "../plan/tracer.ts";
import { wasm } from "../wasm/module.ts";
import { defineSolver, firstOrder, type GridPoint } from "./solver.ts";

export const ddim = defineSolver<{ order: number; eta: number; rawNoise: boolean; posterior: Posterior | null }>({
  name: "ddim",
  aliases: [],
  about: "DDIM, first order, with a share eta of fresh noise (Song et al. 2021, arXiv 2010.02502)",
  multistep: true,
  options: {
    order: { default: 1, check: (name, v) => check.integer(name, v, 1, 1), about: "order, always 1" },
    eta: {
      default: 0,
      check: check.share,
      about: "share of fresh noise, 0 to 1",
    },
    rawNoise: {
      default: false,
      check: check.boolean,
      about: "whether ε stays the network's own where x₀ is thresholded",
    },
    posterior: { default: null, check: checkPosterior, about: "variance and last draw as DDPM has them, or null" },
  },
  observedOrder: ({ eta }) => (eta === 0 ? 1 : undefined),

  build(trace, { points, arrival, predict }, { eta, rawNoise, posterior }) {
    const { variance = "small", lastDraw = true } = posterior ?? {};
    const last = points.length - 2;
    let x = trace.start();
    for (let k = 0; k <= last; k++) {
      const [s, t] = [points[k] as GridPoint, arrival(k)];
      const m = trace.evaluate(x, s.t);
      const draws = eta > 0 && (lastDraw || k < last);
      // sigma_t² = kept² + fresh², fresh = eta·sigma_t·√(1 − e^{−2h})
      const share = draws ? eta * eta * -wasm().expm1(2 * (s.lambda - t.lambda)) : 0;
      const kept = t.sigma * Math.sqrt(1 - share);
      const terms: Term[] = rawNoise
        ? [
            [t.alpha, m.denoised],
            [kept, m.noise()],
          ]
        : firstOrder(s, t, x, m, predict, kept);
      // The forward step's variance is sigma_s²·(1 − e^{−2h}).
      const fresh = (variance === "large" ? s.sigma : t.sigma) * Math.sqrt(share);
      // Drawn where it counts for nothing too, at a last step to sigma 0: the stream is the same whatever the grid.
      if (draws) terms.push([fresh, trace.draw()]);
      x = trace.endStep(trace.combine(terms), draws && variance === "large" ? { consistent: false } : {});
    }
  },
});

function checkPosterior(name: string, value: unknown): Posterior | null {
  if (value === null) return null;
  const given = check.options<Posterior>(name, value, ["variance", "lastDraw"]);
  if (given.variance !== undefined) check.oneOf(`${name}.variance`, given.variance, ["small", "large"]);
  if (given.lastDraw !== undefined) check.boolean(`${name}.lastDraw`, given.lastDraw);
  return given;
}
