// Entry dc-solver/diffusers: any scheduler_config.json, the same numbers, through this library's plans.
import * as check from "../check.ts";
import type { PredictionType } from "../diffusion/prediction.ts";
import type { Plan } from "../plan/plan.ts";
import { rows } from "./classes/index.ts";
import { configToJSON, convertConfig, type Json, type ResolvedConfig, resolveConfig } from "./config.ts";
import { placeTimetable, planOfTimetable, type SchedulerPlanOptions } from "./plan.ts";
import type { TimetableRequest } from "./row.ts";
import { type SchedulerRun, startRun } from "./start.ts";
import type { TablePrecision } from "./tables.ts";

export { type BrownianOptions, brownianNoise } from "../diffusion/brownian.ts";
export { type AysGrid, type AysModel, ays, aysTimes } from "./ays.ts";
export { type CudaGenerator, type CudaOptions, cudaGenerator } from "./cuda-random.ts";
export { findSampler, type Sampler, samplerNames } from "./find-sampler.ts";
export type { SamplerOrigin, SolverOptions } from "./names.ts";
export type { SchedulerPlanOptions } from "./plan.ts";
export {
  type NormalGenerator,
  randnTensor,
  type TorchDraw,
  type TorchDtype,
  type TorchGenerator,
  torchGenerator,
} from "./random.ts";
export type { StepRequest, TimetableRequest } from "./row.ts";
export type { SchedulerRun, SchedulerStep } from "./start.ts";
export type { TablePrecision } from "./tables.ts";
export type { Json };

/** The times of a run. */
export interface SchedulerTimetable {
  /** What the network is told, one entry for each call, from the start index on. */
  readonly timesteps: readonly number[];
  /** The scheduler's sigmas, all of them; undefined for a class that has none. */
  readonly sigmas: readonly number[] | undefined;
  /** Factor of the initial noise. */
  readonly initNoiseSigma: number;
  /** Index of the first call in the whole list of timesteps; 0 without `strength`. */
  readonly startIndex: number;
}

/** A scheduler as a `scheduler_config.json` describes it. Immutable. */
export interface Scheduler {
  /** Name of the class, as `DDIMScheduler`. */
  readonly className: string;
  /** Each argument of the class as it resolves it. */
  readonly config: Readonly<Record<string, Json>>;
  /** Keys that are no arguments of the class and stay in the configuration. */
  readonly kept: Readonly<Record<string, Json>>;
  /** Keys that diffusers warns about and ignores. */
  readonly ignored: readonly string[];
  /** Overrides that are no arguments of the class, which diffusers drops in silence. */
  readonly unused: readonly string[];
  /** Arguments that want true or false and were given something else, which counts as Python counts it: "False" is true. */
  readonly oddBooleans: readonly string[];
  /** What the network gives, for a denoiser of this scheduler's plans. */
  readonly prediction: PredictionType;
  /** Returns the scheduler of another class made from this one, as `OtherScheduler.from_config(scheduler.config)`. */
  to(className: string, overrides?: Readonly<Record<string, unknown>>): Scheduler;
  /** Returns what a saved configuration file holds. */
  toJSON(): Record<string, unknown>;
  /** Returns the times of a run. @throws TypeError, RangeError. */
  timetable(options: TimetableRequest & { tables?: TablePrecision }): SchedulerTimetable;
  /** Returns the plan of a run, for `sample` and its like. @throws TypeError, RangeError. */
  plan(options: SchedulerPlanOptions): Plan;
  /** Returns a run for a loop of the caller's. @throws TypeError, RangeError. */
  start(options: SchedulerStartOptions): SchedulerRun;
}

/** What `start` takes: what `plan` does, and the shape of a state. */
export interface SchedulerStartOptions extends SchedulerPlanOptions {
  /** `[batch, ...dims]`; default: one item. Dynamic thresholding and errors of length are by item. */
  shape?: readonly number[];
}

/**
 * Returns the scheduler of a diffusers configuration.
 * @param config the text of `scheduler_config.json` (Python's NaN and Infinity included), or the parsed object
 * @param o.className loads it with another class; `o.overrides` replace arguments; `o.tables` is the precision of its tables where a
 *   request names none, "float32" by default, as diffusers has them
 * @throws TypeError, RangeError for what no class of diffusers takes, and for classes and arguments that are not supported, by name.
 */
export function schedulerFromConfig(
  config: string | object,
  o: { className?: string; overrides?: Readonly<Record<string, unknown>>; tables?: TablePrecision } = {},
): Scheduler {
  const { tables = "float32", ...rest } = check.options<typeof o>("schedulerFromConfig", o, [
    "className",
    "overrides",
    "tables",
  ]);
  return describe(resolveConfig(config, rest), check.oneOf("tables", tables, ["float32", "float64"]));
}

function describe(resolved: ResolvedConfig, tables: TablePrecision): Scheduler {
  const { className, config, kept, ignored, unused, oddBooleans } = resolved;
  const row = rows[className];
  const settings = { className, config, stored: { ...kept, ...config } };
  const full = (options: SchedulerPlanOptions): SchedulerPlanOptions => {
    const { tables: own = tables, ...rest } = check.object("options", options) as SchedulerPlanOptions;
    return { ...rest, tables: own };
  };
  const place = (options: SchedulerPlanOptions) => placeTimetable(row, settings, options);
  const named = config.prediction_type ?? row.prediction ?? "epsilon";
  // Euler's older name of it.
  const prediction = (named === "original_sample" ? "sample" : named) as PredictionType;
  return Object.freeze({
    className,
    config,
    kept,
    ignored,
    unused,
    oddBooleans,
    prediction,
    to: (name: string, overrides?: Readonly<Record<string, unknown>>) =>
      describe(convertConfig(resolved, name, overrides), tables),
    toJSON: () => configToJSON(resolved),
    timetable(options: TimetableRequest & { tables?: TablePrecision }) {
      const { timesteps, sigmas, initNoiseSigma, startIndex } = place(full(options));
      return Object.freeze({
        timesteps: Object.freeze(timesteps.slice(startIndex)),
        sigmas: sigmas === undefined ? undefined : Object.freeze(sigmas.slice()),
        initNoiseSigma,
        startIndex,
      });
    },
    plan(given: SchedulerPlanOptions) {
      const options = full(given);
      return planOfTimetable(row, settings, options, place(options));
    },
    start(given: SchedulerStartOptions) {
      const { shape, ...options } = full(given) as SchedulerStartOptions;
      if (shape !== undefined) check.shape("shape", shape);
      const timetable = place(options);
      return startRun(planOfTimetable(row, settings, options, timetable), timetable, prediction, shape);
    },
  });
}
