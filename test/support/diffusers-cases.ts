// The recorded cases of diffusers, and the exact network they were made with (test/fixtures/diffusers/README.md).
import { readFileSync } from "node:fs";
import type { Scheduler, SchedulerPlanOptions, TablePrecision } from "../../src/diffusers/index.ts";
import { noiseTables } from "../../src/diffusers/tables.ts";
import { type Denoiser, type Plan, type PredictionType, type SampleResult, sample } from "../../src/index.ts";
import { referenceEngine } from "./reference-engine.ts";

export interface Case {
  readonly id: string;
  readonly class: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly setTimesteps: {
    readonly num_inference_steps?: number;
    readonly timesteps?: number[];
    readonly sigmas?: number[];
    readonly mu?: number;
    readonly original_inference_steps?: number;
    readonly strength?: number;
  };
  readonly stepOptions: {
    readonly eta?: number;
    readonly use_clipped_model_output?: boolean;
    readonly order?: number;
    readonly s_churn?: number;
    readonly s_tmin?: number;
    readonly s_tmax?: number;
    readonly s_noise?: number;
  };
  readonly scaling: "alphas_cumprod" | "ve-scaled-input" | "vp-sigma" | "flow" | "edm" | "ipndm";
  readonly prediction: "epsilon" | "sample" | "v_prediction" | "flow_prediction";
  readonly modelAt: "sigma" | "timestep";
  readonly xT: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly guidanceScale: number | null;
  readonly noise: readonly (readonly (readonly number[])[] | null)[] | null;
  readonly expected: {
    readonly timesteps: readonly number[];
    readonly sigmas?: readonly number[];
    readonly modelSigmas?: readonly number[];
    readonly alphas?: readonly number[];
    readonly betas?: readonly number[];
    readonly initNoiseSigma: number | null;
    readonly final: readonly (readonly number[])[];
    readonly trajectory?: readonly (readonly (readonly number[])[])[];
    readonly spread: number;
    readonly timestepsDependOnRounding?: readonly number[];
  };
  readonly float64: {
    readonly final: readonly (readonly number[])[];
    readonly distance: number;
    readonly timesteps?: readonly number[];
  };
  readonly error?: string;
  readonly stage?: string;
}

