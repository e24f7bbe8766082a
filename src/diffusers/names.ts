// Names of samplers and of their schedule types, as A1111, ComfyUI, k-diffusion and diffusers write them, and what they are here.
// Plain data. Each group names the address it was read from; a name that was found in none of them is left out.
// What a name means was taken from diffusers' own table (overviewPage below) where that has it, else from the code at the address.
import type { PlanOptions } from "../plan/plan.ts";
import { type ClassName, type Config, classNames } from "./defaults.ts";
import { further } from "./further.ts";

/** Who writes a name. */
export type SamplerOrigin = "A1111" | "ComfyUI" | "k-diffusion" | "diffusers";

/** The options of `createPlan` that a name stands for: a solver with its options, and a spacing. */
export type SolverOptions = Pick<PlanOptions, "spacing" | "order" | "eta" | "variant" | "sde" | "correctorOrder"> & {
  readonly solver: string;
  readonly start?: "none" | "repeat" | "runge_kutta";
};

/** What a sampler is here. */
export interface Method {
  /** The class of diffusers; undefined where it has none. */
  readonly className?: ClassName;
  /** Arguments for `scheduler.to(className, overrides)`. */
  readonly overrides?: Config;
  /** Options of `createPlan`; undefined where it has no counterpart. */
  readonly solver?: SolverOptions;
  /** What is missing or differs. */
  readonly note?: string;
}

const leading = { timestep_spacing: "leading", steps_offset: 1 };
const dpmpp = { algorithm_type: "dpmsolver++", solver_order: 2, solver_type: "midpoint" };
const dpmppSde = { ...dpmpp, algorithm_type: "sde-dpmsolver++" };
const unchecked = "diffusers has no such scheduler, and no check values of it are at hand";
const refused = (note: string): Method => ({ note });

const methods = {
  euler: { className: "EulerDiscreteScheduler", solver: { solver: "euler" } },
  // In sigma/alpha the ancestral step is DDIM's with eta 1.
  eulerAncestral: { className: "EulerAncestralDiscreteScheduler", solver: { solver: "ddim", eta: 1 } },
  heun: { className: "HeunDiscreteScheduler", solver: { solver: "heun" } },
  dpm2: { className: "KDPM2DiscreteScheduler", solver: { solver: "kdpm2" } },
  dpm2Ancestral: { className: "KDPM2AncestralDiscreteScheduler", solver: { solver: "kdpm2", eta: 1 } },
  lms: { className: "LMSDiscreteScheduler", solver: { solver: "lms" } },
  dpmpp2m: { className: "DPMSolverMultistepScheduler", overrides: dpmpp, solver: { solver: "dpmpp", order: 2 } },
  dpmpp2mSde: {
    ...{ className: "DPMSolverMultistepScheduler", overrides: dpmppSde },
    solver: { solver: "dpmpp", order: 2, sde: true },
  },
  dpmpp2mSdeHeun: {
    ...{ className: "DPMSolverMultistepScheduler", overrides: { ...dpmppSde, solver_type: "heun" } },
    solver: { solver: "dpmpp", order: 2, variant: "heun", sde: true },
  },
  dpmpp3mSde: refused(
    "k-diffusion weighs the second difference by alpha more than diffusers' third order of sde-dpmsolver++: another method",
  ),
  dpmppSde: {
    ...{ className: "DPMSolverSinglestepScheduler", overrides: dpmppSde },
    solver: { solver: "dpmpp-singlestep", order: 2, sde: true },
    note: "diffusers counts network calls, not steps, and its table leaves out algorithm_type, without which nothing is drawn",
  },
  dpmpp2sAncestral: refused(
    "diffusers has no ancestral steps of singlestep DPM-Solver++; DPMSolverSinglestepScheduler is near it, but draws nothing",
  ),
  dpmFast: refused("diffusers has no such scheduler; its orders follow from the number of network calls"),
  dpmAdaptive: refused("it chooses each step from the samples; a plan fixes its steps beforehand"),
  restart: refused("it goes back to more noise and denoises again; the times of a plan fall"),
  ddim: {
    className: "DDIMScheduler",
    overrides: { ...leading, set_alpha_to_one: false, clip_sample: false },
    solver: { solver: "ddim" },
  },
  ddpm: {
    ...{ className: "DDPMScheduler", overrides: { clip_sample: false, variance_type: "fixed_small" } },
    solver: { solver: "ddim", eta: 1 },
  },
  plms: {
    className: "PNDMScheduler",
    overrides: { ...leading, set_alpha_to_one: false, skip_prk_steps: true },
    solver: { solver: "pndm" },
  },
  ipndm: {
    solver: { solver: "pndm", start: "none" },
    note: "IPNDMScheduler has times of its own, whatever the betas, and takes v_prediction alone",
  },
  unipcBh1: {
    className: "UniPCMultistepScheduler",
    overrides: { solver_order: 3, solver_type: "bh1", final_sigmas_type: "sigma_min" },
    solver: { solver: "unipc", order: 3, variant: "bh1" },
    note: "B(h) = h is infinite where the last sigma is 0, so the run ends at sigma_min",
  },
  unipcBh2: {
    ...{ className: "UniPCMultistepScheduler", overrides: { solver_order: 3, solver_type: "bh2" } },
    solver: { solver: "unipc", order: 3, variant: "bh2" },
  },
  deis: {
    ...{ className: "DEISMultistepScheduler", overrides: { solver_order: 3 }, solver: { solver: "deis", order: 3 } },
    note: "ComfyUI integrates polynomials in time, diffusers in log rho",
  },
  sa: {
    ...{ className: "SASolverScheduler", overrides: { predictor_order: 3, corrector_order: 4 } },
    solver: { solver: "sa", order: 3, correctorOrder: 4 },
  },
  lcm: { className: "LCMScheduler", solver: { solver: "lcm" } },
  cfgPlusPlus: refused("CFG++ steps with the unconditional output, which guidance has already mixed in here"),
  unchecked: refused(unchecked),
} as const satisfies Record<string, Method>;

