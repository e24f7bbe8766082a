// The noise schedules x_t = alpha(t)·x₀ + sigma(t)·ε, their check and their JSON. Formulas: assembly/math/schedule.ts.
import * as check from "../check.ts";
import { wasm } from "../wasm/module.ts";
import { builtIn, type Curves, type NoiseSchedule, type Range, recipeOf, variancePreserving } from "./built-in.ts";
import { vpDiscrete } from "./vp-discrete.ts";

export type { NoiseSchedule } from "./built-in.ts";
export { type VpDiscreteOptions, vpDiscrete } from "./vp-discrete.ts";

/** Options of {@link vpLinear}. */
export interface VpLinearOptions {
  /** beta at t = 0, default 0.1. */
  beta0?: number;
  /** beta at t = 1, default 20. */
  beta1?: number;
  /** Data end, default 1e-3. */
  tMin?: number;
}

/** Options of {@link vpCosine}. */
export interface VpCosineOptions {
  /** Data end, default 1e-3. */
  tMin?: number;
}

/** Options of {@link edm}. */
export interface EdmOptions {
  /** Data end, default 0.002. */
  sigmaMin?: number;
  /** Noise end, default 80. */
  sigmaMax?: number;
}

/** Options of {@link flow}. */
export interface FlowOptions {
  /** k by which `timeGrid` maps its times t to k·t/(1 + (k − 1)·t), default 1. */
  shift?: number;
  /** Data end, default 0. */
  tMin?: number;
  /** Noise end, default 1. */
  tMax?: number;
}

/** Returns `value` if it is a data end, from 0 to below `limit`; + 0 makes 0 of −0, which JSON does not keep. */
function dataEnd(name: string, value: unknown, limit: number): number {
  return check.number(name, value, `a number ≥ 0 and < ${limit}`, (v) => v >= 0 && v < limit) + 0;
}

/**
 * Returns the variance preserving schedule with beta(t) = beta0 + (beta1 − beta0)·t; `tMax` is 1, the network is told 1000·t.
 * Source: Song et al., "Score-based generative modeling through SDEs" (arXiv 2011.13456), appendix B.
 * @throws RangeError unless 0 ≤ beta0 ≤ beta1, beta1 > 0 and 0 ≤ tMin < 1.
 */
export function vpLinear(o: VpLinearOptions = {}): NoiseSchedule {
  const names = ["beta0", "beta1", "tMin"] as const;
  const {
    beta0: first = 0.1,
    beta1: last = 20,
    tMin: end = 1e-3,
  } = check.options<VpLinearOptions>("vpLinear", o, names);
  const beta1 = check.positive("beta1", last);
  const within = `a number from 0 to beta1 = ${beta1}`;
  const beta0 = check.number("beta0", first, within, (v) => v >= 0 && v <= beta1) + 0;
  const tMin = dataEnd("tMin", end, 1);
  const curves = variancePreserving((t) => wasm().linearLogAlpha(t, beta0, beta1), {
    time: (lambda) => wasm().linearTime(lambda, beta0, beta1),
    modelTime: (t) => 1000 * t,
  });
  return builtIn({ json: { kind: "vp-linear", beta0, beta1, tMin }, domain: [0, Infinity] }, [tMin, 1], curves);
}

/**
 * Returns the cosine schedule, alpha = cos(π/2 (t + s)/(1 + s))/cos(π/2 s/(1 + s)), s = 0.008; the network is told 1000·t.
 * `tMax` is 0.9946, as in DPM-Solver: at t = 1 no signal is left.
 * Source: Nichol and Dhariwal (arXiv 2102.09672), equation 17.
 * @throws RangeError unless 0 ≤ tMin < 0.9946.
 */
export function vpCosine(o: VpCosineOptions = {}): NoiseSchedule {
  const { tMin: end = 1e-3 } = check.options<VpCosineOptions>("vpCosine", o, ["tMin"]);
  const tMax = 0.9946;
  const tMin = dataEnd("tMin", end, tMax);
  const curves = variancePreserving((t) => wasm().cosineLogAlpha(t), {
    time: (lambda) => wasm().cosineTime(lambda),
    modelTime: (t) => 1000 * t,
  });
  return builtIn({ json: { kind: "vp-cosine", tMin }, domain: [0, 1] }, [tMin, tMax], curves);
}

/**
 * Returns the variance exploding schedule in which time is sigma and alpha is 1; the network is told sigma.
 * Source: Karras et al. (arXiv 2206.00364), table 1.
 * @throws RangeError unless 0 ≤ sigmaMin < sigmaMax and sigmaMax is finite.
 */
export function edm(o: EdmOptions = {}): NoiseSchedule {
  const { sigmaMin: low = 0.002, sigmaMax: high = 80 } = check.options<EdmOptions>("edm", o, ["sigmaMin", "sigmaMax"]);
  const sigmaMax = check.positive("sigmaMax", high);
  const sigmaMin = dataEnd("sigmaMin", low, sigmaMax);
  const curves: Curves = {
    alpha: () => 1,
    sigma: (t) => t,
    lambda: (t) => wasm().edmLambda(t),
    time: (lambda) => wasm().edmTime(lambda),
    modelTime: (t) => t,
  };
  const json = { kind: "edm", sigmaMin, sigmaMax };
  return builtIn({ json, domain: [0, Infinity] }, [sigmaMin, sigmaMax], curves);
}

