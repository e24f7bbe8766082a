// What a solver file exports: its name, its options with their checks and defaults, what is known of its order, and `build`.

import type { Point, Space } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import type { Prediction, Term, Trace, Value } from "../plan/tracer.ts";

/** One option of a solver: its default, its check (which throws in the contract's form) and a line for the documentation. */
export interface SolverOption<T> {
  readonly default: T;
  check(name: string, value: unknown, steps: number): T;
  readonly about: string;
}

/** A time of the grid with its noise level; lambda is infinite where alpha or sigma is 0. */
export interface GridPoint extends Point {
  readonly lambda: number;
}

/** What every solver is given beside its own options. */
export interface Problem {
  readonly schedule: NoiseSchedule;
  /** steps + 1 points, noise to data. */
  readonly points: readonly GridPoint[];
  /**
   * Returns the level to which step k goes: points[k + 1], unless a scheduler's table says otherwise (diffusers' DDIM and its like
   * aim at timestep t − T/n, and start the next step from where the grid says). Only first-order methods need to ask.
   */
  arrival(k: number): GridPoint;
  readonly predict: Space;
  readonly lowerOrderFinal: boolean;
}

export interface Solver<O extends object = Record<string, unknown>> {
  readonly name: string;
  /** Names other libraries use for it. */
  readonly aliases: readonly string[];
  /** One sentence for the documentation: what it is, and its source. */
  readonly about: string;
  readonly options: { readonly [K in keyof O]: SolverOption<O[K]> };
  /** Global order seen on smooth problems in float64; undefined for a stochastic setting, which has none. */
  observedOrder(options: O): number | undefined;
  /** Whether each step starts from a model output at the grid's time, so that `compensate` can replace it. */
  readonly multistep: boolean;
  /** Writes the whole run on the trace: one `endStep` for each step of the grid. */
  build(trace: Trace, problem: Problem, options: O): void;
}

/**
 * Returns the solver with its option types kept together with its code.
 * @__NO_SIDE_EFFECTS__ A bundle without createPlan drops the solvers.
 */
export function defineSolver<O extends object>(solver: Solver<O>): Solver<O> {
  return Object.freeze(solver);
}

/**
 * Returns whether a step starts without signal, ends without noise, or goes nowhere (grids that say their last level twice):
 * there only the first-order data form is defined.
 */
export function isSingular(s: GridPoint, t: GridPoint): boolean {
  return !Number.isFinite(s.lambda) || !Number.isFinite(t.lambda) || s.lambda === t.lambda;
}

/** Returns the level of a time that need not be one of the grid's. */
export function levelAt(schedule: NoiseSchedule, t: number): GridPoint {
  return { t, alpha: schedule.alpha(t), sigma: schedule.sigma(t), lambda: schedule.lambda(t) };
}

/**
 * Returns x_t = alpha_t x₀ + kept·ε, where m is the one of both that `space` says and x = alpha_s x₀ + sigma_s ε gives the other; with
 * kept = sigma_t the exact step for a constant prediction.
 */
export function firstOrder(
  s: Point,
  t: Point,
  x: Value,
  m: Value,
  space: Space = "sample",
  kept: number = t.sigma,
): Term[] {
  const data = space === "sample";
  const a = data ? kept / s.sigma : t.alpha / s.alpha;
  return [
    [a, x],
    [data ? t.alpha - a * s.alpha : kept - a * s.sigma, m],
  ];
}

/**
 * Returns the outputs that a multistep formula of order `order` may use in step k, newest first: fewer while the history warms up,
 * and in the last steps where `lowerOrderFinal` asks for it. An output made at lambda = −∞ ends the usable history.
 */
export function usable(problem: Problem, history: readonly Prediction[], k: number, order: number): Prediction[] {
  const end = history.findIndex((m) => !Number.isFinite(m.lambda));
  const left = problem.points.length - 1 - k;
  const count = Math.min(order, end < 0 ? history.length : end, problem.lowerOrderFinal ? left : order);
  return history.slice(0, count);
}
