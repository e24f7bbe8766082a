// What the constructors of diffusers 0.42.1 refuse and what they replace, as data of the class or as a rule of the argument.
import { finite, integer, number, oneOf, wrongType, wrongValue } from "../check.ts";
import { type ClassName, type Config, defaults, type Json } from "./defaults.ts";

/** Values of an argument: those a class implements, and those of its relatives that it takes for its own. */
interface Choice {
  readonly accepts: readonly string[];
  readonly takes?: readonly string[];
  readonly as?: string;
}

const dpmSolverType: Choice = { accepts: ["midpoint", "heun"], takes: ["logrho", "bh1", "bh2"], as: "midpoint" };

/** The arguments whose values depend on the class. */
const choices: Partial<Record<ClassName, Readonly<Record<string, Choice>>>> = {
  DPMSolverMultistepScheduler: {
    algorithm_type: {
      accepts: ["dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++"],
      takes: ["deis"],
      as: "dpmsolver++",
    },
    solver_type: dpmSolverType,
  },
  DPMSolverSinglestepScheduler: {
    algorithm_type: { accepts: ["dpmsolver", "dpmsolver++", "sde-dpmsolver++"], takes: ["deis"], as: "dpmsolver++" },
    solver_type: dpmSolverType,
  },
  DEISMultistepScheduler: {
    algorithm_type: { accepts: ["deis"], takes: ["dpmsolver", "dpmsolver++"], as: "deis" },
    solver_type: { accepts: ["logrho"], takes: ["midpoint", "heun", "bh1", "bh2"], as: "logrho" },
  },
  UniPCMultistepScheduler: {
    solver_type: { accepts: ["bh1", "bh2"], takes: ["midpoint", "heun", "logrho"], as: "bh2" },
  },
  SASolverScheduler: { algorithm_type: { accepts: ["data_prediction", "noise_prediction"] } },
  EDMEulerScheduler: { final_sigmas_type: { accepts: ["zero", "sigma_min"] } },
  EDMDPMSolverMultistepScheduler: {
    algorithm_type: { accepts: ["dpmsolver++", "sde-dpmsolver++"], takes: ["deis"], as: "dpmsolver++" },
    solver_type: dpmSolverType,
  },
  FlowMatchEulerDiscreteScheduler: { time_shift_type: { accepts: ["exponential", "linear"] } },
  FlowMatchLCMScheduler: { time_shift_type: { accepts: ["exponential", "linear"] } },
};

/** Noise schedules that only some classes implement, beside the three of all. */
const betaSchedules: Partial<Record<ClassName, readonly string[]>> = {
  DDPMScheduler: ["laplace", "sigmoid"],
  DDPMParallelScheduler: ["laplace", "sigmoid"],
  HeunDiscreteScheduler: ["exp"],
};

/** Classes that lay out the training grid at once, and so refuse a spacing that others meet in `set_timesteps`. */
const laysOutGrid = new Set<ClassName>([
  "LMSDiscreteScheduler",
  "HeunDiscreteScheduler",
  "KDPM2DiscreteScheduler",
  "KDPM2AncestralDiscreteScheduler",
]);

/** Returns whether Python takes a value for true: null, 0, "" and what is empty are not, the text "False" is. */
export function truth(value: Json | undefined): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  // NaN is true in Python.
  return value === undefined ? false : Boolean(value) || Number.isNaN(value);
}

function checkBetas(className: ClassName, config: Config): void {
  const { trained_betas: trained, beta_schedule: schedule } = config;
  if (trained !== null && trained !== undefined) {
    if (!Array.isArray(trained)) wrongType("trained_betas", "null or an array of numbers", trained);
    if (trained.length === 0) wrongValue("trained_betas", "null or at least one number", trained);
    trained.forEach((beta, i) => {
      finite(`trained_betas[${i}]`, beta);
    });
    return;
  }
  if (schedule === undefined) return;
  const name = oneOf("beta_schedule", schedule, [
    ...["linear", "scaled_linear", "squaredcos_cap_v2"],
    ...(betaSchedules[className] ?? []),
  ]);
  if (!["linear", "scaled_linear", "sigmoid"].includes(name)) return;
  for (const key of ["beta_start", "beta_end"]) {
    const beta = finite(key, config[key]);
    // Python takes a root of it: a complex number.
    if (name === "scaled_linear" && beta < 0) wrongValue(key, "a number ≥ 0 with scaled_linear betas", beta);
  }
}