type MethodName = keyof typeof methods;

/** The solver of each class of diffusers at the defaults of its arguments. */
const ofClass: Readonly<Record<ClassName, SolverOptions>> = {
  DDIMScheduler: { solver: "ddim" },
  DDPMScheduler: { solver: "ddim", eta: 1 },
  PNDMScheduler: { solver: "pndm", start: "runge_kutta" },
  LMSDiscreteScheduler: { solver: "lms" },
  EulerDiscreteScheduler: { solver: "euler" },
  HeunDiscreteScheduler: { solver: "heun" },
  EulerAncestralDiscreteScheduler: { solver: "ddim", eta: 1 },
  DPMSolverMultistepScheduler: { solver: "dpmpp", order: 2 },
  DPMSolverSinglestepScheduler: { solver: "dpmpp-singlestep", order: 2 },
  KDPM2DiscreteScheduler: { solver: "kdpm2" },
  KDPM2AncestralDiscreteScheduler: { solver: "kdpm2", eta: 1 },
  DEISMultistepScheduler: { solver: "deis", order: 2 },
  UniPCMultistepScheduler: { solver: "unipc", order: 2 },
  SASolverScheduler: { solver: "sa" },
  IPNDMScheduler: { solver: "pndm", start: "none" },
  EDMEulerScheduler: { solver: "euler" },
  EDMDPMSolverMultistepScheduler: { solver: "dpmpp", order: 2 },
  FlowMatchEulerDiscreteScheduler: { solver: "euler" },
  FlowMatchHeunDiscreteScheduler: { solver: "flow_heun" },
  LCMScheduler: { solver: "lcm" },
  TCDScheduler: { solver: "tcd" },
  DDIMParallelScheduler: { solver: "ddim" },
  DDPMParallelScheduler: { solver: "ddim", eta: 1 },
  CogVideoXDDIMScheduler: { solver: "ddim" },
  FlowMatchLCMScheduler: { solver: "lcm" },
};

/** A rule that places the noise levels, by a name that is written behind a sampler's. */
export interface ScheduleType extends Omit<Method, "className" | "solver"> {
  /** The argument that a class must have for it. */
  readonly argument?: string;
  readonly spacing?: PlanOptions["spacing"];
}

