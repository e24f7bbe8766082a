// Scheduler classes of diffusers 0.42.1 that are not supported: why, and the arguments they have. A file that names one can still
// be loaded with another class, and diffusers then keeps those arguments without a warning.

interface Further {
  readonly reason: string;
  readonly arguments: readonly string[];
}

const row = (reason: string, names: string): Further => ({ reason, arguments: names === "" ? [] : names.split(" ") });

const betas = "num_train_timesteps beta_start beta_end beta_schedule trained_betas";
const clipped = `${betas} clip_sample set_alpha_to_one steps_offset prediction_type clip_sample_range timestep_spacing rescale_betas_zero_snr`;
const thresholding = "thresholding dynamic_thresholding_ratio sample_max_value";
const grids = "use_karras_sigmas use_exponential_sigmas use_beta_sigmas";
const unchecked = "it was not checked against runs of the class";
const discrete = "it samples tokens, not Gaussian noise";
/** Where torchsde is missing, and for removed classes, diffusers has a class that only tells so. */
const standIn = "args kwargs";
const lone = "its formulas are its own, which none of the solvers has";

/** The classes by name. */
export const further: Readonly<Record<string, Further>> = {
  AmusedScheduler: row(discrete, "mask_token_id masking_schedule"),
  BlockRefinementScheduler: row(discrete, "block_length num_inference_steps threshold editing_threshold minimal_topk"),
  CMStochasticIterativeScheduler: row(
    "its network is a consistency model with inputs and a boundary condition of its own",
    "num_train_timesteps sigma_min sigma_max sigma_data s_noise rho clip_denoised",
  ),
  CogVideoXDPMScheduler: row(
    "its step is given the x₀ of the step before, and draws twice to use one",
    `${clipped} sample_max_value snr_shift_scale`,
  ),
  CosineDPMSolverMultistepScheduler: row(`it draws from torchsde's Brownian tree, and ${unchecked}`, standIn),
  DDIMInverseScheduler: row("it runs from data to noise", `${clipped} kwargs`),
  DDPMWuerstchenScheduler: row(lone, "scaler s"),
  DPMSolverMultistepInverseScheduler: row(
    "it runs from data to noise",
    `${betas} ${thresholding} ${grids} solver_order prediction_type algorithm_type solver_type lower_order_final euler_at_final use_flow_sigmas flow_shift lambda_min_clipped variance_type timestep_spacing steps_offset`,
  ),
  DPMSolverSDEScheduler: row(`it draws from torchsde's Brownian tree, and ${unchecked}`, standIn),
  DiscreteDDIMScheduler: row(
    discrete,
    "num_inference_steps corrector_steps corrector_k corrector_selection corrector_selection_tau",
  ),
  EntropyBoundScheduler: row(discrete, "entropy_bound t_max t_min num_inference_steps"),
  FlowMapEulerDiscreteScheduler: row(lone, "num_train_timesteps shift"),
  HeliosDMDScheduler: row(
    "it changes resolution between stages",
    "num_train_timesteps shift stages stage_range gamma prediction_type use_flow_sigmas use_dynamic_shifting time_shift_type",
  ),
  HeliosScheduler: row(
    "it changes resolution between stages",
    "num_train_timesteps shift stages stage_range gamma thresholding prediction_type solver_order predict_x0 solver_type lower_order_final disable_corrector solver_p use_flow_sigmas scheduler_type use_dynamic_shifting time_shift_type",
  ),
  KarrasVeScheduler: row("diffusers has removed it", standIn),
  LTXEulerAncestralRFScheduler: row(lone, "num_train_timesteps eta s_noise"),
  MiniMaxH3Scheduler: row(lone, "shift"),
  PiflowScheduler: row(lone, "num_train_timesteps shift n_grid eps final_step_size_scale num_policy_substeps"),
  RFD4ProteinaScheduler: row(
    "it samples proteins",
    "schedule_mode noise_mode tsr_k tsr_sigma tail_steps tail_step_multiplier t_lim_ode t_lim_ode_below",
  ),
  RePaintScheduler: row("it jumps back and forth in time between a picture and a mask", `${betas} eta clip_sample`),
  SCMScheduler: row(
    "its times are angles: states are cosine and sine of them",
    "num_train_timesteps prediction_type sigma_data",
  ),
  ScoreSdeVeScheduler: row(
    "it corrects by Langevin steps",
    "num_train_timesteps snr sigma_min sigma_max sampling_eps correct_steps",
  ),
  ScoreSdeVpScheduler: row("diffusers does not export it", ""),
  UnCLIPScheduler: row(
    "its network returns variances, and the pipeline says where a step ends",
    "num_train_timesteps variance_type clip_sample clip_sample_range prediction_type beta_schedule",
  ),
  VQDiffusionScheduler: row(
    discrete,
    "num_vec_classes num_train_timesteps alpha_cum_start alpha_cum_end gamma_cum_start gamma_cum_end",
  ),
};
