// What the JSON files of a model folder say about the network: shape, labels, noise schedule, meaning of the output.
// How to sample (solver, grid, limits on x₀) is the plan's to say: keys about that are known here and left alone.
// A key or value that changes the meaning and is not understood is an error that names it.
import { show } from "../check.ts";
import type { PredictionType } from "../denoisers/denoiser.ts";
import { type NoiseSchedule, vpDiscrete } from "../diffusion/schedule.ts";
import { type ReadFile, readObject } from "./files.ts";

/** What the files say about a network. */
export interface ModelConfig {
  /** Shape of one item, `[channels, height, width]`. */
  readonly shape: number[];
  /** Number of labels, the null label not counted; 0 if the network takes none. Labels are 0 … labels − 1. */
  readonly labels: number;
  readonly schedule: NoiseSchedule;
  /** Number of training steps, the M of `modelTime(t) = t·M − 1`. */
  readonly trainSteps: number;
  readonly prediction: PredictionType;
}

type Json = Record<string, unknown>;

const files = {
  index: "model_index.json",
  unet: "unet/config.json",
  scheduler: "scheduler/scheduler_config.json",
} as const;

/** One JSON file and what may be in it; messages read `"unet/config.json": "sample_size": expected …, got …`. */
class ConfigFile {
  constructor(
    readonly path: string,
    readonly json: Json,
  ) {}
  wrong(key: string, expected: string, remedy?: string): never {
    const value = this.json[key];
    const text = `"${this.path}": "${key}": expected ${expected}, got ${show(value)}${remedy === undefined ? "" : `; ${remedy}`}`;
    throw value === undefined || typeof value === "object" ? new TypeError(text) : new RangeError(text);
  }
  /** A key that is absent or null has not been set: diffusers writes both. */
  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null;
  }
  text(key: string): string {
    const value = this.json[key];
    return typeof value === "string" ? value : this.wrong(key, "a string");
  }
  number(key: string, fallback: number): number {
    if (!this.has(key)) return fallback;
    const value = this.json[key];
    return typeof value === "number" && Number.isFinite(value) ? value : this.wrong(key, "a number");
  }
  count(key: string, fallback?: number): number {
    if (fallback !== undefined && !this.has(key)) return fallback;
    const value = this.json[key];
    return Number.isSafeInteger(value) && Number(value) >= 1 ? Number(value) : this.wrong(key, "an integer ≥ 1");
  }
  oneOf<const T extends string>(key: string, names: readonly T[], fallback: T): T {
    if (!this.has(key)) return fallback;
    const value = this.json[key] as T;
    return names.includes(value) ? value : this.wrong(key, `one of ${names.map((n) => JSON.stringify(n)).join(", ")}`);
  }
}

async function open(read: ReadFile, path: string): Promise<ConfigFile> {
  return new ConfigFile(path, await readObject(read, path));
}

function checkIndex(file: ConfigFile): void {
  file.text("_class_name");
  for (const part of ["unet", "scheduler"]) {
    const entry = file.json[part];
    const named = Array.isArray(entry) && entry.length === 2 && entry.every((name) => typeof name === "string");
    if (!named) file.wrong(part, "[library, class]");
  }
  for (const [part, entry] of Object.entries(file.json)) {
    // [null, null] says that an optional part is absent.
    if (part === "unet" || part === "scheduler" || !Array.isArray(entry) || entry.every((name) => name === null))
      continue;
    file.wrong(part, "no parts but unet and scheduler", "load the session yourself and use onnxDenoiser");
  }
}

function readUnet(file: ConfigFile): Pick<ModelConfig, "shape" | "labels"> {
  const name = file.text("_class_name");
  if (name !== "UNet2DModel" && name !== "UNet2DConditionModel") {
    file.wrong("_class_name", '"UNet2DModel" or "UNet2DConditionModel"');
  }
  const channels = file.count("in_channels");
  if (file.count("out_channels", channels) !== channels) {
    file.wrong(
      "out_channels",
      `${channels}, as "in_channels"`,
      "networks that also predict a variance are not supported",
    );
  }
  if (file.has("class_embed_type")) file.wrong("class_embed_type", "null (labels from a table)");
  if (file.has("addition_embed_type")) file.wrong("addition_embed_type", "null");
  const size = file.json.sample_size;
  const sides = Array.isArray(size) ? size : [size, size];
  if (sides.length !== 2 || !sides.every((side) => Number.isSafeInteger(side) && side >= 1)) {
    file.wrong("sample_size", "an integer ≥ 1, or [height, width]");
  }
  // The last row of the table is the null class: labels dropped in training for classifier-free guidance.
  const rows = file.has("num_class_embeds") ? file.count("num_class_embeds") : 1;
  return { shape: [channels, ...(sides as number[])], labels: rows - 1 };
}