/**
 * Returns the schedule of rectified flow, alpha = 1 − t and sigma = t; the network is told 1000·t.
 * `shift` concerns grids only: `timeGrid` maps each time t, both ends included, to shift·t/(1 + (shift − 1)·t).
 * Source: Liu et al. (arXiv 2209.03003); shift: Esser et al. (arXiv 2403.03206), equation 23.
 * @throws RangeError unless 0 ≤ tMin < tMax ≤ 1 and shift > 0.
 */
export function flow(o: FlowOptions = {}): NoiseSchedule {
  const names = ["shift", "tMin", "tMax"] as const;
  const { shift: k = 1, tMin: low = 0, tMax: high = 1 } = check.options<FlowOptions>("flow", o, names);
  const shift = check.positive("shift", k);
  const tMax = check.number("tMax", high, "a number > 0 and ≤ 1", (v) => v > 0 && v <= 1);
  const tMin = dataEnd("tMin", low, tMax);
  const curves: Curves = {
    alpha: (t) => 1 - t,
    sigma: (t) => t,
    lambda: (t) => wasm().flowLambda(t),
    time: (lambda) => wasm().flowTime(lambda),
    modelTime: (t) => 1000 * t,
  };
  const json = { kind: "flow", shift, tMin, tMax };
  return builtIn({ json, domain: [0, 1] }, [tMin, tMax], curves, { shift });
}

const methods = ["alpha", "sigma", "lambda", "time", "modelTime"] as const;
const members = ["kind", "tMin", "tMax", ...methods] as const;

/**
 * Returns `value` if it is a noise schedule: one of this library, or a user's own object with the members of `NoiseSchedule`.
 * @throws TypeError naming the members that are missing or of the wrong kind.
 * @throws RangeError unless tMin < tMax, both finite.
 */
export function checkSchedule(value: unknown, name: string): NoiseSchedule {
  const expected = "a noise schedule, such as vpLinear()";
  if (typeof value !== "object" || value === null) check.wrongType(name, expected, value);
  if (recipeOf(value) !== undefined) return value as NoiseSchedule;
  const given = value as Record<string, unknown>;
  const missing = members.filter((member) => given[member] === undefined);
  if (missing.length > 0) {
    throw new TypeError(`"${name}": expected ${expected}, got an object without ${missing.join(", ")}`);
  }
  if (typeof given.kind !== "string") check.wrongType(`${name}.kind`, "a string", given.kind);
  for (const method of methods) {
    if (typeof given[method] !== "function") check.wrongType(`${name}.${method}`, "a function", given[method]);
  }
  const tMin = check.finite(`${name}.tMin`, given.tMin);
  check.number(`${name}.tMax`, given.tMax, `a finite number > tMin = ${tMin}`, (v) => v > tMin && v < Infinity);
  for (const factor of ["shift", "sigmaData"] as const)
    if (given[factor] !== undefined) check.positive(`${name}.${factor}`, given[factor]);
  if (given.input !== undefined && typeof given.input !== "function")
    check.wrongType(`${name}.input`, "a function", given.input);
  return value as NoiseSchedule;
}

/** Returns the times from … to at which a schedule is defined; nothing is known about a user's own. */
export function scheduleDomain(schedule: NoiseSchedule): Range {
  return recipeOf(schedule)?.domain ?? [-Infinity, Infinity];
}

/**
 * Returns the JSON form of a schedule: its kind and the options that make it, defaults filled in.
 * A user's own schedule cannot be written; `{ kind, own: true }` says so, whatever its kind.
 */
export function scheduleToJSON(schedule: NoiseSchedule): unknown {
  const recipe = recipeOf(schedule);
  return recipe === undefined ? { kind: schedule.kind, own: true } : structuredClone(recipe.json);
}

const makers = new Map<string, (o: object) => NoiseSchedule>([
  ["vp-discrete", vpDiscrete],
  ["vp-linear", vpLinear],
  ["vp-cosine", vpCosine],
  ["edm", edm],
  ["flow", flow],
]);

/**
 * Returns the schedule that {@link scheduleToJSON} wrote, with the same bits. For a user's own, or a kind that this version does
 * not know, it is one that has this kind and throws an Error with its name when asked for anything else.
 * @throws TypeError or RangeError for whatever is not such JSON, with the message of the schedule's own options.
 */
export function scheduleFromJSON(json: unknown): NoiseSchedule {
  if (typeof json !== "object" || json === null || Array.isArray(json)) check.wrongType("schedule", "an object", json);
  const { kind, own, ...rest } = json as Record<string, unknown>;
  if (typeof kind !== "string") check.wrongType("schedule.kind", "a string", kind);
  if (own !== undefined && own !== true) check.wrongType("schedule.own", "true or nothing", own);
  if (own === true) check.options("schedule", rest, []);
  const make = own === true ? undefined : makers.get(kind);
  return make === undefined ? unavailable(kind) : make(rest);
}

function unavailable(kind: string): NoiseSchedule {
  const schedule = { kind };
  for (const member of members.slice(1)) {
    const get = (): never => {
      throw new Error(`schedule "${kind}": "${member}" was not saved with the plan; create the plan anew to use it`);
    };
    Object.defineProperty(schedule, member, { get });
  }
  return Object.freeze(schedule) as NoiseSchedule;
}