const spaced = { use_karras_sigmas: false, use_exponential_sigmas: false, use_beta_sigmas: false };
const uniform = (overrides: Config): ScheduleType => ({
  ...{ overrides: { ...spaced, ...overrides }, argument: "timestep_spacing", spacing: "time_uniform" },
});
const sigmas = (argument: string, spacing?: "karras" | "exponential"): ScheduleType => ({
  overrides: { timestep_spacing: "linspace", ...spaced, [argument]: true },
  argument,
  ...(spacing === undefined ? { note: "createPlan has no such spacing" } : { spacing }),
});
const types = {
  automatic: {},
  karras: sigmas("use_karras_sigmas", "karras"),
  exponential: sigmas("use_exponential_sigmas", "exponential"),
  beta: sigmas("use_beta_sigmas"),
  linspace: uniform({ timestep_spacing: "linspace" }),
  trailing: uniform({ timestep_spacing: "trailing" }),
  leading: uniform(leading),
  ays: { note: 'its times are given with the run: timetable({ timesteps: ays("sd15").timesteps })' },
  unchecked: { note: unchecked },
} satisfies Record<string, ScheduleType>;

/** Names of one origin, read from one address; `types` are names of schedule types. */
export interface NameGroup {
  readonly from: SamplerOrigin;
  readonly source: string;
  readonly samplers: Readonly<Record<string, Method>>;
  readonly types: Readonly<Record<string, ScheduleType>>;
}

const github = (repository: string, commit: string, path: string) =>
  `https://github.com/${repository}/blob/${commit}/${path}`;
const webui = (commit: string, path: string) =>
  github("AUTOMATIC1111/stable-diffusion-webui", commit, `modules/${path}`);

/** Where diffusers maps names of A1111 and k-diffusion to its classes. */
export const overviewPage = /* @__PURE__ */ github(
  "huggingface/diffusers",
  "01337da7633c4c663e76e75550e6f9d94fa7dc97",
  "docs/source/en/api/schedulers/overview.md",
);

function named<T, N extends string>(table: Readonly<Record<N, T>>, names: Readonly<Record<string, N>>) {
  return Object.fromEntries(Object.entries(names).map(([name, key]) => [name, table[key]])) as Record<string, T>;
}
const samplers = (names: Readonly<Record<string, MethodName>>) => named<Method, MethodName>(methods, names);
const scheduleTypes = (names: Readonly<Record<string, keyof typeof types>>) =>
  named<ScheduleType, keyof typeof types>(types, names);
const listed = <T>(text: string, value: T) => Object.fromEntries(text.split(" ").map((name) => [name, value]));

/** All names. */
export const nameGroups: readonly NameGroup[] = /* @__PURE__ */ groups();

