// A plan: the straight-line program of one sampling run, in single-assignment form, grouped by step.
// It is plain data. Solvers write it (tracer), `compensate` rewrites it, `lower` turns it into slots, nothing executes it directly.
import type { Spacing } from "../diffusion/grid.ts";
import type { Point, Space } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";

export type { Point, Space };

/** A value of the plan: the start state is 0, every operation writes the next number. */
export type ValueId = number;

/** One model call: `to` is its output converted to `space`, at state `x`. */
export interface Evaluate extends Point {
  readonly kind: "evaluate";
  readonly to: ValueId;
  readonly x: ValueId;
  /** What the network is told. */
  readonly modelTime: number;
  readonly space: Space;
  /** The network is given input·x, and its output is about that; default 1. */
  readonly input?: number;
  /** The network is one of EDM's (`edmPreconditioning`) for data of this deviation: what `epsilon` and `v_prediction` mean then. */
  readonly sigmaData?: number;
}

/** to = Σ coefficient · from, each value at most once. */
export interface Combine {
  readonly kind: "combine";
  readonly to: ValueId;
  readonly terms: readonly (readonly [coefficient: number, from: ValueId])[];
  /** Set on a dynamic compensation: the model output that `to` replaces from here on. */
  readonly replaces?: ValueId;
}

/** A tensor of standard normals: number `draw` (1, 2, …) of the run; 0 is the initial noise. */
export interface Draw {
  readonly kind: "draw";
  readonly to: ValueId;
  readonly draw: number;
}

/**
 * Dynamic thresholding, batch item by batch item: s = min(max(quantile(|from|, ratio), maxValue), limit),
 * to = clamp(from, −s, s)·maxValue/s. Where limit is maxValue, this is clamping. Source: Saharia et al. 2022 (Imagen), section 2.3.
 */
export interface Clip {
  readonly kind: "clip";
  readonly to: ValueId;
  readonly from: ValueId;
  readonly ratio: number;
  readonly maxValue: number;
  /** Default: none. */
  readonly limit?: number;
}

export type Operation = Evaluate | Combine | Draw | Clip;

/** A model output as the solver sees it: `value` enters its formulas, `denoised` is the same as x₀, thresholded. */
export interface Output {
  readonly t: number;
  readonly value: ValueId;
  readonly denoised: ValueId;
}

/** One step of the grid, from `start` to `end`. */
export interface PlanStep {
  readonly start: Point;
  readonly end: Point;
  readonly operations: readonly Operation[];
  /** The model outputs that came to be in this step, oldest first; a corrector's belongs to the step it corrects. */
  readonly outputs: readonly Output[];
  /** The state at `end`. */
  readonly state: ValueId;
  /** Set where the step does not claim to keep a clean signal clean; `validate` then takes `end` at its word. */
  readonly consistent?: false;
}

/** Settings of dynamic thresholding: quantile, least and largest bound. */
export interface Thresholding {
  /** Default 0.995. */
  readonly ratio?: number;
  /** Default 1; what is returned lies within ± this. */
  readonly maxValue?: number;
  /** Largest bound, default none; it wins over `maxValue`. Where they are equal, this is plain clamping. */
  readonly limit?: number;
}

/** Noise that is added before a step, by whose names in Karras et al. 2022 (arXiv 2206.00364, algorithm 2) it goes elsewhere. */
export interface Churn {
  /** S_churn: over the number of steps, by which share sigma/alpha is raised. */
  readonly amount: number;
  /** S_tmin and S_tmax: sigma/alpha from and to which it is added, default everywhere. */
  readonly from?: number;
  readonly to?: number;
  /** S_noise: factor of the noise's deviation, default 1. */
  readonly noise?: number;
  /**
   * Set where the network is called before the noise is added, and its output, of this kind, is read at the raised level (v at the
   * lower one), as diffusers does; an EDM network's by its preconditioning.
   */
  readonly unseen?: "epsilon" | "sample" | "v_prediction";
}

/** What DDPM does otherwise. */
export interface Posterior {
  /** "large": fresh noise of the forward step's variance, which leaves more noise than the level has (Ho et al. 2020, section 3.2). */
  readonly variance?: "small" | "large";
  /** Whether the last step draws too, default true; if not, it is the deterministic one. */
  readonly lastDraw?: boolean;
}

