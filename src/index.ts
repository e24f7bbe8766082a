// Public surface of `dc-solver`: named re-exports only.
export {
  fitRatioModel,
  predictRatios,
  type RatioDegrees,
  type RatioModel,
  type RatioObservation,
  ratioModelFromJSON,
  ratioModelFromNpy,
} from "./compensation/cpr.ts";
export { type RatioSearchEvent, type RatioSearchOptions, searchRatios } from "./compensation/ratio-search.ts";
export {
  type GivenReference,
  type RatioReferenceOptions,
  type ReferenceRule,
  ratioReference,
} from "./compensation/reference.ts";
export { type RatioSearch, ratioSearchFromJSON } from "./compensation/search-json.ts";
export type { RatioSettings } from "./compensation/settings.ts";
export type { AffinePrediction, Denoiser, DenoiserInput, DeviceInput, PredictionType } from "./denoisers/denoiser.ts";
export { type MixtureOptions, mixtureDenoiser } from "./denoisers/mixture.ts";
export { type Spacing, timeGrid } from "./diffusion/grid.ts";
export { gaussianNoise } from "./diffusion/noise.ts";
export { edmPreconditioning } from "./diffusion/prediction.ts";
export {
  type EdmOptions,
  edm,
  type FlowOptions,
  flow,
  type NoiseSchedule,
  type VpCosineOptions,
  type VpDiscreteOptions,
  type VpLinearOptions,
  vpCosine,
  vpDiscrete,
  vpLinear,
} from "./diffusion/schedule.ts";
export { compensate } from "./plan/compensate.ts";
export { planFromJSON } from "./plan/json.ts";
export type {
  Clip,
  Combine,
  Draw,
  Evaluate,
  Operation,
  Output,
  Plan,
  PlanOptions,
  PlanStep,
  Point,
  Space,
  Thresholding,
  ValueId,
} from "./plan/plan.ts";
export { NonFiniteError, type StepEvent } from "./sampling/run.ts";
export {
  type SampleOptions,
  type SampleResult,
  type SamplingRun,
  sample,
  sampleSteps,
  startSampling,
} from "./sampling/sample.ts";
export { createPlan } from "./solvers/index.ts";
export { useWasm } from "./wasm/module.ts";