interface Mixture {
  readonly means: readonly (readonly number[])[];
  readonly std: readonly number[];
  readonly weights: readonly number[];
  readonly labels: readonly number[];
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../fixtures/diffusers/${name}`, import.meta.url), "utf8"));
const file = read("cases.json") as { cases: Case[]; mixture: Mixture };

/** Constructor defaults and runs of the classes that cases.json leaves out. */
export const furtherRuns = read("further.json") as {
  readonly defaults: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly cases: readonly Case[];
};

/** The cases with results. */
export const cases: readonly Case[] = [...file.cases.filter((c) => c.error === undefined), ...furtherRuns.cases];
/** The cases that fail in diffusers. */
export const failing: readonly Case[] = file.cases.filter((c) => c.error !== undefined);

/** Returns the options of a case in this library's names. */
export function optionsOf({ setTimesteps: s, stepOptions: o }: Case, tables: TablePrecision): SchedulerPlanOptions {
  const given = {
    steps: s.num_inference_steps,
    timesteps: s.timesteps,
    sigmas: s.sigmas,
    mu: s.mu,
    originalSteps: s.original_inference_steps,
    strength: s.strength,
    eta: o.eta,
    useClippedModelOutput: o.use_clipped_model_output,
    order: o.order,
    sChurn: o.s_churn,
    sTmin: o.s_tmin,
    sTmax: o.s_tmax,
    sNoise: o.s_noise,
  };
  const there = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(there), tables } as SchedulerPlanOptions;
}

/** What the network of a case must know of the scheduler: its tables, and the sigma of each call. */
export interface NetworkTables {
  /** alphas_cumprod as the scheduler has it. */
  readonly alphasCumprod: readonly number[];
}

const sigmaClasses = new Set(["ve-scaled-input", "vp-sigma", "flow"]);

/** Returns the tables of a case's scheduler. */
export function tablesOf({ scaling }: Case, { config }: Scheduler, precision: TablePrecision): NetworkTables {
  if (!("beta_schedule" in config)) return { alphasCumprod: [] };
  // What the classes that work with sigmas put in place of alphas_cumprod 0.
  return noiseTables(config, precision, sigmaClasses.has(scaling) ? 2 ** -24 : undefined);
}

const { means, std, weights, labels: componentLabels } = file.mixture;

/** Returns ε and x₀ of the mixture for x = alpha·data + sigma·noise, one item. */
function exact(x: ArrayLike<number>, alpha: number, sigma: number, label: number): { eps: number[]; x0: number[] } {
  const chosen = means.flatMap((_, k) => (label < 0 || componentLabels[k] === label ? [k] : []));
  const distances = chosen.map((k) => {
    const variance = alpha * alpha * (std[k] as number) ** 2 + sigma * sigma;
    let square = 0;
    for (let i = 0; i < x.length; i++) square += ((x[i] as number) - alpha * (means[k]?.[i] as number)) ** 2;
    return {
      k,
      variance,
      log: Math.log(weights[k] as number) - (x.length / 2) * Math.log(variance) - square / (2 * variance),
    };
  });
  const most = Math.max(...distances.map(({ log }) => log));
  const raw = distances.map(({ log }) => Math.exp(log - most));
  const sum = raw.reduce((a, b) => a + b, 0);
  const eps = new Array<number>(x.length).fill(0);
  const x0 = new Array<number>(x.length).fill(0);
  for (const [j, { k, variance }] of distances.entries()) {
    const share = (raw[j] as number) / sum;
    for (let i = 0; i < x.length; i++) {
      const rest = (x[i] as number) - alpha * (means[k]?.[i] as number);
      eps[i] = (eps[i] as number) + (sigma * share * rest) / variance;
      x0[i] =
        (x0[i] as number) + share * ((means[k]?.[i] as number) + (alpha * (std[k] as number) ** 2 * rest) / variance);
    }
  }
  return { eps, x0 };
}

/** A call of the network: its index, what it is told, and its noise level in the plan, for IPNDM, which lists none. */
export interface NetworkCall {
  readonly index: number;
  readonly told: number;
  readonly level: readonly [alpha: number, sigma: number];
}

/** Runs that the float32 rounding of the state takes further than 5e-6: how far (docs/schedulers.md lists them). */
export const roundedFurther: Readonly<Record<string, number>> = {
  // The first level keeps 0.068 of signal, by which x₀ divides.
  "DDIM-003": 1e-5,
  // 0.0064 of signal, by which the first step divides the state.
  "PNDM-006": 1e-5,
  // First sigmas of 4096 and 20291, in units of which 2^-24 is 2.4e-4 and 1.2e-3: a state of three or four such units leaves x₀.
  "EulerDiscrete-007": 1e-3,
  "HeunDiscrete-005": 8e-3,
};

/** Returns the network's output for a scaled input, by the rules of the fixture's README. */
export function network(
  c: Case,
  scheduler: Scheduler,
  tables: NetworkTables,
  sigmas: readonly number[] | undefined,
  input: ArrayLike<number>,
  { index, told, level: planned }: NetworkCall,
  label: number,
): number[] {
  const { alphasCumprod: ab } = tables;
  const s = (sigmas?.[index] ?? Number.NaN) as number;
  const fromTimestep = (): [alpha: number, sigma: number] => {
    if (Number.isInteger(told)) {
      const signal = ab.at(told) as number;
      return [Math.sqrt(signal), Math.sqrt(1 - signal)];
    }
    const q = Math.exp(
      (() => {
        const low = Math.min(Math.max(Math.floor(told), 0), ab.length - 1);
        const high = Math.min(low + 1, ab.length - 1);
        const log = (j: number) => Math.log(Math.sqrt((1 - (ab[j] as number)) / (ab[j] as number)));
        const x = Math.min(Math.max(told, 0), ab.length - 1);
        return log(low) + (x - low) * (log(high) - log(low));
      })(),
    );
    return [1 / Math.sqrt(q * q + 1), q / Math.sqrt(q * q + 1)];
  };
  const vp = (q: number): [number, number] => [1 / Math.sqrt(q * q + 1), q / Math.sqrt(q * q + 1)];
  const { config } = scheduler;
  if (c.scaling === "edm") {
    const d = config.sigma_data as number;
    const y = Array.from(input, (v) => v * Math.sqrt(s * s + d * d));
    const q = c.modelAt === "sigma" ? s : Math.exp(4 * told);
    const { x0 } = exact(y, 1, q, label);
    const [skip, out] = [(d * d) / (q * q + d * d), (q * d) / Math.sqrt(q * q + d * d)];
    const sign = c.prediction === "v_prediction" ? -1 : 1;
    return x0.map((v, i) => (v - skip * (y[i] as number)) / (sign * out));
  }
  let level: [number, number];
  if (c.scaling === "alphas_cumprod")
    level = [Math.sqrt(ab.at(told) as number), Math.sqrt(1 - (ab.at(told) as number))];
  else if (c.scaling === "ipndm") level = [...planned];
  else if (c.scaling === "flow")
    level =
      c.modelAt === "sigma"
        ? [1 - s, s]
        : [1 - told / (config.num_train_timesteps as number), told / (config.num_train_timesteps as number)];
  else if (c.modelAt === "sigma") level = vp(s);
  else if (config.timestep_type === "continuous" && c.prediction === "v_prediction") level = vp(Math.exp(4 * told));
  else level = fromTimestep();
  const [alpha, sigma] = level;
  const { eps, x0 } = exact(input, alpha, sigma, label);
  switch (c.prediction) {
    case "epsilon":
      return eps;
    case "sample":
      return x0;
    case "v_prediction":
      return eps.map((e, i) => alpha * e - sigma * (x0[i] as number));
    case "flow_prediction":
      return eps.map((e, i) => e - (x0[i] as number));
  }
}

/** Returns the largest difference over the largest magnitude of what is expected. */
export function distance(actual: ArrayLike<number>, expected: readonly (readonly number[])[]): number {
  const flat = expected.flat();
  const largest = Math.max(...flat.map(Math.abs));
  if (actual.length !== flat.length) return Number.POSITIVE_INFINITY;
  return Math.max(...flat.map((v, i) => Math.abs((actual[i] as number) - v))) / largest;
}

/** Returns the sigma of every call: the scheduler's list, or the KDPM2 classes' own. */
export function callSigmas(
  c: Case,
  scheduler: Scheduler,
  options: SchedulerPlanOptions,
): readonly number[] | undefined {
  const { sigmas } = scheduler.timetable(options);
  if (c.expected.modelSigmas === undefined) return sigmas;
  // Between two listed sigmas the KDPM2 classes call at the geometric mean.
  return scheduler
    .plan(options)
    .steps.flatMap((step) => step.operations.flatMap((o) => (o.kind === "evaluate" ? [o.sigma / o.alpha] : [])));
}

/** Returns the noise level of every call of a plan. */
export function callLevels({ steps }: Plan): (readonly [alpha: number, sigma: number])[] {
  return steps.flatMap(({ operations }) =>
    operations.flatMap((o) => (o.kind === "evaluate" ? [[o.alpha, o.sigma] as const] : [])),
  );
}

/** Runs a case through its plan. `exactly`: on the reference engine in float64, else through WebAssembly. */
export async function runCase(
  c: Case,
  scheduler: Scheduler,
  tables: NetworkTables,
  precision: TablePrecision,
  exactly: boolean,
): Promise<SampleResult> {
  const options = optionsOf(c, precision);
  const plan = scheduler.plan(options);
  const sigmas = callSigmas(c, scheduler, options);
  const type = exactly ? Float64Array : Float32Array;
  const draws = (c.noise ?? []).filter((n) => n !== null).map((n) => type.from((n as number[][]).flat()));
  // A guided pair is one call of the scheduler: conditional, then unconditional.
  const passes = c.guidanceScale !== null && c.guidanceScale !== 1 ? 2 : 1;
  const levels = callLevels(plan);
  let count = 0;
  const denoiser: Denoiser<readonly number[]> = {
    prediction: c.prediction as PredictionType,
    predict({ x, modelTime, condition }) {
      const labels = condition as readonly number[];
      const index = Math.floor(count++ / passes);
      const size = x.length / labels.length;
      const out = new type(x.length);
      for (const [i, label] of labels.entries()) {
        const call = { index, told: modelTime, level: levels[index] as readonly [number, number] };
        out.set(network(c, scheduler, tables, sigmas, x.subarray(i * size, (i + 1) * size), call, label), i * size);
      }
      return out as Float32Array;
    },
  };
  return sample({
    plan,
    denoiser,
    shape: [2, 2, 1, 3],
    noise: type.from(c.xT.flat()) as Float32Array,
    ...(plan.draws > 0 ? { stepNoise: (draw: number) => draws[draw - 1] as Float32Array } : {}),
    condition: c.labels,
    unconditional: c.labels.map(() => -1),
    ...(c.guidanceScale === null ? {} : { guidanceScale: c.guidanceScale }),
    ...(exactly ? { engine: referenceEngine() } : {}),
  });
}
