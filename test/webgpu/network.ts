// The network of these tests: a perceptron of 0.4 MB, which a GPU in software runs in milliseconds, and one that spoils its output.
import { float, int64, message, node, tensor, valueInfo } from "../support/tiny-model.ts";

const side = 8;
const pixels = side * side;
const hidden = 256;
const classes = 11;

/** Numbers in [-1, 1) that are the same in every run. */
function weights(count: number, seed: number, scale: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state / 2 ** 31) * scale;
  });
}

/**
 * Returns a network for samples [1, 8, 8] with ten labels and the null class:
 * tanh(tanh(x·A + label's row + t/1000·b)·B)·C, plus 0·√(t − limit), which is NaN below the limit.
 */
export function perceptron(limit = -1): Uint8Array {
  const graph = message(
    [1, node("Reshape", ["sample", "flat"], "x")],
    [1, node("MatMul", ["x", "A"], "seen")],
    [1, node("Gather", ["labels", "class_labels"], "label")],
    [1, node("Reshape", ["timestep", "column"], "times")],
    [1, node("MatMul", ["times", "b"], "time")],
    [1, node("Add", ["seen", "label"], "named")],
    [1, node("Add", ["named", "time"], "timed")],
    [1, node("Tanh", ["timed"], "first")],
    [1, node("MatMul", ["first", "B"], "inner")],
    [1, node("Tanh", ["inner"], "second")],
    [1, node("MatMul", ["second", "C"], "y")],
    [1, node("Sub", ["times", "limit"], "left")],
    [1, node("Sqrt", ["left"], "root")],
    [1, node("Mul", ["root", "zero"], "spoiler")],
    [1, node("Add", ["y", "spoiler"], "sum")],
    [1, node("Reshape", ["sum", "image"], "out_sample")],
    [2, "perceptron"],
    [5, tensor("A", float, [pixels, hidden], weights(pixels * hidden, 1, 0.2))],
    [5, tensor("B", float, [hidden, hidden], weights(hidden * hidden, 2, 0.1))],
    [5, tensor("C", float, [hidden, pixels], weights(hidden * pixels, 3, 0.1))],
    [5, tensor("labels", float, [classes, hidden], weights(classes * hidden, 4, 0.5))],
    [5, tensor("b", float, [1, hidden], weights(hidden, 5, 1e-3))],
    [5, tensor("limit", float, [], Float32Array.of(limit))],
    [5, tensor("zero", float, [], Float32Array.of(0))],
    [5, tensor("flat", int64, [2], BigInt64Array.of(-1n, BigInt(pixels)))],
    [5, tensor("column", int64, [2], BigInt64Array.of(-1n, 1n))],
    [5, tensor("image", int64, [4], BigInt64Array.of(-1n, 1n, BigInt(side), BigInt(side)))],
    [11, valueInfo("sample", float, ["batch", 1, side, side])],
    [11, valueInfo("timestep", float, ["batch"])],
    [11, valueInfo("class_labels", int64, ["batch"])],
    [12, valueInfo("out_sample", float, ["batch", 1, side, side])],
  );
  return message([1, 8], [7, graph], [8, message([2, 13])]);
}

/** The files of a model folder with that network. */
export function modelFolder(network: Uint8Array): Record<string, string | Uint8Array> {
  const unet = { _class_name: "UNet2DModel", in_channels: 1, out_channels: 1, sample_size: side };
  return {
    "model_index.json": JSON.stringify({
      _class_name: "DDIMPipeline",
      unet: ["diffusers", "UNet2DModel"],
      scheduler: ["diffusers", "DDIMScheduler"],
    }),
    "unet/config.json": JSON.stringify({ ...unet, num_class_embeds: classes }),
    "unet/model.onnx": network,
    "scheduler/scheduler_config.json": JSON.stringify({ _class_name: "DDIMScheduler", prediction_type: "epsilon" }),
  };
}
export { writeFiles } from "../support/tiny-model.ts";
