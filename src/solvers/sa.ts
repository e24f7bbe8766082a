// SA-Solver (Xue et al. 2023, arXiv 2309.05019): stochastic Adams predictor and corrector. tau says how much noise is taken away and
// drawn afresh, as a function of what the network is told; the corrector uses the noise of its predictor. In data prediction the
// formulas with two outputs take h²/2 for the first moment, as the authors' code does: a term of third order in h.
import * as check from "../check.ts";
import type { Prediction, Term, Value } from "../plan/tracer.ts";
import { wasm } from "../wasm/module.ts";
import { exponentialMoments, exponentialStep, exponentialWeights } from "./exponential.ts";
import { defineSolver, type GridPoint, isSingular, type Problem, usable } from "./solver.ts";

/** tau between two model times, both included. */
type Interval = readonly [from: number, to: number, tau: number];

interface SAOptions {
  order: number;
  correctorOrder: number;
  tau: readonly Interval[];
}

export const sa = defineSolver<SAOptions>({
  name: "sa",
  aliases: ["sa_solver", "sa-solver"],
  about: "SA-Solver, stochastic Adams predictor-corrector (Xue et al. 2023, arXiv 2309.05019)",
  multistep: true,
  options: {
    order: { default: 2, check: (name, v) => check.integer(name, v, 1, 4), about: "order of the predictor, 1 to 4" },
    correctorOrder: {
      default: 2,
      check: (name, v) => check.integer(name, v, 0, 4),
      about: "order of the corrector, 1 to 4, or 0 for none",
    },
    tau: {
      default: [[200, 800, 1]],
      check: checkTau,
      about: "shares of noise: [from, to, tau] for times the network is told; none is the ODE, which draws nothing",
    },
  },
  observedOrder: ({ order, correctorOrder, tau }) =>
    tau.length > 0 ? undefined : correctorOrder === 0 ? order : Math.min(order + 1, correctorOrder),

  build(trace, problem, { order, correctorOrder, tau: intervals }) {
    const { points, schedule, predict } = problem;
    const history: Prediction[] = []; // newest first
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      if (history[0]?.t !== s.t) history.unshift(trace.evaluate(x, s.t));
      const told = schedule.modelTime(s.t);
      const tau = intervals.find(([from, to]) => told >= from && told <= to)?.[2] ?? 0;
      // Drawn where tau is 0 too, so that the stream does not depend on it.
      const fresh = intervals.length > 0 ? trace.draw() : undefined;
      const update = adams(problem, s, t, x, tau, fresh);
      // With noise prediction tau takes away noise by the output, and draws as much only in the limit of small steps.
      const claims = predict === "epsilon" && tau > 0 ? { consistent: false as const } : {};
      const m = isSingular(s, t) ? history.slice(0, 1) : usable(problem, history, k, order);
      const guess = trace.combine(update(m));
      if (k === points.length - 2 || correctorOrder === 0 || isSingular(s, t)) {
        x = trace.endStep(guess, claims);
        continue;
      }
      const made = trace.evaluate(guess, t.t);
      x = trace.endStep(trace.combine(update([made, ...usable(problem, history, k, correctorOrder - 1)])), claims);
      history.unshift(made);
    }
  },
});

/** Returns the update of a step s → t by given outputs (the paper's predictor and corrector alike, in (lambda − lambda_s)/h). */
function adams({ predict }: Problem, s: GridPoint, t: GridPoint, x: Value, tau: number, fresh: Value | undefined) {
  const { h, z, S, ratio, spread } = exponentialStep(predict, s, t, tau);
  const noise: Term[] = fresh === undefined || tau === 0 ? [] : [[spread, fresh]];
  return (m: readonly Prediction[]): Term[] => {
    const moments = exponentialMoments(z, m.length);
    if (predict === "sample" && m.length === 2) moments[1] = 0.5;
    // One output is enough for an infinite step, whose h has no multiples.
    const w =
      m.length === 1
        ? []
        : exponentialWeights(
            m.map(({ lambda }) => (lambda - s.lambda) / h),
            moments,
          );
    const terms = m.map((m, i): Term => [-S * (w.length === 0 ? wasm().expm1(z) : z * (w[i] as number)), m]);
    return [[ratio, x], ...terms, ...noise];
  };
}

function checkTau(name: string, value: unknown): readonly Interval[] {
  if (!Array.isArray(value)) check.wrongType(name, "a list of [from, to, tau]", value);
  return value.map((entry, i): Interval => {
    const interval = Array.from(check.numbers(`${name}[${i}]`, entry));
    if (interval.length !== 3) check.wrongValue(`${name}[${i}]`, "[from, to, tau]", entry);
    const [from, to, tau] = interval.map((v, j) => check.finite(`${name}[${i}][${j}]`, v)) as [number, number, number];
    return [from, to, check.notNegative(`${name}[${i}][2]`, tau)];
  });
}
