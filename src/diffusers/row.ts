// What a scheduler class is here: its arguments (defaults.ts), a rule for its timetable, and one of the solvers.
import type { Point, PredictionType } from "../diffusion/prediction.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import type { PlanOptions } from "../plan/plan.ts";
import type { Config } from "./defaults.ts";
import type { Level } from "./table-schedule.ts";
import type { TablePrecision } from "./tables.ts";

/** A class's arguments as resolved, and everything else that its stored configuration holds. */
export interface Settings {
  readonly className: string;
  readonly config: Config;
  /** `config` and the keys of other classes that stay beside it. */
  readonly stored: Config;
}

/** What `set_timesteps` takes. */
export interface TimetableRequest {
  /** Number of steps. */
  steps?: number;
  /** Or the timesteps themselves, noise to data. */
  timesteps?: readonly number[];
  /** Or the sigmas. */
  sigmas?: readonly number[];
  /** Exponent of dynamic shifting. */
  mu?: number;
  /** Share of the noise that image to image adds, 0 to 1. */
  strength?: number;
  /** Steps of the teacher's grid (LCM, TCD). */
  originalSteps?: number;
}

/** What `step` takes, and what says where a run starts. */
export interface StepRequest {
  /** Share of fresh noise (DDIM, TCD). */
  eta?: number;
  /** Whether DDIM takes ε from the clipped x₀. */
  useClippedModelOutput?: boolean;
  /** Order of LMS. */
  order?: number;
  sChurn?: number;
  sTmin?: number;
  sTmax?: number;
  sNoise?: number;
}

/** A timetable with all that a plan needs. */
export interface Timetable {
  /** What the network is told, one entry for each call, those of second-order classes doubled. */
  readonly timesteps: readonly number[];
  /** The scheduler's sigmas as diffusers lists them. */
  readonly sigmas: readonly number[] | undefined;
  readonly initNoiseSigma: number;
  /** The levels between which the plan's steps go, noise to data. */
  readonly levels: readonly Level[];
  /** The level to which each step goes, where that is not the next of `levels`. */
  readonly arrivals?: readonly (Point | undefined)[];
  /** Index of the first call of each step in `timesteps`; default: one call a step. */
  readonly firstCalls?: readonly number[];
  /** Returns the levels between which a run goes that starts at level `from`, by index, where a step is more than one level long. */
  stops?(from: number): readonly number[];
  /** Returns the schedule of the levels from a step on. */
  schedule(from: number): NoiseSchedule;
}

/** The plan options that a class comes to: its solver with its options. */
export type Method = Omit<PlanOptions, "schedule" | "steps" | "spacing" | "grid" | "ratios" | "dcOrder">;

/** One class. */
export interface ClassRow {
  /** What the network gives, for classes without `prediction_type`. */
  readonly prediction?: PredictionType;
  /** Options of `set_timesteps` beside `steps`. */
  readonly takes: readonly (keyof TimetableRequest)[];
  /** Options of `step`. */
  readonly stepTakes: readonly (keyof StepRequest)[];
  /** Whether image to image rounds the number of steps that it leaves out down, instead of that of the steps it makes. */
  readonly roundsSkipped?: true;
  /** Returns the timetable of a request. @throws TypeError, RangeError also for what the constructor does not look at. */
  timetable(settings: Settings, request: TimetableRequest, tables: TablePrecision): Timetable;
  /** Returns the solver with its options for a run that starts with step `from`. @throws TypeError, RangeError. */
  method(
    settings: Settings,
    request: StepRequest & TimetableRequest & { tables?: TablePrecision },
    timetable: Timetable,
    from: number,
  ): Method;
}
