// What a noise schedule is, and what those of this library have in common: frozen objects whose methods need no `this`. Every exp
// and log is the module's, so that a plan has the same bits on every runtime.
import * as check from "../check.ts";
import { wasm } from "../wasm/module.ts";

/** How much signal and how much noise a state holds at a time; times fall from noise to data. All numbers are doubles. */
export interface NoiseSchedule {
  /** The name of the schedule; one that is the user's own names its own kind. */
  readonly kind: "vp-discrete" | "vp-linear" | "vp-cosine" | "edm" | "flow" | (string & {});
  /** Data end of the default integration range. */
  readonly tMin: number;
  /** Noise end of the default integration range. */
  readonly tMax: number;
  /** k of `flow({ shift: k })`: every time t that `timeGrid` makes becomes k·t/(1 + (k − 1)·t). */
  readonly shift?: number;
  alpha(t: number): number;
  sigma(t: number): number;
  /** Returns ln(alpha/sigma), half the logarithm of the signal-to-noise ratio; ∞ where sigma is 0, −∞ where alpha is 0. */
  lambda(t: number): number;
  /** Returns the time at which `lambda` has this value. */
  time(lambda: number): number;
  /** Returns what the network is told: the index in the table (fractional between two entries), 1000·t, or sigma. */
  modelTime(t: number): number;
  /** Returns the factor of the network's input, whose output is about the scaled state; default 1. */
  input?(t: number): number;
  /** There if the network is one of EDM's, for data of this deviation. */
  readonly sigmaData?: number;
}

/** The functions of a schedule, without the checks of their arguments. */
export type Curves = Pick<NoiseSchedule, "alpha" | "sigma" | "lambda" | "time" | "modelTime">;
/** From … to, both included. */
export type Range = readonly [low: number, high: number];

/** What a built-in schedule is made of, in its JSON form, and the times at which it is defined. */
export interface Recipe {
  readonly json: Readonly<Record<string, unknown> & { kind: string }>;
  readonly domain: Range;
}

// By object and not by `kind`: a user's object may call itself "vp-linear".
const recipes = new WeakMap<object, Recipe>();

/** Returns a schedule of this library: frozen, its arguments checked, recognised by {@link recipeOf}. */
export function builtIn(recipe: Recipe, [tMin, tMax]: Range, curves: Curves, extra?: { shift: number }): NoiseSchedule {
  const [low, high] = recipe.domain;
  const within = `a time from ${low} to ${high}`;
  const checked = (curve: (t: number) => number) => (t: number) =>
    curve(check.number("t", t, within, (v) => v >= low && v <= high));
  const schedule = Object.freeze({
    kind: recipe.json.kind,
    tMin,
    tMax,
    ...extra,
    alpha: checked(curves.alpha),
    sigma: checked(curves.sigma),
    lambda: checked(curves.lambda),
    time: (lambda: number) => curves.time(check.number("lambda", lambda, "a number", () => true)),
    modelTime: checked(curves.modelTime),
  });
  recipes.set(schedule, recipe);
  return schedule;
}

/** Returns the curves of a schedule with alpha² + sigma² = 1 from its log alpha. */
export function variancePreserving(logAlpha: (t: number) => number, rest: Pick<Curves, "time" | "modelTime">): Curves {
  return {
    alpha: (t) => wasm().vpAlpha(logAlpha(t)),
    sigma: (t) => wasm().vpSigma(logAlpha(t)),
    lambda: (t) => wasm().vpLambda(logAlpha(t)),
    ...rest,
  };
}

/** Returns what a built-in schedule is made of; undefined for a user's own. */
export function recipeOf(schedule: object): Recipe | undefined {
  return recipes.get(schedule);
}
