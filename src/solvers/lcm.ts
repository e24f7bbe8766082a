// Multistep consistency sampling (Song et al. 2023, arXiv 2303.01469, algorithm 1; Luo et al. 2023, arXiv 2310.04378): each call
// gives the picture, and noise drawn afresh takes it back to the next level.
import * as check from "../check.ts";
import type { Term, Value } from "../plan/tracer.ts";
import { defineSolver, firstOrder, type GridPoint } from "./solver.ts";

interface LcmOptions {
  boundary: { readonly scaling: number } | null;
  lastDraw: boolean;
}

export const lcm = defineSolver<LcmOptions>({
  name: "lcm",
  aliases: [],
  about: "multistep sampling of consistency models (Luo et al. 2023, arXiv 2310.04378)",
  multistep: true,
  options: {
    boundary: {
      default: null,
      check: (name, v) => {
        if (v === null) return null;
        const { scaling } = check.options<{ scaling: number }>(name, v, ["scaling"]);
        return { scaling: check.finite(`${name}.scaling`, scaling) };
      },
      about: "null, or the scaling of told times in the boundary condition c_skip·x + c_out·x₀ (data of deviation 1/2)",
    },
    lastDraw: { default: true, check: check.boolean, about: "whether the last step draws; if not, it is DDIM's" },
  },
  observedOrder: () => undefined,

  build(trace, { points, schedule }, { boundary, lastDraw }) {
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      const { denoised } = trace.evaluate(x, s.t);
      let picture: Value = denoised;
      if (boundary !== null) {
        const scaled = schedule.modelTime(s.t) * boundary.scaling;
        const norm = scaled * scaled + 0.25;
        picture = trace.combine([
          [0.25 / norm, x],
          [scaled / Math.sqrt(norm), denoised],
        ]);
      }
      const draws = lastDraw || k < points.length - 2;
      const terms: Term[] = draws
        ? [
            [t.alpha, picture],
            [t.sigma, trace.draw()],
          ]
        : firstOrder(s, t, x, picture);
      x = trace.endStep(trace.combine(terms), boundary === null ? {} : { consistent: false });
    }
  },
});
