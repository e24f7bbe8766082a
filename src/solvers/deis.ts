// DEIS, multistep (Zhang and Chen 2022, arXiv 2204.13902), in the form "log rho": outputs are extrapolated by a polynomial in
// lambda = −ln(sigma/alpha), whose exponential integral is exact. The paper's form is noise prediction, `predict: "epsilon"`.
import * as check from "../check.ts";
import type { Prediction, Term } from "../plan/tracer.ts";
import { exponentialMoments, exponentialStep, exponentialWeights } from "./exponential.ts";
import { defineSolver, firstOrder, type GridPoint, isSingular, usable } from "./solver.ts";

export const deis = defineSolver<{ order: number }>({
  name: "deis",
  aliases: ["deis_multistep"],
  about: "DEIS multistep in log rho, orders 1 to 3 (Zhang and Chen 2022, arXiv 2204.13902)",
  multistep: true,
  options: { order: { default: 2, check: (name, v) => check.integer(name, v, 1, 3), about: "order, 1 to 3" } },
  observedOrder: ({ order }) => order,

  build(trace, problem, { order }) {
    const { points, predict } = problem;
    const history: Prediction[] = []; // newest first
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      history.unshift(trace.evaluate(x, s.t));
      if (isSingular(s, t)) {
        x = trace.endStep(trace.combine(firstOrder(s, t, x, history[0] as Prediction)));
        continue;
      }
      const m = usable(problem, history, k, order);
      const { h, z, S, ratio } = exponentialStep(predict, s, t);
      const r = m.map(({ lambda }) => (lambda - s.lambda) / h);
      const w = exponentialWeights(r, exponentialMoments(z, m.length));
      x = trace.endStep(trace.combine([[ratio, x], ...m.map((m, i): Term => [-S * z * (w[i] as number), m])]));
    }
  },
});