function groups(): NameGroup[] {
  return [
    {
      from: "A1111",
      source: webui("5ef669de080814067961f28357256e8fe27544f4", "sd_samplers_kdiffusion.py"),
      samplers: samplers({
        ...{ "Euler a": "eulerAncestral", Euler: "euler", LMS: "lms", Heun: "heun", DPM2: "dpm2" },
        ...{ "DPM2 a": "dpm2Ancestral", "DPM++ 2S a": "dpmpp2sAncestral", "DPM++ 2M": "dpmpp2m" },
        ...{ "DPM++ SDE": "dpmppSde", "DPM++ 2M SDE": "dpmpp2mSde", "DPM++ 2M SDE Heun": "dpmpp2mSdeHeun" },
        ...{ "DPM++ 3M SDE": "dpmpp3mSde", "DPM fast": "dpmFast", "DPM adaptive": "dpmAdaptive", Restart: "restart" },
      }),
      types: {},
    },
    {
      from: "A1111",
      source: webui("f2844bd024ff3cf7ee712153a514afd9085980db", "sd_samplers_timesteps.py"),
      samplers: samplers({ DDIM: "ddim", PLMS: "plms", UniPC: "unipcBh1" }),
      types: {},
    },
    {
      from: "A1111",
      source: webui("f8391b8a8ff61bf7ebcddc9b387e6c2f206ed056", "sd_samplers_lcm.py"),
      samplers: samplers({ LCM: "lcm" }),
      types: {},
    },
    {
      from: "A1111",
      source: webui("5bbbda473fc87c161ec7f5351d78b8c43799d436", "sd_schedulers.py"),
      samplers: {},
      types: scheduleTypes({
        ...{ Automatic: "automatic", Uniform: "linspace", Karras: "karras", Exponential: "exponential" },
        // Its rho is 1 unless another one is set, which makes it the exponential one.
        ...{ Polyexponential: "exponential", "SGM Uniform": "trailing", "KL Optimal": "unchecked" },
        ...{ "Align Your Steps": "ays", Simple: "trailing", Normal: "linspace", DDIM: "leading", Beta: "beta" },
      }),
    },
    {
      from: "ComfyUI",
      source: github("Comfy-Org/ComfyUI", "e0d4ea77a9f6fda218619802b8c4e83cda5db082", "comfy/samplers.py"),
      samplers: {
        ...samplers({
          ...{ euler: "euler", euler_ancestral: "eulerAncestral", heun: "heun", dpm_2: "dpm2" },
          ...{ dpm_2_ancestral: "dpm2Ancestral", lms: "lms", dpm_fast: "dpmFast", dpm_adaptive: "dpmAdaptive" },
          ...{ dpmpp_2s_ancestral: "dpmpp2sAncestral", dpmpp_sde: "dpmppSde", dpmpp_sde_gpu: "dpmppSde" },
          ...{ dpmpp_2m: "dpmpp2m", dpmpp_2m_sde: "dpmpp2mSde", dpmpp_2m_sde_gpu: "dpmpp2mSde" },
          ...{ dpmpp_2m_sde_heun: "dpmpp2mSdeHeun", dpmpp_2m_sde_heun_gpu: "dpmpp2mSdeHeun" },
          ...{ dpmpp_3m_sde: "dpmpp3mSde", dpmpp_3m_sde_gpu: "dpmpp3mSde", ddpm: "ddpm", lcm: "lcm", ipndm: "ipndm" },
          ...{ deis: "deis", sa_solver: "sa", ddim: "euler", uni_pc: "unipcBh1", uni_pc_bh2: "unipcBh2" },
        }),
        ...listed("heunpp2 exp_heun_2_x0 exp_heun_2_x0_sde ipndm_v cfgpp_ud10_ab", methods.unchecked),
        ...listed("res_multistep res_multistep_ancestral gradient_estimation", methods.unchecked),
        ...listed("er_sde seeds_2 seeds_3 sa_solver_pece", methods.unchecked),
        ...listed("euler_cfg_pp euler_ancestral_cfg_pp dpmpp_2s_ancestral_cfg_pp dpmpp_2m_cfg_pp", methods.cfgPlusPlus),
        ...listed(
          "res_multistep_cfg_pp res_multistep_ancestral_cfg_pp gradient_estimation_cfg_pp",
          methods.cfgPlusPlus,
        ),
      },
      types: scheduleTypes({
        ...{ simple: "trailing", sgm_uniform: "trailing", karras: "karras", exponential: "exponential" },
        ...{ ddim_uniform: "leading", beta: "beta", normal: "linspace" },
        ...{ linear_quadratic: "unchecked", kl_optimal: "unchecked" },
      }),
    },
    {
      from: "k-diffusion",
      source: github("crowsonkb/k-diffusion", "686dbad0f39640ea25c8a8c6a6e56bb40eacefa2", "k_diffusion/sampling.py"),
      samplers: samplers({
        ...{
          sample_euler: "euler",
          sample_euler_ancestral: "eulerAncestral",
          sample_heun: "heun",
          sample_dpm_2: "dpm2",
        },
        ...{ sample_dpm_2_ancestral: "dpm2Ancestral", sample_lms: "lms", sample_dpm_fast: "dpmFast" },
        ...{ sample_dpm_adaptive: "dpmAdaptive", sample_dpmpp_2s_ancestral: "dpmpp2sAncestral" },
        ...{ sample_dpmpp_sde: "dpmppSde", sample_dpmpp_2m: "dpmpp2m" },
      }),
      types: {},
    },
    {
      from: "k-diffusion",
      source: webui("5ef669de080814067961f28357256e8fe27544f4", "sd_samplers_kdiffusion.py"),
      samplers: samplers({ sample_dpmpp_2m_sde: "dpmpp2mSde", sample_dpmpp_3m_sde: "dpmpp3mSde" }),
      types: {},
    },
    {
      from: "diffusers",
      source: "https://github.com/huggingface/diffusers/tree/v0.42.1/src/diffusers/schedulers",
      samplers: {
        ...Object.fromEntries(classNames.map((className) => [className, { className, solver: ofClass[className] }])),
        ...Object.fromEntries(Object.entries(further).map(([name, { reason }]) => [name, refused(reason)])),
      },
      types: {},
    },
  ];
}
