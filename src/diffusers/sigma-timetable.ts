// The timetable of the classes whose states preserve variance, or are those of a rectified flow, and whose time is a sigma: both
// DPM-Solvers, DEIS, UniPC, SA-Solver. They differ by a rule, and by which arguments they have.
import * as check from "../check.ts";
import { roundHalfEven } from "../diffusion/snap.ts";
import { wasm } from "../wasm/module.ts";
import { interpolate, linspace, type Rounding } from "./arithmetic.ts";
import type { Config } from "./config.ts";
import { truth } from "./construct.ts";
import { flowSigmas } from "./flow-sigmas.ts";
import type { Settings, Timetable, TimetableRequest } from "./row.ts";
import { betaSigmas, endsOf, exponentialSigmas, karrasSigmas } from "./sigma-grids.ts";
import { checkAlone, givenTimesteps, multistepTimesteps } from "./spacing.ts";
import {
  betweenSigmas,
  familyLevel,
  hair,
  type Level,
  type SigmaFamily,
  sigmaLevels,
  tableSchedule,
} from "./table-schedule.ts";
import { type NoiseTables, sigmaTables, type TablePrecision } from "./tables.ts";

/** What distinguishes the classes beside their arguments. */
export interface SigmaRule {
  /** Where a run that keeps noise ends: at the table's first sigma, or, unless timesteps are spaced, at the grid's last once more. */
  readonly final: "table" | "grid";
  /**
   * Whether alpha and sigma are rounded like the tables. It brings data prediction closer to diffusers, which divides by a rounded
   * alpha: by up to 1/alpha where little signal is left. In noise prediction more depends on a float32 exp(h), which nothing repeats.
   */
  readonly roundsLevels?: boolean;
  /** Whether steps of no length are finite in the middle of a run: only where no formula divides by the length of a step. */
  readonly repeats: boolean;
  /** Whether the timesteps of karras and lu grids are cut off instead of rounded with cosine betas. */
  readonly cutsCosine?: boolean;
  /** Whether flow sigmas start at 1 and can be given, and karras sigmas s become s/(1 + s): UniPC. */
  readonly ownFlow?: boolean;
}

/** Sigmas, noise to data, without the final one, and what the network is told: both before they are rounded. */
interface Grid {
  readonly sigmas: readonly number[];
  readonly told: readonly number[];
}

const grids = ["use_karras_sigmas", "use_lu_lambdas", "use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas"];

/** Returns the timetable of a request by the rule of a class. @throws TypeError, RangeError by the name of the argument. */
export function sigmaTimetable(
  { config, stored }: Settings,
  request: TimetableRequest,
  tables: TablePrecision,
  rule: SigmaRule,
): Timetable {
  const { noise, round, table, logs, toTimestep } = sigmaTables(config, tables);
  const trainSteps = config.num_train_timesteps as number;
  const family: SigmaFamily = truth(config.use_flow_sigmas) ? "flow" : "vp";
  checkPrediction(config, family);

  const chosen = grids.find((name) => truth(config[name]));
  const count = countOf(request, chosen);
  const ends = endsOf(stored, [table.at(-1) as number, table[0] as number]);
  const cosine = rule.cutsCosine === true && config.beta_schedule === "squaredcos_cap_v2";
  const reshaped = (sigmas: readonly number[], rounded: boolean): Grid => ({
    sigmas,
    told: sigmas.map((s) => (rounded ? roundHalfEven(toTimestep(s)) : toTimestep(s))),
  });
  const flow = (sigmas: readonly number[]): Grid => ({ sigmas, told: sigmas.map((s) => s * trainSteps) });
  // Both are looked at in any case.
  const shifted = flowSigmas(config, request, count, rule.ownFlow === true);
  const spaced = request.timesteps ? [] : spacedTimesteps(config, count, noise);
  const grid = (): Grid => {
    switch (chosen) {
      case "use_karras_sigmas": {
        const sigmas = karrasSigmas(ends, count);
        if (family === "flow" && rule.ownFlow === true) return flow(sigmas.map((s) => s / (s + 1)));
        return reshaped(sigmas, !cosine);
      }
      case "use_lu_lambdas": {
        // Equidistant in lambda between the ends of the table, whatever sigma_min and sigma_max say.
        const [low, high] = [logs[0] as number, logs.at(-1) as number];
        return reshaped(
          linspace(0, 1, count).map((x) => wasm().exp(high + x * (low - high))),
          !cosine,
        );
      }
      case "use_exponential_sigmas":
        return reshaped(exponentialSigmas(ends, count), false);
      case "use_beta_sigmas":
        return reshaped(betaSigmas(ends, count), false);
      case "use_flow_sigmas":
        return flow(shifted());
      default: {
        const told = request.timesteps ? givenTimesteps(request.timesteps, trainSteps).map(Math.trunc) : spaced;
        return { sigmas: told.map((t) => interpolate(table, t)), told };
      }
    }
  };
  const { sigmas, told } = grid();
  const timesteps = told.map(Math.trunc);
  // A class without the argument ends with noise.
  const { final_sigmas_type: kind = "sigma_min" } = config;
  const end = check.oneOf("final_sigmas_type", kind, ["zero", "sigma_min"]);
  const least = (rule.final === "table" || chosen === undefined ? table[0] : sigmas.at(-1)) as number;
  const all = [...sigmas, end === "zero" ? 0 : least].map(round);
  if (family === "flow" && !all.every((s) => s < 1)) {
    const remedy = `the sigmas of ${chosen} are not mapped to flow; use flow sigmas alone`;
    check.wrongValue("use_flow_sigmas", "sigmas below 1, which leave some signal", all[0], remedy);
  }
  const placed = levelsOf(family, all, timesteps, rule.repeats, round);
  const levels = rule.roundsLevels
    ? placed.map((l) => ({ ...l, ...familyLevel(family, family === "vp" ? round(l.sigma / l.alpha) : l.sigma, round) }))
    : placed;
  const between = betweenSigmas(family, toTimestep);
  const schedule = (from: number) => tableSchedule("diffusers-sigmas", levels.slice(from), between);
  return { timesteps, sigmas: all, initNoiseSigma: 1, levels, schedule };
}

