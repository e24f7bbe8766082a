// Entry dc-solver/onnx.
export { type OnnxDenoiserOptions, onnxDenoiser } from "./denoiser.ts";
export type { Folder } from "./files.ts";
export {
  type LoadedModel,
  type LoadModelOptions,
  loadModel,
  type ModelPlanOptions,
  type ModelSampleOptions,
} from "./load-model.ts";
export type { OrtLike, SessionLike, TensorLike, ValueMetadataLike } from "./ort.ts";
export type { InputNames } from "./signature.ts";
