// What each scheduler class of diffusers is, to its constructor: a row of arguments with their defaults (diffusers 0.42.1).

/** A value of a JSON file; numbers may be infinite or NaN, which Python writes and JSON forbids. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Keys with their values: a configuration or a part of one. */
export type Config = Readonly<Record<string, Json>>;

/** The diffusers release whose classes these are; files written here carry it. */
export const diffusersVersion = "0.42.1";

const training = { num_train_timesteps: 1000, trained_betas: null };
const betas = { ...training, beta_start: 0.0001, beta_end: 0.02, beta_schedule: "linear", prediction_type: "epsilon" };
/** The betas of Stable Diffusion, which Heun and both KDPM2 classes still space linearly. */
const latentBetas = { ...betas, beta_start: 0.00085, beta_end: 0.012 };
const spacing = { timestep_spacing: "linspace", steps_offset: 0 };
const sigmaGrids = { use_karras_sigmas: false, use_exponential_sigmas: false, use_beta_sigmas: false };
const thresholding = { thresholding: false, dynamic_thresholding_ratio: 0.995, sample_max_value: 1 };
const flow = { use_flow_sigmas: false, flow_shift: 1 };
const dynamicShift = { use_dynamic_shifting: false, time_shift_type: "exponential" };
const clipping = { ...thresholding, clip_sample: true, clip_sample_range: 1 };
const ancestor = { ...betas, ...clipping, timestep_spacing: "leading", steps_offset: 0, rescale_betas_zero_snr: false };
const kDiffusion = { ...latentBetas, ...sigmaGrids, ...spacing };
const multistep = { ...betas, ...thresholding, ...sigmaGrids, ...flow, ...spacing, lower_order_final: true };
const dpmSolver = {
  ...{ ...betas, ...thresholding, ...sigmaGrids, ...flow, ...dynamicShift },
  ...{ solver_order: 2, algorithm_type: "dpmsolver++", solver_type: "midpoint", final_sigmas_type: "zero" },
  ...{ lambda_min_clipped: -Infinity, variance_type: null },
};
const consistency = {
  ...{ ...ancestor, beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear", clip_sample: false },
  ...{ set_alpha_to_one: true, original_inference_steps: 50, timestep_scaling: 10 },
};
const flowMatch = {
  ...{ num_train_timesteps: 1000, shift: 1, shift_terminal: null, invert_sigmas: false },
  ...{ ...sigmaGrids, ...dynamicShift },
  ...{ base_shift: 0.5, max_shift: 1.15, base_image_seq_len: 256, max_image_seq_len: 4096 },
};
const edm = {
  ...{ num_train_timesteps: 1000, prediction_type: "epsilon", final_sigmas_type: "zero" },
  ...{ sigma_min: 0.002, sigma_max: 80, sigma_data: 0.5, sigma_schedule: "karras", rho: 7 },
};

const rows = {
  DDIMScheduler: { ...ancestor, set_alpha_to_one: true },
  DDPMScheduler: { ...ancestor, variance_type: "fixed_small" },
  PNDMScheduler: {
    ...betas,
    ...{ timestep_spacing: "leading", steps_offset: 0, set_alpha_to_one: false, skip_prk_steps: false },
  },
  LMSDiscreteScheduler: { ...betas, ...sigmaGrids, ...spacing },
  EulerDiscreteScheduler: {
    ...{ ...betas, ...sigmaGrids, ...spacing, rescale_betas_zero_snr: false, final_sigmas_type: "zero" },
    ...{ interpolation_type: "linear", timestep_type: "discrete", sigma_min: null, sigma_max: null },
  },
  EulerAncestralDiscreteScheduler: { ...betas, ...spacing, rescale_betas_zero_snr: false },
  HeunDiscreteScheduler: { ...kDiffusion, clip_sample: false, clip_sample_range: 1 },
  KDPM2DiscreteScheduler: kDiffusion,
  KDPM2AncestralDiscreteScheduler: kDiffusion,
  DPMSolverMultistepScheduler: {
    ...{ ...dpmSolver, ...spacing, lower_order_final: true, rescale_betas_zero_snr: false },
    ...{ euler_at_final: false, use_lu_lambdas: false },
  },
  DPMSolverSinglestepScheduler: { ...dpmSolver, lower_order_final: false },
  DEISMultistepScheduler: {
    ...{ ...multistep, ...dynamicShift },
    ...{ solver_order: 2, algorithm_type: "deis", solver_type: "logrho" },
  },
  UniPCMultistepScheduler: {
    ...{ ...multistep, ...dynamicShift, rescale_betas_zero_snr: false, final_sigmas_type: "zero" },
    ...{ solver_order: 2, solver_type: "bh2", solver_p: null, predict_x0: true, disable_corrector: [] },
    ...{ sigma_min: null, sigma_max: null, shift_terminal: null },
  },
  SASolverScheduler: {
    ...{ ...multistep, predictor_order: 2, corrector_order: 2, algorithm_type: "data_prediction" },
    ...{ tau_func: null, lambda_min_clipped: -Infinity, variance_type: null },
  },
  DDIMParallelScheduler: { ...ancestor, set_alpha_to_one: true },
  DDPMParallelScheduler: { ...ancestor, variance_type: "fixed_small" },
  CogVideoXDDIMScheduler: {
    ...{ ...latentBetas, ...spacing, beta_schedule: "scaled_linear", timestep_spacing: "leading", snr_shift_scale: 3 },
    ...{ clip_sample: true, clip_sample_range: 1, sample_max_value: 1 },
    ...{ set_alpha_to_one: true, rescale_betas_zero_snr: false },
  },
  IPNDMScheduler: training,
  EDMEulerScheduler: edm,
  EDMDPMSolverMultistepScheduler: {
    ...{ ...edm, ...thresholding, solver_order: 2, algorithm_type: "dpmsolver++", solver_type: "midpoint" },
    ...{ lower_order_final: true, euler_at_final: false },
  },
  FlowMatchEulerDiscreteScheduler: { ...flowMatch, stochastic_sampling: false },
  FlowMatchHeunDiscreteScheduler: { num_train_timesteps: 1000, shift: 1 },
  LCMScheduler: consistency,
  TCDScheduler: consistency,
  FlowMatchLCMScheduler: { ...flowMatch, scale_factors: null, upscale_mode: "bicubic" },
} satisfies Record<string, Record<string, Json>>;

/** A scheduler class of diffusers that is supported here. */
export type ClassName = keyof typeof rows;

/** The constructor arguments of each class with their defaults; what is not in a row is no argument of the class. */
export const defaults: Readonly<Record<ClassName, Config>> = rows;

/** The names of the supported classes. */
export const classNames = Object.keys(rows) as readonly ClassName[];

/** The classes diffusers calls compatible: each of the first row knows the arguments of the second, and keeps them without a warning. */
export const compatible = {
  // Their own list leaves EDMEulerScheduler out and names DPMSolverSDEScheduler, which exists only where torchsde is installed.
  knowing: new Set<ClassName>(classNames.slice(0, classNames.indexOf("IPNDMScheduler"))),
  known: new Set<string>(
    [...classNames.slice(0, classNames.indexOf("SASolverScheduler")), "EDMEulerScheduler" as const].flatMap((name) =>
      Object.keys(rows[name]),
    ),
  ),
};