/** Returns the levels of sigmas that fall; only the last one may be where it likes. */
export function levelsOf(
  family: SigmaFamily,
  sigmas: readonly number[],
  told: readonly number[],
  repeats: boolean,
  round: Rounding,
): Level[] {
  const levels = sigmaLevels(family, sigmas.slice(0, -1), told, repeats);
  const [before, last] = sigmas.slice(-2) as [number, number];
  if (!(before > 0)) check.wrongValue("sigma_min", "a number > 0", before, "the network is called there");
  // A grid that ends at the sigma which is appended once more, up to what diffusers can tell in float32, or to rounding in float64:
  // the step goes nowhere. Where sigma_min took the grid below it, the step goes back up; its level then only has a time of its own.
  const log = (x: number) => round(wasm().log(round(x)));
  const lambda = ({ alpha, sigma }: Omit<Level, "t" | "told">) => round(log(alpha) - log(sigma));
  const same = last > 0 && lambda(familyLevel(family, last)) === lambda(familyLevel(family, before));
  const nowhere = same || Math.abs(last - before) <= 1e-13 * before;
  const t = last < before && !nowhere ? last : (levels.at(-1) as Level).t * (1 - hair);
  return [...levels, { t, ...familyLevel(family, nowhere ? before : last), told: 0 }];
}

/** Returns the number of steps asked for. */
function countOf(request: TimetableRequest, grid: string | undefined): number {
  const { steps, timesteps, sigmas } = request;
  checkAlone(request);
  if (timesteps !== undefined && grid !== undefined)
    throw new TypeError(`"timesteps": expected none with ${grid}, which makes its own`);
  if (sigmas !== undefined && grid !== "use_flow_sigmas")
    throw new TypeError(`"sigmas": expected none ${grid ? `with ${grid}` : "without use_flow_sigmas"}`);
  return timesteps?.length ?? sigmas?.length ?? check.integer("steps", steps, 1);
}

/** Returns the spaced timesteps, from the first one whose lambda is not below `lambda_min_clipped`. */
function spacedTimesteps(config: Config, steps: number, { alphasCumprod, round }: NoiseTables): number[] {
  // The class without the argument spaces them linearly.
  const { timestep_spacing: spacing = "linspace", lambda_min_clipped: clip } = config;
  let trainSteps = config.num_train_timesteps as number;
  if (clip !== undefined) {
    const least = round(check.number("lambda_min_clipped", clip, "a number", () => true));
    const log = (x: number) => round(wasm().log(round(Math.sqrt(x))));
    trainSteps -= alphasCumprod.filter((ab) => round(log(ab) - log(round(1 - ab))) < least).length;
    if (trainSteps < 1) check.wrongValue("lambda_min_clipped", "a number that leaves some timesteps", clip);
  }
  return multistepTimesteps({ ...config, timestep_spacing: spacing }, steps, trainSteps);
}

/** Refuses what these classes read in a way that contradicts the states they make. */
function checkPrediction({ prediction_type: prediction }: Config, family: SigmaFamily): void {
  const names = ["epsilon", "sample", family === "flow" ? "flow_prediction" : "v_prediction"] as const;
  check.oneOf("prediction_type", prediction, names);
}
