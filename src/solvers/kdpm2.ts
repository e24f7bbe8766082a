// DPM-Solver-2 (Lu et al. 2022, arXiv 2206.00927, algorithm 1 with r = ½): the slope dy/dr = ε, y = x/alpha, r = sigma/alpha, is that of
// the middle of the step in lambda. With a share eta of fresh noise the step goes down to r′, r′² = r_t² − up², and noise takes it up
// again to r_t ("DPM2 a" of k-diffusion at eta = 1, where the middle is r_t itself).
import * as check from "../check.ts";
import type { Term } from "../plan/tracer.ts";
import { wasm } from "../wasm/module.ts";
import { defineSolver, firstOrder, type GridPoint, levelAt } from "./solver.ts";

export const kdpm2 = defineSolver<{ eta: number }>({
  name: "kdpm2",
  aliases: ["dpm_2", "dpm2"],
  about: "DPM-Solver-2, midpoint in lambda, two model calls a step (Lu et al. 2022, arXiv 2206.00927)",
  multistep: false,
  options: {
    eta: {
      default: 0,
      check: check.share,
      about: "share of fresh noise, 0 to 1",
    },
  },
  observedOrder: ({ eta }) => (eta === 0 ? 2 : undefined),

  build(trace, { schedule, points, predict }, { eta }) {
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      const m = trace.evaluate(x, s.t);
      // up = r_t·eta·√(1 − e^{−2h}), and what is left of r_t², without cancellation
      const up = eta * Math.sqrt(Math.max(0, -wasm().expm1(2 * (s.lambda - t.lambda))));
      const left = Math.sqrt(1 - eta * eta + eta * eta * wasm().exp(2 * (s.lambda - t.lambda)));
      let terms: Term[];
      if (!Number.isFinite(s.lambda) || !Number.isFinite(t.lambda)) {
        terms = firstOrder(s, t, x, m, "sample", t.sigma * left);
      } else {
        const h = levelAt(schedule, schedule.time((s.lambda + t.lambda - wasm().log(left)) / 2));
        const u = trace.combine(firstOrder(s, h, x, m, predict));
        const n = trace.evaluate(u, h.t);
        const way = t.sigma * left - (t.alpha * s.sigma) / s.alpha;
        const rate = way * (h.alpha / h.sigma);
        if (predict === "epsilon")
          terms = [
            [t.alpha / s.alpha, x],
            [way, n],
          ];
        // ε = (y − x₀)/r in the middle; the two forms as in heun.ts.
        else if (t.alpha === s.alpha)
          terms = [
            [1, x],
            [way / h.sigma, u],
            [-rate, n],
          ];
        else
          terms = [
            [(t.sigma * left) / s.sigma, x],
            [rate - (way * s.alpha) / s.sigma, m],
            [-rate, n],
          ];
      }
      // Not drawn in a last step to sigma 0; drawn where a step goes nowhere.
      if (eta > 0 && t.sigma > 0) terms.push([t.sigma * up, trace.draw()]);
      x = trace.endStep(trace.combine(terms));
    }
  },
});
