// The flow-matching classes: x = (1 − s)·x₀ + s·ε, the network gives ε − x₀ and is told s·num_train_timesteps.
import * as check from "../../check.ts";
import { exactly, linspace, type Rounding } from "../arithmetic.ts";
import { truth } from "../construct.ts";
import { dynamicShift, fixedShift, stretched } from "../flow-sigmas.ts";
import type { ClassRow, Settings, Timetable, TimetableRequest } from "../row.ts";
import { betaSigmas, endsOf, exponentialSigmas, karrasSigmas } from "../sigma-grids.ts";
import { betweenSigmas, sigmaLevels, tableSchedule } from "../table-schedule.ts";
import { rounding, type TablePrecision } from "../tables.ts";
import { churnOf } from "./euler.ts";

/** Returns how a class shifts sigmas, in the precision in which it has them. */
function shiftOf({ config }: Settings, { mu }: TimetableRequest, round: Rounding): (sigma: number) => number {
  if (mu !== undefined) check.finite("mu", mu);
  if (!truth(config.use_dynamic_shifting)) return fixedShift(config.shift as number, round);
  return dynamicShift(config, mu, round);
}

/** Returns first and last sigma of training, shifted once already unless that is left to `mu`, in the table's precision. */
function trainingEnds({ config }: Settings, tables: TablePrecision): [number, number] {
  const round = rounding(tables);
  const shifted = truth(config.use_dynamic_shifting) ? (s: number) => s : fixedShift(config.shift as number, round);
  return [shifted(1), shifted(round(1 / (config.num_train_timesteps as number)))];
}

/** Returns the sigmas of a request before they are shifted, the precision in which they are reshaped, and the timesteps if given. */
function unshifted(settings: Settings, request: TimetableRequest, tables: TablePrecision) {
  const round = rounding(tables);
  const trainSteps = settings.config.num_train_timesteps as number;
  const { steps, sigmas, timesteps } = request;
  const list = (name: "sigmas" | "timesteps") =>
    request[name] === undefined
      ? undefined
      : Array.from(check.numbers(name, request[name]), (v, i) =>
          round(check.number(`${name}[${i}]`, v, "a finite number > 0", (v) => v > 0 && v < Infinity)),
        );
  const [own, told] = [list("sigmas"), list("timesteps")];
  for (const [name, given] of Object.entries({ steps, timesteps })) {
    const length = name === "steps" ? steps : timesteps?.length;
    const other = sigmas?.length ?? (name === "steps" ? timesteps?.length : undefined);
    if (given !== undefined && other !== undefined && length !== other)
      check.wrongValue(name, `as many as there are sigmas or timesteps, ${other}`, given);
  }
  if (own?.length === 0 || told?.length === 0)
    check.wrongValue(own ? "sigmas" : "timesteps", "at least one number", own ?? told);
  const [first, last] = trainingEnds(settings, tables);
  const made =
    own ??
    told?.map((t) => round(t / trainSteps)) ??
    // Through timesteps and back, as diffusers rounds them.
    linspace(first * trainSteps, last * trainSteps, check.integer("steps", steps, 1)).map((t) => t / trainSteps);
  // Lists that are given stay in the table's precision until the end, what is made is rounded there.
  return { made, told, precision: own || told ? round : exactly };
}

/** By how much rounding, twice, takes a shifted 1 above 1: 1.2e-7 at a shift of 1.32, 6e-7 at 0.2, 8e-6 at 0.05. */
const rounded = 1e-5;

/** Returns the timetable of sigmas that are shifted, with 0 at the end. Listed as diffusers has them; states keep no less than no signal. */
function flowTimetable(
  { config }: Settings,
  sigmas: readonly number[],
  tables: TablePrecision,
  given?: readonly number[],
): Timetable {
  const round = rounding(tables);
  const trainSteps = config.num_train_timesteps as number;
  const all = [...sigmas.map(round), 0];
  sigmas.forEach((s, i) => {
    if (!(s > 0 && s <= 1 + rounded)) check.wrongValue(`sigmas[${i}]`, "a shifted sigma > 0, at most 1", s);
  });
  const timesteps = given ?? all.slice(0, -1).map((s) => round(s * trainSteps));
  const levels = sigmaLevels(
    "flow",
    all.map((s) => Math.min(s, 1)),
    timesteps,
    true,
  );
  const between = betweenSigmas("flow", (s) => s * trainSteps);
  const schedule = (from: number) => tableSchedule("diffusers-flow", levels.slice(from), between);
  return { timesteps, sigmas: all, initNoiseSigma: 1, levels, schedule };
}

export const flowMatchEuler: ClassRow = {
  prediction: "flow_prediction",
  roundsSkipped: true,
  takes: ["sigmas", "timesteps", "mu"],
  // diffusers takes them and looks at none.
  stepTakes: ["sChurn", "sTmin", "sTmax", "sNoise"],
  timetable(settings, request, tables) {
    const { config, stored } = settings;
    if (truth(config.invert_sigmas)) {
      const remedy = "with inverted sigmas the states go from data to noise";
      check.wrongValue("invert_sigmas", "false", config.invert_sigmas, remedy);
    }
    const { made, told, precision } = unshifted(settings, request, tables);
    let sigmas = stretched(config, made.map(shiftOf(settings, request, precision)), precision);
    const ends = endsOf(stored, [sigmas[0] as number, sigmas.at(-1) as number]);
    const count = sigmas.length;
    if (truth(config.use_karras_sigmas)) sigmas = karrasSigmas(ends, count);
    else if (truth(config.use_exponential_sigmas)) sigmas = exponentialSigmas(ends, count);
    else if (truth(config.use_beta_sigmas)) sigmas = betaSigmas(ends, count);
    return flowTimetable(settings, sigmas, tables, told);
  },
  method: ({ config }) => ({ solver: truth(config.stochastic_sampling) ? "lcm" : "ddim" }),
};

export const flowMatchLcm: ClassRow = {
  ...flowMatchEuler,
  stepTakes: [],
  method({ config }) {
    if (truth(config.scale_factors) && truth(config.upscale_mode)) {
      const remedy = "states do not change their size here";
      check.wrongValue("scale_factors", "null", config.scale_factors, remedy);
    }
    return { solver: "lcm" };
  },
};

export const flowMatchHeun: ClassRow = {
  prediction: "flow_prediction",
  roundsSkipped: true,
  takes: [],
  stepTakes: ["sChurn", "sTmin", "sTmax", "sNoise"],
  timetable(settings, request, tables) {
    const { made, precision } = unshifted(settings, request, tables);
    const single = flowTimetable(settings, made.map(shiftOf(settings, {}, precision)), tables);
    const { sigmas: s = [], timesteps: t } = single;
    const twice = (list: readonly number[]) => list.flatMap((v, i) => (i === 0 ? [v] : [v, v]));
    return {
      ...single,
      timesteps: twice(t),
      sigmas: [...twice(s.slice(0, -1)), 0],
      firstCalls: t.map((_, i) => 2 * i),
    };
  },
  method: (_, step, { sigmas, levels }, from) => ({
    solver: "flow_heun",
    churn: churnOf(step, sigmas, levels.length - 1 - from),
  }),
};