/** Classes of diffusers that sample networks of the variance-preserving discrete schedule, with their defaults for beta where not 1e-4…0.02 linear. */
const schedulers = new Map<string, { start?: number; end?: number; schedule?: "scaled_linear" }>([
  ["DDIMScheduler", {}],
  ["DDPMScheduler", {}],
  ["DDIMParallelScheduler", {}],
  ["DDPMParallelScheduler", {}],
  ["DEISMultistepScheduler", {}],
  ["DPMSolverMultistepScheduler", {}],
  ["DPMSolverSDEScheduler", { start: 0.00085, end: 0.012 }],
  ["DPMSolverSinglestepScheduler", {}],
  ["EulerAncestralDiscreteScheduler", {}],
  ["EulerDiscreteScheduler", {}],
  ["HeunDiscreteScheduler", { start: 0.00085, end: 0.012 }],
  ["KDPM2AncestralDiscreteScheduler", { start: 0.00085, end: 0.012 }],
  ["KDPM2DiscreteScheduler", { start: 0.00085, end: 0.012 }],
  ["LMSDiscreteScheduler", {}],
  ["PNDMScheduler", {}],
  ["SASolverScheduler", {}],
  ["UniPCMultistepScheduler", {}],
]);

/** Keys that say how those classes sample, and nothing about the network. */
const samplingKeys = new Set(
  `algorithm_type clip_sample clip_sample_range corrector_order disable_corrector dynamic_thresholding_ratio euler_at_final
   final_sigmas_type flow_shift interpolation_type lambda_min_clipped lower_order_final noise_sampler_seed predict_x0 predictor_order
   sample_max_value set_alpha_to_one sigma_max sigma_min skip_prk_steps solver_order solver_p solver_type steps_offset tau_func
   thresholding timestep_spacing use_beta_sigmas use_exponential_sigmas use_karras_sigmas use_lu_lambdas variance_type`.split(
    /\s+/,
  ),
);

/** Keys that change what the network means, with the one value that changes nothing. */
const meaningKeys: Record<string, unknown> = {
  rescale_betas_zero_snr: false,
  use_flow_sigmas: false,
  use_dynamic_shifting: false,
  timestep_type: "discrete",
};

const scheduleKeys = [
  "beta_schedule",
  "beta_start",
  "beta_end",
  "num_train_timesteps",
  "prediction_type",
  "trained_betas",
  "predict_epsilon",
];

function readScheduler(file: ConfigFile): Pick<ModelConfig, "schedule" | "trainSteps" | "prediction"> {
  const defaults = schedulers.get(file.text("_class_name"));
  if (defaults === undefined) file.wrong("_class_name", `one of ${[...schedulers.keys()].join(", ")}`);
  for (const key of Object.keys(file.json)) {
    if (key.startsWith("_") || samplingKeys.has(key) || scheduleKeys.includes(key)) continue;
    if (!(key in meaningKeys)) {
      file.wrong(
        key,
        "no such key",
        "it is unknown here and may change what the network means; remove it if it does not",
      );
    }
    const neutral = meaningKeys[key];
    if (file.has(key) && file.json[key] !== neutral)
      file.wrong(key, `${JSON.stringify(neutral)}, all that is supported`);
  }
  // Files from before diffusers 0.11 say predict_epsilon in place of prediction_type.
  const usual = file.json.predict_epsilon === false ? "sample" : "epsilon";
  const prediction = file.oneOf("prediction_type", ["epsilon", "sample", "v_prediction"], usual);
  const trainSteps = file.count("num_train_timesteps", 1000);
  const betas = file.has("trained_betas") ? readBetas(file, trainSteps) : undefined;
  const betaSchedule = file.oneOf(
    "beta_schedule",
    ["linear", "scaled_linear", "squaredcos_cap_v2"],
    defaults.schedule ?? "linear",
  );
  const betaStart = file.number("beta_start", defaults.start ?? 1e-4);
  const betaEnd = file.number("beta_end", defaults.end ?? 0.02);
  try {
    const cosine = betaSchedule === "squaredcos_cap_v2";
    const schedule =
      betas !== undefined
        ? vpDiscrete({ betas })
        : vpDiscrete({ betaSchedule, trainSteps, ...(cosine ? {} : { betaStart, betaEnd }) });
    return { schedule, trainSteps: betas?.length ?? trainSteps, prediction };
  } catch (cause) {
    throw new RangeError(`"${file.path}": ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function readBetas(file: ConfigFile, trainSteps: number): number[] {
  const betas = file.json.trained_betas;
  const wanted = "an array of numbers in (0, 1)";
  if (!Array.isArray(betas) || betas.length === 0) file.wrong("trained_betas", wanted);
  if (!betas.every((beta) => typeof beta === "number" && beta > 0 && beta < 1)) file.wrong("trained_betas", wanted);
  if (file.has("num_train_timesteps") && betas.length !== trainSteps) {
    file.wrong("trained_betas", `${trainSteps} numbers, as "num_train_timesteps"`);
  }
  return betas;
}

/**
 * Returns what the files of a model folder say about its network.
 * @throws Error, TypeError, RangeError or SyntaxError that names the file, and the key if there is one.
 */
export async function readConfig(read: ReadFile): Promise<ModelConfig> {
  checkIndex(await open(read, files.index));
  const unet = readUnet(await open(read, files.unet));
  return { ...unet, ...readScheduler(await open(read, files.scheduler)) };
}
