// DPM-Solver (Lu et al. 2022, arXiv 2206.00927, noise prediction) and DPM-Solver++ (arXiv 2211.01095, data prediction), singlestep: a
// step of order n calls the model n times, at its start and at intermediate times, and remembers nothing. Also as the latter's SDE
// solver, which draws at every call.
import * as check from "../check.ts";
import type { Prediction, Term, Value } from "../plan/tracer.ts";
import { wasm } from "../wasm/module.ts";
import { claimsOf, type DpmOptions, order, sde, secondMoment, variant } from "./dpmpp.ts";
import { exponentialStep } from "./exponential.ts";
import { defineSolver, type GridPoint, isSingular, levelAt, type Problem } from "./solver.ts";

interface SinglestepOptions extends DpmOptions {
  intermediate: readonly (readonly number[])[];
}

export const dpmppSinglestep = defineSolver<SinglestepOptions>({
  name: "dpmpp-singlestep",
  aliases: ["dpmsolver++_singlestep", "dpm_solver_singlestep"],
  about: "DPM-Solver++ singlestep, orders 1 to 3, as many model calls a step (Lu et al. 2022, arXiv 2211.01095)",
  multistep: false,
  options: {
    order,
    variant,
    sde,
    intermediate: {
      default: [],
      check: checkTimes,
      about: "times of the intermediate calls of each step, none to two; by default equal parts of a step in lambda",
    },
  },
  observedOrder: ({ order, sde }) => (sde ? undefined : order),

  build(trace, problem, { order, variant, sde, intermediate }) {
    const { points, schedule, lowerOrderFinal } = problem;
    const steps = points.length - 1;
    const claims = claimsOf(sde, problem.predict);
    let x = trace.start();
    for (let k = 0; k < steps; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      const calls = isSingular(s, t) ? 1 : Math.min(order, lowerOrderFinal ? steps - k : order);
      const parts = Array.from({ length: calls - 1 }, (_, i) => s.lambda + ((i + 1) / calls) * (t.lambda - s.lambda));
      const times = intermediate[k] ?? parts.map((lambda) => schedule.time(lambda));
      const outputs: Prediction[] = [];
      let [state, at] = [x, s.t];
      for (const to of [...times.map((time) => levelAt(schedule, time)), t]) {
        if (!(to.t < at)) check.wrongValue(`intermediate[${k}]`, `times that fall from ${s.t} to ${t.t}`, times);
        outputs.push(trace.evaluate(state, at));
        const terms = update(problem, variant, s, to, x, outputs, sde ? trace.draw() : undefined);
        [state, at] = [trace.combine(terms), to.t];
      }
      x = trace.endStep(state, claims);
    }
  },
});

/** Returns the update of a step s → t from the state at s and the outputs at s and behind it, as many as the order; an SDE's with noise. */
function update(
  { predict }: Problem,
  variant: DpmOptions["variant"],
  s: GridPoint,
  t: GridPoint,
  x: Value,
  [m0, m1, m2]: readonly Prediction[],
  fresh: Value | undefined,
): Term[] {
  const { h, z, S, ratio, spread } = exponentialStep(predict, s, t, fresh === undefined ? 0 : 1);
  const E = wasm().expm1(z);
  const terms: Term[] = [
    [ratio, x],
    [-S * E, m0 as Prediction],
    ...(fresh === undefined ? [] : [[spread, fresh] as const]),
  ];
  /** −S·weight·(m − m₀)/r at a fraction r of the step. */
  const difference = (weight: number, m: Prediction) => {
    const c = (-S * weight * h) / (m.lambda - s.lambda);
    terms.push([c, m], [-c, m0 as Prediction]);
  };
  if (m1 === undefined) return terms;
  const first = z * wasm().phi(2, z);
  if (m2 === undefined) difference(variant === "midpoint" ? E / 2 : first, m1);
  else if (variant === "midpoint") difference(first, m2);
  else {
    // first·D₁ + second·D₂ with D₁ = (r₂ A − r₁ B)/(r₂ − r₁), D₂ = 2(B − A)/(r₂ − r₁), A and B the differences at r₁ and r₂.
    const [r1, r2] = [(m1.lambda - s.lambda) / h, (m2.lambda - s.lambda) / h];
    const second = secondMoment(predict, z, fresh !== undefined);
    difference((r2 * first - 2 * second) / (r2 - r1), m1);
    difference((2 * second - r1 * first) / (r2 - r1), m2);
  }
  return terms;
}

function checkTimes(name: string, value: unknown): readonly (readonly number[])[] {
  if (!Array.isArray(value)) check.wrongType(name, "a list with a list of times for each step", value);
  return value.map((entry, k) => {
    const times = Array.from(check.numbers(`${name}[${k}]`, entry), (t, i) => check.finite(`${name}[${k}][${i}]`, t));
    return times.length <= 2 ? times : check.wrongValue(`${name}[${k}]`, "at most two times", entry);
  });
}
