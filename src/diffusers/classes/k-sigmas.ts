// The timetable of the classes that came from k-diffusion: states of exploding variance, whose network sees x/√(sigma² + 1). They
// differ by a rule, and by which arguments they have; only Euler has all of them.
import * as check from "../../check.ts";
import { roundHalfEven } from "../../diffusion/snap.ts";
import { wasm } from "../../wasm/module.ts";
import { interpolate, torchLinspace } from "../arithmetic.ts";
import { truth } from "../construct.ts";
import type { Settings, Timetable, TimetableRequest } from "../row.ts";
import { betaSigmas, type Ends, endsOf, exponentialSigmas, karrasSigmas } from "../sigma-grids.ts";
import { checkAlone, fractionalTimesteps, givenTimesteps } from "../spacing.ts";
import { betweenSigmas, hair, type Level, tableSchedule } from "../table-schedule.ts";
import { sigmaTables, type TablePrecision } from "../tables.ts";

/** What distinguishes the classes beside their arguments. */
export interface KRule {
  /** Where the second call of a step is: at its end (Heun), or in the middle of its way in ln sigma (KDPM2). */
  readonly second?: "end" | "middle";
  /** Whether a step goes down below its end, and noise takes it up again. */
  readonly ancestral?: boolean;
  /** Whether karras sigmas keep the grid's own ends, whatever sigma_min and sigma_max say: LMS. */
  readonly ownEnds?: boolean;
}

/** Returns the timetable of a request by the rule of a class. @throws TypeError, RangeError by the name of the argument. */
export function kTimetable(
  { config, stored }: Settings,
  request: TimetableRequest,
  tables: TablePrecision,
  rule: KRule,
): Timetable {
  const { round, table, logs, toTimestep } = sigmaTables(config, tables);
  const continuous = config.timestep_type === "continuous" && config.prediction_type === "v_prediction";
  const reshape = reshaping(config, stored, rule);
  const count = countOf(request, reshape?.name, continuous);

  let told: readonly number[] = [];
  let sigmas: readonly number[] = [];
  if (request.sigmas === undefined) {
    const { timesteps } = request;
    told = timesteps
      ? givenTimesteps(timesteps, config.num_train_timesteps as number)
      : fractionalTimesteps(config, count);
    told = told.map(round);
    // One sigma more than timesteps: a run of as many steps ends before the last.
    const logLinear = () => torchLinspace(logs.at(-1) as number, logs[0] as number, count + 1, round).map(exp);
    const exp = (log: number) => round(wasm().exp(log));
    const { interpolation_type: interpolation = "linear", final_sigmas_type: end = "zero" } = config;
    const kind = check.oneOf("interpolation_type", interpolation, ["linear", "log_linear"]);
    sigmas = kind === "log_linear" ? logLinear() : told.map((t) => interpolate(table, t));
    if (reshape !== undefined) {
      sigmas = reshape.sigmas([sigmas[0] as number, sigmas.at(-1) as number], count);
      told = sigmas.map(toTimestep);
      if (rule.second === "middle" && reshape.name === "use_karras_sigmas") told = told.map(roundHalfEven);
    }
    const final = check.oneOf("final_sigmas_type", end, ["zero", "sigma_min"]);
    sigmas = [...sigmas, final === "zero" ? 0 : (table[0] as number)].map(round);
  } else {
    sigmas = Array.from(check.numbers("sigmas", request.sigmas), round);
    told = sigmas.slice(0, -1).map(toTimestep);
  }
  if (continuous) told = sigmas.slice(0, -1).map((s) => round(wasm().log(s)) / 4);
  // KDPM2 keeps the timesteps of reshaped sigmas in double.
  const keep = rule.second === "middle" && reshape !== undefined ? (t: number) => t : round;
  told = told.map(keep);

  const levels = kLevels(sigmas.slice(0, told.length + 1), told, rule);
  const seconds = levels.slice(0, -2).map(({ sigma: s }, i) => {
    const { sigma: t, told: end } = levels[i + 1] as Level;
    if (rule.second === "end") return { sigma: t, told: end };
    // On the way down to t²/s the middle is t.
    const middle = rule.ancestral ? t : Math.sqrt(s * t);
    const heard = rule.ancestral && tables === "float32" ? heardInMiddle(s, t) : round(middle);
    return { sigma: middle, told: round(toTimestep(heard)) };
  });
  const tell = (s: number) =>
    seconds.find(({ sigma }) => Math.abs(sigma - s) <= hair * sigma)?.told ?? round(toTimestep(s));
  const between = betweenSigmas("ve", tell, { input: ({ sigma }) => 1 / Math.sqrt(sigma * sigma + 1) });
  const names = new Set(levels.map(({ t }) => t));
  const time = (lambda: number) => {
    const s = between.time(lambda);
    // The middle of a step may be a level by its sigma; what the network is told there is its own.
    return names.has(s) ? s * (1 + 2.220446049250313e-16) : s;
  };
  const largest = sigmas.reduce((a, b) => Math.max(a, b));
  const wide = config.timestep_spacing === "linspace" || config.timestep_spacing === "trailing";
  return {
    ...calls(sigmas, told, seconds, rule),
    initNoiseSigma: wide ? largest : round(Math.sqrt(round(largest * largest + 1))),
    levels,
    schedule: (from) => tableSchedule("diffusers-sigmas", levels.slice(from), { ...between, time }),
  };
}