/** Refuses what Python cannot sum, or sums to more than one: it is how diffusers asks that at most one of the grids is chosen. */
function checkSigmaGrids(config: Config): void {
  const keys = ["use_beta_sigmas", "use_exponential_sigmas", "use_karras_sigmas"];
  let chosen = 0;
  for (const key of keys) {
    const value = config[key];
    if (typeof value !== "boolean" && typeof value !== "number") wrongType(key, "true or false", value);
    chosen += Number(value);
  }
  if (chosen > 1) {
    const named = keys.filter((key) => truth(config[key])).join(", ");
    throw new RangeError(
      `"${keys.join('", "')}": expected at most one to be true, got ${named}; set the others to false`,
    );
  }
}

/** Returns the configuration with the values of relatives replaced by the class's own. */
function choose(className: ClassName, config: Config): Config {
  const chosen: Record<string, Json> = { ...config };
  for (const [key, { accepts, takes = [], as }] of Object.entries(choices[className] ?? {})) {
    const value = oneOf(key, config[key], [...accepts, ...takes]);
    if (as !== undefined && takes.includes(value)) chosen[key] = as;
  }
  return chosen;
}

function checkOrders(className: ClassName, config: Config): void {
  for (const key of ["solver_order", "predictor_order", "corrector_order"]) {
    if (key in config) number(key, config[key], "an integer", Number.isInteger);
  }
  if (className !== "DPMSolverSinglestepScheduler") return;
  const order = integer("solver_order", config.solver_order, 1, 3);
  const steps = config.num_train_timesteps as number;
  if (config.final_sigmas_type === "zero" && !truth(config.lower_order_final) && steps < order) {
    wrongValue("num_train_timesteps", `an integer ≥ ${order}, the order`, steps, "or set lower_order_final to true");
  }
}

function checkSigmas(config: Config): void {
  const schedule = oneOf("sigma_schedule", config.sigma_schedule, ["karras", "exponential"]);
  for (const key of ["sigma_min", "sigma_max"]) {
    const sigma = finite(key, config[key]);
    if (sigma < 0 || (sigma === 0 && schedule === "exponential")) wrongValue(key, "a number > 0", sigma);
  }
  if (schedule === "karras" && finite("rho", config.rho) === 0) wrongValue("rho", "a number other than 0", 0);
}

/** Far above any network: tables of ten million entries take seconds, and memory that a page does not have. */
const mostTrainSteps = 1e6;

/**
 * Returns the arguments as the constructor of the class leaves them: `solver_type` "midpoint" is "bh2" in UniPC, and so on.
 * What a constructor does not look at is not checked here: a null it never uses is passed on.
 * @throws TypeError or RangeError where the constructor fails, for more than a million training timesteps, and where it goes on with betas or sigmas that are no numbers.
 */
export function construct(className: ClassName, config: Config): Config {
  integer("num_train_timesteps", config.num_train_timesteps, 1, mostTrainSteps);
  if ("use_karras_sigmas" in config) checkSigmaGrids(config);
  checkBetas(className, config);
  if ("shift_terminal" in config && "flow_shift" in config) {
    if (config.shift_terminal !== null && !truth(config.use_flow_sigmas)) {
      wrongValue("shift_terminal", "null", config.shift_terminal, "it needs use_flow_sigmas: true");
    }
  }
  const chosen = choose(className, config);
  // The check sees the algorithm that was asked for: "deis" becomes dpmsolver++ and is refused all the same.
  const asked = config.algorithm_type;
  if (choices[className]?.solver_type === dpmSolverType && asked !== "dpmsolver++" && asked !== "sde-dpmsolver++") {
    const remedy = `choose sigma_min, or an algorithm_type other than ${JSON.stringify(asked)}`;
    if (config.final_sigmas_type === "zero") wrongValue("final_sigmas_type", '"sigma_min"', "zero", remedy);
  }
  checkOrders(className, config);
  if ("sigma_schedule" in config) checkSigmas(config);
  if (className.startsWith("FlowMatch") && !truth(config.use_dynamic_shifting)) finite("shift", config.shift);
  if (laysOutGrid.has(className)) {
    const spacing = oneOf("timestep_spacing", config.timestep_spacing, ["linspace", "leading", "trailing"]);
    if (spacing === "leading") finite("steps_offset", config.steps_offset);
  }
  return chosen;
}

/** Returns the arguments that want true or false and have a text, a list or an object: Python takes them for true unless empty. */
export function oddBooleans(className: ClassName, config: Config): string[] {
  return Object.entries(defaults[className])
    .filter(([key, usual]) => typeof usual === "boolean" && typeof config[key] !== "boolean")
    .filter(([key]) => typeof config[key] === "string" || (typeof config[key] === "object" && config[key] !== null))
    .map(([key]) => key);
}
