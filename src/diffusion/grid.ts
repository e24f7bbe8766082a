// Time grids: the points between which a solver steps, from noise to data. A spacing is a function of the share of the way, in the table below.
import * as check from "../check.ts";
import { wasm } from "../wasm/module.ts";
import { checkSchedule, type NoiseSchedule, scheduleDomain } from "./schedule.ts";

/** Returns the inner times number 1 … steps − 1 of `steps`; the ends are tMax and tMin. */
type Rule = (schedule: NoiseSchedule, steps: number) => (i: number) => number;

/** Returns point i of `steps` + 1 equidistant ones, exact at both ends. */
function between(from: number, to: number, steps: number, i: number): number {
  return ((steps - i) * from + i * to) / steps;
}

/** Returns lambda at an end of the range, which a rule cannot do without. */
function finiteLambda(schedule: NoiseSchedule, t: number): number {
  const lambda = schedule.lambda(t);
  if (Number.isFinite(lambda)) return lambda;
  throw new RangeError(
    `"spacing": expected one that needs no lambda at t = ${t}, where it is ${lambda}; use "time_uniform", or ends where signal and noise are both left, such as flow({ tMin: 1e-3, tMax: 0.999 })`,
  );
}

const timeUniform: Rule =
  ({ tMin, tMax }, steps) =>
  (i) =>
    between(tMax, tMin, steps, i);

const timeQuadratic: Rule = ({ tMin, tMax }, steps) => {
  if (tMin < 0) throw new RangeError(`"spacing": expected a schedule with tMin ≥ 0 for "time_quadratic", got ${tMin}`);
  const [from, to] = [Math.sqrt(tMax), Math.sqrt(tMin)];
  return (i) => {
    const root = between(from, to, steps, i);
    return root * root;
  };
};

const lambdaUniform: Rule = (schedule, steps) => {
  const [from, to] = [finiteLambda(schedule, schedule.tMax), finiteLambda(schedule, schedule.tMin)];
  return (i) => schedule.time(between(from, to, steps, i));
};

// Karras et al. (arXiv 2206.00364), equation 5, rho = 7. The noise ratio may end at 0, so the data end needs no finite lambda.
const karras: Rule = (schedule, steps) => {
  const from = wasm().exp(finiteLambda(schedule, schedule.tMax) / -7);
  const to = wasm().exp(schedule.lambda(schedule.tMin) / -7);
  return (i) => schedule.time(-7 * wasm().log(between(from, to, steps, i)));
};

const rules = {
  time_uniform: timeUniform,
  logSNR: lambdaUniform,
  time_quadratic: timeQuadratic,
  karras,
  exponential: lambdaUniform,
} satisfies Record<string, Rule>;

/**
 * A rule that places the times of a grid: `time_uniform` equidistant in t, `time_quadratic` in sqrt(t), `logSNR` and
 * `exponential` in lambda, `karras` in (sigma/alpha)^(1/7).
 */
export type Spacing = keyof typeof rules;

/** The names of all spacings; pure, so that a bundle without grids drops them. */
export const spacings: readonly Spacing[] = /* @__PURE__ */ Object.freeze(
  /* @__PURE__ */ Object.keys(rules) as Spacing[],
);

// Far above any use, and below what would exhaust the memory before the points could be told apart.
const mostSteps = 2 ** 24;

/**
 * Returns `steps` + 1 strictly decreasing times from `schedule.tMax` to `schedule.tMin`, both included exactly; a schedule with a
 * `shift` k has each of them, the ends too, mapped to k·t/(1 + (k − 1)·t).
 * @throws TypeError for something that is no schedule.
 * @throws RangeError for an unknown spacing, for one that needs a finite lambda at an end without one, and for so many steps that
 * two times coincide.
 */
export function timeGrid(schedule: NoiseSchedule, steps: number, spacing: Spacing = "time_uniform"): Float64Array {
  checkSchedule(schedule, "schedule");
  check.integer("steps", steps, 1);
  if (steps > mostSteps) check.wrongValue("steps", `at most ${mostSteps}`, steps);
  const inner = rules[check.oneOf("spacing", spacing, spacings)](schedule, steps);
  const grid = new Float64Array(steps + 1);
  const shift = schedule.shift ?? 1;
  for (let i = 0; i <= steps; i++) {
    const t = i === 0 ? schedule.tMax : i === steps ? schedule.tMin : inner(i);
    // The same as k·t/(1 + (k − 1)·t), and exactly 1 at 1.
    grid[i] = shift === 1 ? t : (shift * t) / (shift * t + (1 - t));
    if (i > 0 && !((grid[i] as number) < (grid[i - 1] as number))) {
      throw new RangeError(
        `"steps": expected times that fall, got ${grid[i]} after ${grid[i - 1]} at index ${i} of ${steps}; use fewer steps or a wider range`,
      );
    }
  }
  return grid;
}

/**
 * Returns a copy of a user's own grid: at least two finite times, strictly decreasing. With a `schedule` they are also times at
 * which it is defined and along which its lambda rises; they may reach beyond tMin and tMax.
 * @throws TypeError if it is not an array of numbers.
 * @throws RangeError naming the first entry that is wrong.
 */
export function checkGrid(values: unknown, name: string, schedule?: NoiseSchedule): Float64Array {
  // + 0 makes 0 of −0, which JSON does not keep.
  const grid = Float64Array.from(check.numbers(name, values), (t) => t + 0);
  if (grid.length < 2) throw new RangeError(`"${name}": expected at least 2 times, got ${grid.length}`);
  const [low, high] = schedule === undefined ? [-Infinity, Infinity] : scheduleDomain(schedule);
  let lambdaBefore: number | undefined;
  grid.forEach((t, i) => {
    const entry = `${name}[${i}]`;
    check.finite(entry, t);
    const before = i === 0 ? Infinity : (grid[i - 1] as number);
    if (t >= before) check.wrongValue(entry, `less than the time before, ${before}`, t);
    if (t < low || t > high) check.wrongValue(entry, `a time of the schedule, from ${low} to ${high}`, t);
    if (schedule === undefined) return;
    const lambda = schedule.lambda(t);
    const rises = lambdaBefore === undefined ? !Number.isNaN(lambda) : lambda > lambdaBefore;
    if (!(rises && schedule.alpha(t) >= 0 && schedule.sigma(t) >= 0)) {
      check.wrongValue(entry, "a time with alpha ≥ 0, sigma ≥ 0 and a lambda above the one before", t);
    }
    lambdaBefore = lambda;
  });
  return grid;
}
