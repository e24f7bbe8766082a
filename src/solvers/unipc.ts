// UniPC (Zhao et al. 2023, arXiv 2302.04867): a multistep predictor of order p, and a corrector that lifts it to p + 1 with the model
// output that the next step needs anyway. In the "B(h)" form. The predictor alone is UniP, its order 1 is DDIM, and dynamic
// compensation on it is DC-Solver. It is not the authors' "vary_coeff" variant, whose corrector is incomplete above order 1.
import * as check from "../check.ts";
import type { Prediction, Term, Value } from "../plan/tracer.ts";
import { solveLinear, wasm } from "../wasm/module.ts";
import { exponentialStep } from "./exponential.ts";
import { defineSolver, firstOrder, type GridPoint, isSingular, type Problem, usable } from "./solver.ts";

interface UniPCOptions {
  order: number;
  variant: "bh1" | "bh2";
  corrector: boolean;
  disableCorrector: readonly number[];
}

export const unipc = defineSolver<UniPCOptions>({
  name: "unipc",
  aliases: ["uni_pc"],
  about: "UniPC, multistep predictor-corrector of any order (Zhao et al. 2023, arXiv 2302.04867)",
  multistep: true,
  options: {
    order: { default: 2, check: (name, v) => check.integer(name, v, 1), about: "order of the predictor, ≥ 1" },
    variant: { default: "bh2", check: (name, v) => check.oneOf(name, v, ["bh1", "bh2"]), about: "B(h) = h or e^h − 1" },
    corrector: { default: true, check: check.boolean, about: "whether steps are corrected" },
    disableCorrector: { default: [], check: check.stepIndices, about: "steps (0-based) without corrector" },
  },
  observedOrder: ({ order, corrector }) => order + (corrector ? 1 : 0),

  build(trace, problem, { order, variant, corrector, disableCorrector }) {
    const { points } = problem;
    const history: Prediction[] = []; // newest first
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      if (history[0]?.t !== s.t) history.unshift(trace.evaluate(x, s.t));
      if (isSingular(s, t)) {
        x = trace.endStep(trace.combine(firstOrder(s, t, x, history[0] as Prediction)));
        continue;
      }
      const { predict, correct } = formulas(problem, variant, s, t, x, usable(problem, history, k, order));
      const guess = trace.combine(predict());
      if (k === points.length - 2 || !corrector || disableCorrector.includes(k)) x = trace.endStep(guess);
      else {
        const m = trace.evaluate(guess, t.t); // the only model call of the step
        x = trace.endStep(trace.combine(correct(m)));
        history.unshift(m);
      }
    }
  },
});

/** Returns the two updates of a step s → t from the state x and the outputs m₀, m₁, … (section 3 of the paper, order = outputs given). */
function formulas({ predict }: Problem, variant: "bh1" | "bh2", s: GridPoint, t: GridPoint, x: Value, m: Prediction[]) {
  const p = m.length;
  const m0 = m[0] as Prediction;
  const { h, z, S, ratio } = exponentialStep(predict, s, t);
  const E = wasm().expm1(z);
  const B = variant === "bh1" ? z : E;
  const r = [...m.slice(1).map((m) => (m.lambda - s.lambda) / h), 1];
  const b: number[] = [];
  for (let n = 1, factorial = 1; n <= p; factorial *= ++n) b.push((factorial * z * wasm().phi(n + 1, z)) / B);
  // Row n holds the powers r^n, by multiplication: `**` has other bits in other engines.
  const powers = (size: number) => {
    const rows = [r.slice(0, size).map(() => 1)];
    while (rows.length < size) rows.push((rows.at(-1) as number[]).map((power, j) => power * (r[j] as number)));
    return rows.slice(0, size);
  };

  const base: Term[] = [
    [ratio, x],
    [-S * E, m0],
  ];
  /** −S·B·w·(m − m₀)/r */
  const difference = (w: number, m: Value, r: number): Term[] => [
    [(-S * B * w) / r, m],
    [(S * B * w) / r, m0],
  ];
  const differences = (w: readonly number[]) =>
    m.slice(1).flatMap((m, j) => difference(w[j] as number, m, r[j] as number));
  return {
    predict(): Term[] {
      // The published short cut for order 2; where the system is solved, B cancels.
      const a = p === 2 ? [0.5] : solveLinear(powers(p - 1), b.slice(0, p - 1));
      return [...base, ...differences(a)];
    },
    correct(fresh: Value): Term[] {
      const g = p === 1 ? [0.5] : solveLinear(powers(p), b);
      return [...base, ...differences(g), ...difference(g[p - 1] as number, fresh, 1)];
    },
  };
}