/** Returns the square of an ancestral step's low end, t² − up², as diffusers has it in float32: from differences, 0 or less at times. */
export function lowEndSquared(s: number, t: number): number {
  const round = Math.fround;
  const [s2, t2] = [round(s * s), round(t * t)];
  const up = round(Math.sqrt(round(round(t2 * round(s2 - t2)) / s2)));
  return round(t2 - round(up * up));
}

/** Returns the middle of the way down in ln sigma, of which diffusers makes the timestep: t, but for the low end's rounding. */
function heardInMiddle(s: number, t: number): number {
  // Up to here the last bits of s and t, which vary between CPUs, count for as much as that rounding: a thousandth of a timestep.
  if (s < 30 * t) return t;
  const low = Math.fround(Math.sqrt(Math.max(0, lowEndSquared(s, t))));
  return low > 0 ? Math.fround(Math.sqrt(s * low)) : t;
}

/** Returns what the scheduler lists, call by call. */
function calls(
  sigmas: readonly number[],
  told: readonly number[],
  seconds: readonly { readonly told: number }[],
  { second }: KRule,
): Pick<Timetable, "timesteps" | "sigmas" | "firstCalls"> {
  if (second === undefined) return { timesteps: told, sigmas };
  const [first, last] = [sigmas[0] as number, sigmas.at(-1) as number];
  const inner = second === "end" ? sigmas.slice(1, -1) : sigmas.slice(1);
  return {
    timesteps: [told[0] as number, ...seconds.flatMap((call, i) => [call.told, told[i + 1] as number])],
    sigmas: [first, ...inner.flatMap((s) => [s, s]), last],
    firstCalls: told.map((_, i) => 2 * i),
  };
}

/** Returns the levels of sigmas, whose times fall by a hair where a sigma does not. */
function kLevels(sigmas: readonly number[], told: readonly number[], { ancestral }: KRule): Level[] {
  let time = Infinity;
  return sigmas.map((s, i) => {
    const last = i === sigmas.length - 1;
    const name = `sigmas[${i}]`;
    check.number(
      name,
      s,
      last ? "a finite number ≥ 0" : "a finite number > 0",
      (v) => v < Infinity && v >= 0 && (last || v > 0),
    );
    if (ancestral && i > 0 && s > (sigmas[i - 1] as number))
      check.wrongValue(name, `at most the sigma before, ${sigmas[i - 1]}`, s, "ancestral steps go down");
    time = s < time ? s : time * (1 - hair);
    return { t: time, alpha: 1, sigma: s, told: told[i] ?? 0 };
  });
}

/** Returns the argument by which sigmas are reshaped, and how; undefined where they are not. */
function reshaping(config: Settings["config"], stored: Settings["stored"], { ownEnds }: KRule) {
  if (truth(config.use_karras_sigmas)) {
    const sigmas = (ends: Ends, count: number) => karrasSigmas(ownEnds ? ends : endsOf(stored, ends), count);
    return { name: "use_karras_sigmas", sigmas };
  }
  const others = { use_exponential_sigmas: exponentialSigmas, use_beta_sigmas: betaSigmas };
  for (const [name, sigmas] of Object.entries(others)) {
    if (truth(config[name])) return { name, sigmas: (ends: Ends, n: number) => sigmas(endsOf(stored, ends), n) };
  }
  return undefined;
}

/** Returns the number of steps asked for. */
function countOf(request: TimetableRequest, reshape: string | undefined, continuous: boolean) {
  const { steps, timesteps, sigmas } = request;
  checkAlone(request);
  if (timesteps !== undefined && (reshape !== undefined || continuous))
    throw new TypeError(`"timesteps": expected none with ${reshape ?? 'timestep_type "continuous"'}`);
  if (sigmas !== undefined && check.numbers("sigmas", sigmas).length < 2)
    check.wrongValue("sigmas", "at least two sigmas, the last one where the run ends", sigmas);
  return timesteps?.length ?? (sigmas && sigmas.length - 1) ?? check.integer("steps", steps, 1);
}
