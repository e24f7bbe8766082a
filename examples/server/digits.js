// @ts-check
// The network of a model folder, for calls in which each item has its own time and label.
import { loadModel } from "dc-solver/onnx";

/**
 * Returns the model that `createHandler` and `createBatcher` take.
 * @param {{ ort: import("dc-solver/onnx").OrtLike, folder: import("dc-solver/onnx").Folder }} options
 * @returns {Promise<import("./handler.js").Model>}
 */
export async function loadDigits({ ort, folder }) {
  /** @type {import("dc-solver/onnx").SessionLike | undefined} */
  let loaded;
  // loadModel's own denoiser takes one time a call, as a sampling run needs it. A shared call has one for each item, so it goes to the
  // session directly; all else (plans with their ratios, shape, labels) is loadModel's.
  const InferenceSession = {
    /** @type {typeof ort.InferenceSession.create} */
    async create(...parameters) {
      loaded = await ort.InferenceSession.create(...parameters);
      return loaded;
    },
  };
  const { denoiser, shape, labels, plan } = await loadModel({ ort: { ...ort, InferenceSession }, folder });
  const session = /** @type {import("dc-solver/onnx").SessionLike} */ (loaded);
  return {
    prediction: /** @type {import("dc-solver").PredictionType} */ (denoiser.prediction),
    shape,
    labels,
    plan,
    async call(batch) {
      const items = [batch.times.length];
      const sample = new ort.Tensor("float32", batch.x, batch.shape);
      const timestep = new ort.Tensor("float32", Float32Array.from(batch.times), items);
      // The network's row for "no label" comes after those of the labels.
      const rows = BigInt64Array.from(batch.labels, (label) => BigInt(label === -1 ? labels : label));
      const class_labels = new ort.Tensor("int64", rows, items);
      const { out_sample: output } = await session.run({ sample, timestep, class_labels });
      const data = await output.getData();
      for (const tensor of [sample, timestep, class_labels, output]) tensor.dispose?.();
      return data;
    },
  };
}
