// A model folder of a few hundred bytes: a network of four operators, written here byte by byte, for tests of everything around it.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

// Protocol buffers, as far as onnx.proto of ONNX 1.8 goes: a field is its number and wire type, then a varint or bytes with their length.
type Part = number | string | Uint8Array;

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

function field(number: number, value: Part): number[] {
  if (typeof value === "number") return [...varint(number * 8), ...varint(value)];
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
}

export const message = (...fields: [number, Part][]): Uint8Array =>
  Uint8Array.from(fields.flatMap(([n, v]) => field(n, v)));
export const float = 1;
export const int64 = 7;

export function node(operator: string, inputs: string[], output: string): Uint8Array {
  return message(...inputs.map((name): [number, Part] => [1, name]), [2, output], [4, operator]);
}

export function tensor(name: string, type: number, dims: number[], data: Float32Array | BigInt64Array): Uint8Array {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message(...dims.map((d): [number, Part] => [1, d]), [2, type], [8, name], [9, raw]);
}

export function valueInfo(name: string, type: number, dims: (number | string)[]): Uint8Array {
  const shape = message(...dims.map((d): [number, Part] => [1, message([typeof d === "number" ? 1 : 2, d])]));
  return message([1, name], [2, message([1, message([1, type], [2, shape])])]);
}

/** Returns a network for samples [1, 2, 2] with two labels and the null class: tanh(x + table[label] + timestep/1000). */
export function tinyNetwork(
  table: readonly number[] = [0.5, -0.3, 0.2, 0.9, -0.8, 0.4, 0.1, -0.6, 0, 0, 0, 0],
): Uint8Array {
  const graph = message(
    [1, node("Gather", ["table", "class_labels"], "embedding")],
    [1, node("Reshape", ["timestep", "column"], "times")],
    [1, node("Mul", ["times", "thousandth"], "share")],
    [1, node("Add", ["sample", "embedding"], "moved")],
    [1, node("Add", ["moved", "share"], "sum")],
    [1, node("Tanh", ["sum"], "out_sample")],
    [2, "tiny"],
    [5, tensor("table", float, [3, 1, 2, 2], Float32Array.from(table))],
    [5, tensor("column", int64, [4], BigInt64Array.of(-1n, 1n, 1n, 1n))],
    [5, tensor("thousandth", float, [], Float32Array.of(1e-3))],
    [11, valueInfo("sample", float, ["batch", 1, 2, 2])],
    [11, valueInfo("timestep", float, ["batch"])],
    [11, valueInfo("class_labels", int64, ["batch"])],
    [12, valueInfo("out_sample", float, ["batch", 1, 2, 2])],
  );
  return message([1, 8], [7, graph], [8, message([2, 13])]);
}

/** The files of a model folder with that network. */
export function tinyFolder(network = tinyNetwork()): Record<string, string | Uint8Array> {
  return {
    "model_index.json": JSON.stringify({
      _class_name: "DDIMPipeline",
      unet: ["diffusers", "UNet2DModel"],
      scheduler: ["diffusers", "DDIMScheduler"],
    }),
    "unet/config.json": JSON.stringify({
      _class_name: "UNet2DModel",
      in_channels: 1,
      out_channels: 1,
      sample_size: 2,
      num_class_embeds: 3,
    }),
    "unet/model.onnx": network,
    "scheduler/scheduler_config.json": JSON.stringify({ _class_name: "DDIMScheduler", prediction_type: "sample" }),
  };
}

/** Writes files into a folder, and returns its path. */
export function writeFiles(folder: string, files: Record<string, string | Uint8Array>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}