/** Where diffusers' PNDM and IPNDM do otherwise than the papers, in the schedule's own units of time. */
export interface PndmDepartures {
  /** Whether v = alpha·ε − sigma·x₀ is averaged instead of ε. */
  readonly velocity?: boolean;
  /** Whether x₀ counts as 0 where alpha is 0. */
  readonly blind?: boolean;
  /** How far before its end the repeated first step starts. */
  readonly stride?: number;
  /** Where its second call is and it ends, whatever the grid says. */
  readonly second?: number;
  /** How far from both ends of a Runge-Kutta step its middle lies. */
  readonly half?: number;
}

/** What `createPlan` takes. Which solver takes what, with defaults: docs/solvers.md. */
export interface PlanOptions {
  schedule: NoiseSchedule;
  /** Number of steps, with `spacing`; or an explicit `grid` of steps + 1 decreasing times. */
  steps?: number;
  spacing?: Spacing;
  grid?: ArrayLike<number>;
  /** Times are moved to whole training timesteps, for networks that are told an integer; vp-discrete only, default false. */
  integerTimesteps?: boolean;
  solver?: "unipc" | "ddim" | "dpmpp" | (string & {});
  order?: number;
  eta?: number;
  rawNoise?: boolean;
  churn?: Churn;
  posterior?: Posterior | null;
  start?: "none" | "repeat" | "runge_kutta";
  departures?: PndmDepartures | null;
  boundary?: { readonly scaling: number } | null;
  lastDraw?: boolean;
  gamma?: number;
  through?: { readonly times: readonly number[] } | null;
  variant?: "bh1" | "bh2" | "midpoint" | "heun";
  predict?: Space;
  corrector?: boolean;
  disableCorrector?: readonly number[];
  correctorOrder?: number;
  tau?: readonly (readonly [from: number, to: number, tau: number])[];
  sde?: boolean;
  eulerFinal?: boolean;
  intermediate?: readonly (readonly number[])[];
  lowerOrderFinal?: boolean;
  thresholding?: Thresholding;
  /** Factor of the initial noise; default: sigma of the first time where alpha is 1 there (variance exploding), else 1. */
  noiseScale?: number;
  ratios?: readonly number[];
  dcOrder?: number;
}

/** A finished plan. Frozen; share it between runs as you like. */
export interface Plan {
  /** Number of model calls; a guided pair counts once. */
  readonly nfe: number;
  /** Number of standard-normal tensors it consumes beside the initial noise. */
  readonly draws: number;
  /** The times, noise to data, steps + 1 of them. */
  readonly grid: Float64Array;
  /**
   * What made it, defaults filled in; `createPlan(plan.options)` gives the same bits. Of a scheduler's plan (dc-solver/diffusers) they
   * are a description: its steps may aim at levels that no option names.
   */
  readonly options: Readonly<PlanOptions>;
  readonly steps: readonly PlanStep[];
  /** Returns the plan as JSON: `{ kind: "dc-solver/plan", version: 1, options, grid, steps, digest }`. */
  toJSON(): unknown;
}

/** Returns the model calls of a plan, in their order. */
export function modelCalls({ steps }: Pick<Plan, "steps">): Evaluate[] {
  return steps.flatMap(({ operations }) => operations.filter((o): o is Evaluate => o.kind === "evaluate"));
}

/**
 * Returns the factor of a plan's initial noise: its own, or the sigma of a first level that keeps the signal whole (variance exploding);
 * elsewhere alpha² + sigma² = 1, or alpha = 0, stands for "all noise".
 */
export function noiseFactor({ steps, options }: Pick<Plan, "steps" | "options">): number {
  const { alpha, sigma } = (steps[0] as PlanStep).start;
  return options.noiseScale ?? (alpha === 1 ? sigma : 1);
}

/** Returns the values an operation reads. */
export function inputs(operation: Operation): readonly ValueId[] {
  switch (operation.kind) {
    case "evaluate":
      return [operation.x];
    case "combine":
      return operation.terms.map(([, from]) => from);
    case "clip":
      return [operation.from];
    case "draw":
      return [];
  }
}

/** Returns the operation with its values renamed. */
export function rename(operation: Operation, name: (value: ValueId) => ValueId, to: ValueId): Operation {
  switch (operation.kind) {
    case "evaluate":
      return { ...operation, to, x: name(operation.x) };
    case "combine": {
      const terms = operation.terms.map(([coefficient, from]) => [coefficient, name(from)] as const);
      const { replaces } = operation;
      return { ...operation, to, terms, ...(replaces === undefined ? {} : { replaces: name(replaces) }) };
    }
    case "clip":
      return { ...operation, to, from: name(operation.from) };
    case "draw":
      return { ...operation, to };
  }
}

/** Returns what an object of plain data becomes when nothing in it can be changed any more. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const entry of Object.values(value)) deepFreeze(entry);
  }
  return value;
}
