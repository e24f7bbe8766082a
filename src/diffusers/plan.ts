// From a class's timetable to a plan: the same plans, solvers and runs as everywhere else.
import * as check from "../check.ts";
import type { Plan } from "../plan/plan.ts";
import { findSolver, planOn } from "../solvers/index.ts";
import type { ClassRow, Settings, StepRequest, Timetable, TimetableRequest } from "./row.ts";
import type { Level } from "./table-schedule.ts";
import type { TablePrecision } from "./tables.ts";

/** Options of a plan: of the timetable, of the steps, and where to start. */
export interface SchedulerPlanOptions extends TimetableRequest, StepRequest {
  /**
   * Index in `timesteps` of the first call, for image to image; default what `strength` says, else 0. Such a run is meant to be given
   * its state (`initial`); noise alone is scaled by `initNoiseSigma`, wherever a run starts, as in the loops of diffusers.
   */
  startIndex?: number;
  /** Precision of the tables, default "float32", as diffusers has them. */
  tables?: TablePrecision;
}

/** A timetable and where a run enters it. */
export interface PlacedTimetable extends Timetable {
  /** Index in `timesteps` of the first call. */
  readonly startIndex: number;
  /** The step that begins there. */
  readonly startStep: number;
}

/** Far above any run; what ten times as many take, is seconds. */
const mostSteps = 10_000;

/** Returns the timetable of a request after checking it against what the class takes. */
export function placeTimetable(row: ClassRow, settings: Settings, options: SchedulerPlanOptions): PlacedTimetable {
  const title = settings.className;
  const taken = new Set(["steps", "strength", ...row.takes, "tables", "startIndex", ...row.stepTakes]);
  check.options(title, options, [...taken]);
  const { tables = "float32", strength, startIndex } = options;
  check.oneOf("tables", tables, ["float32", "float64"]);
  const lists = (["steps", "timesteps", "sigmas"] as const).filter((name) => options[name] !== undefined);
  if (options.steps !== undefined) check.integer("steps", options.steps, 1, mostSteps);
  if (lists.length === 0) throw new TypeError('"steps": required where neither "timesteps" nor "sigmas" is given');
  if (strength !== undefined) check.share("strength", strength);
  if (strength !== undefined && startIndex !== undefined)
    throw new TypeError('"startIndex": expected none beside "strength"');
  const timetable = row.timetable(settings, options, tables);
  const firstCalls = timetable.firstCalls ?? timetable.timesteps.map((_, i) => i);
  let startStep = 0;
  if (strength !== undefined && !row.takes.includes("strength")) {
    // What the image-to-image pipelines do: skip = n − min(⌊n·strength⌋, n) steps, those of flow matching ⌊n − min(n·strength, n)⌋.
    // Of the number asked for, though "trailing" may list one more.
    const steps = options.steps ?? firstCalls.length;
    const made = Math.min(steps * strength, steps);
    startStep = row.roundsSkipped ? Math.floor(steps - made) : steps - Math.floor(made);
    if (startStep >= Math.min(steps, firstCalls.length))
      check.wrongValue("strength", `at least 1/${steps}, which is one step`, strength);
  } else if (startIndex !== undefined) {
    check.integer("startIndex", startIndex, 0, timetable.timesteps.length - 1);
    startStep = firstCalls.indexOf(startIndex);
    if (startStep < 0)
      check.wrongValue("startIndex", `the index of a step's first call, one of ${firstCalls.join(", ")}`, startIndex);
  }
  return { ...timetable, startStep, startIndex: firstCalls[startStep] as number };
}

/** Returns the plan of a placed timetable. */
export function planOfTimetable(
  row: ClassRow,
  settings: Settings,
  options: SchedulerPlanOptions,
  timetable: PlacedTimetable,
): Plan {
  const { startStep: from, initNoiseSigma } = timetable;
  const levels = timetable.stops
    ? timetable.stops(from).map((i) => timetable.levels[i] as Level)
    : timetable.levels.slice(from);
  if (settings.config.prediction_type === "epsilon" && levels[0]?.alpha === 0) {
    const remedy =
      "at zero terminal SNR it says nothing about x₀; the network must be of another kind, or the grid start lower";
    check.wrongValue("prediction_type", '"v_prediction" or "sample"', "epsilon", remedy);
  }
  const { solver, ...method } = row.method(settings, options, timetable, from);
  const grid = Float64Array.from(levels, ({ t }) => t);
  return planOn({ schedule: timetable.schedule(from), ...method, noiseScale: initNoiseSigma }, findSolver(solver), {
    grid,
    placed: { steps: levels.length - 1, grid: Array.from(grid) },
    ...(timetable.arrivals === undefined ? {} : { arrivals: timetable.arrivals.slice(from) }),
  });
}
