// Problems that know their answer: Gaussian data, whose probability-flow ODE has a closed form, and schedules to pose them on.
import { edm, flow, type NoiseSchedule, type Plan, vpCosine, vpDiscrete, vpLinear } from "../../src/index.ts";
import type { Operation, Point, ValueId } from "../../src/plan/plan.ts";

/** Schedules with signal and noise at both ends. */
export const schedules: Readonly<Record<string, () => NoiseSchedule>> = {
  "vp-discrete": () => vpDiscrete(),
  "vp-discrete, scaled linear": () => vpDiscrete({ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 }),
  "vp-discrete, cosine": () => vpDiscrete({ betaSchedule: "squaredcos_cap_v2" }),
  "vp-linear": () => vpLinear(),
  "vp-cosine": () => vpCosine(),
  edm: () => edm(),
  "flow between its ends": () => flow({ tMin: 1e-3, tMax: 0.999, shift: 3 }),
};

/** Schedules that end where lambda is infinite, or nearly so. */
export const extremeSchedules: Readonly<Record<string, () => NoiseSchedule>> = {
  "flow from pure noise to pure data": () => flow(),
  "edm to sigma 0": () => edm({ sigmaMin: 0 }),
  "zero terminal SNR": zeroTerminalSnr,
};

/**
 * The betas of Stable Diffusion, rescaled so that no signal is left at the end, and the 0 there replaced by 2^-24.
 * Source: Lin et al. (arXiv 2305.08891), algorithm 1.
 */
export function zeroTerminalSnr(): NoiseSchedule {
  const roots: number[] = [];
  for (let i = 0, product = 1; i < 1000; i++) {
    const root = Math.sqrt(0.00085) + (i / 999) * (Math.sqrt(0.012) - Math.sqrt(0.00085));
    product *= 1 - root * root;
    roots.push(Math.sqrt(product));
  }
  const [first, last] = [roots[0] as number, roots[999] as number];
  const rescaled = roots.map((root) => ((root - last) * first) / (first - last));
  return vpDiscrete({ alphasCumprod: rescaled.map((root) => Math.max(root * root, 2 ** -24)) });
}

/** Returns the times of `steps` + 1 equidistant values of lambda. */
export function lambdaGrid(schedule: NoiseSchedule, from: number, to: number, steps: number): number[] {
  return Array.from({ length: steps + 1 }, (_, i) => schedule.time(((steps - i) * from + i * to) / steps));
}

/** One-dimensional data N(mean, deviation²). */
export interface Gaussian {
  readonly mean: number;
  readonly deviation: number;
}

/** The toy of the tables: mean 1/2, deviation 0.3. */
export const toy: Gaussian = { mean: 0.5, deviation: 0.3 };

const variance = ({ deviation }: Gaussian, { alpha, sigma }: Omit<Point, "t">) =>
  alpha * alpha * deviation * deviation + sigma * sigma;

/** Returns the solution at `t` of the probability-flow ODE that starts from x at `s`. */
export function exactFlow(data: Gaussian, s: Omit<Point, "t">, x: number, t: Omit<Point, "t">): number {
  return t.alpha * data.mean + Math.sqrt(variance(data, t) / variance(data, s)) * (x - s.alpha * data.mean);
}

/** Returns E[x₀ | x] and E[ε | x], each without the cancellation that going through the other has. */
export function exactDenoiser(data: Gaussian, at: Omit<Point, "t">, x: number): { sample: number; epsilon: number } {
  const residual = (x - at.alpha * data.mean) / variance(data, at);
  return {
    sample: data.mean + at.alpha * data.deviation * data.deviation * residual,
    epsilon: at.sigma * residual,
  };
}

/**
 * Returns the largest error of a plan's states against the exact solution for Gaussian data, each in units of the deviation that all
 * states at its time have; computed in float64, for a plan without draws. (The error of the last state alone passes through 0 at some
 * step lengths, where errors of different parts of the way cancel.)
 *
 * In the first `exactSteps` steps every model call sees the exact solution at its time, and the step ends on it: a multistep method
 * then starts from a history without error.
 */
export function largestError(plan: Pick<Plan, "steps">, data: Gaussian, start: number, exactSteps: number): number {
  const values = new Map<ValueId, number>([[0, start]]);
  const value = (id: ValueId) => values.get(id) as number;
  const origin = plan.steps[0]?.start as Point;
  const compute = (operation: Operation, exact: boolean): number => {
    switch (operation.kind) {
      case "combine":
        return operation.terms.reduce((sum, [c, from]) => sum + c * value(from), 0);
      case "evaluate": {
        const x = exact ? exactFlow(data, origin, start, operation) : value(operation.x);
        return exactDenoiser(data, operation, x)[operation.space];
      }
      default:
        throw new Error(`no closed form for ${operation.kind}`);
    }
  };
  let largest = 0;
  for (const [k, step] of plan.steps.entries()) {
    for (const operation of step.operations) values.set(operation.to, compute(operation, k < exactSteps));
    const exact = exactFlow(data, origin, start, step.end);
    if (k < exactSteps) values.set(step.state, exact);
    largest = Math.max(largest, Math.abs(value(step.state) - exact) / Math.sqrt(variance(data, step.end)));
  }
  return largest;
}

/** Returns the slope of the least-squares line through (log x, log y). */
export function logSlope(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (i: 0 | 1) => logs.reduce((sum, p) => sum + p[i], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  return covariance / logs.reduce((sum, [x]) => sum + (x - mx) * (x - mx), 0);
}

/** Returns numbers from 0 to 1 that are the same in every run (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
