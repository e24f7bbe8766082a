// Model folders that differ from test/fixtures/tiny-sd as exports in the wild do, derived from it by rewriting its graphs: other types
// and dimensions of inputs, weights beside the graph, a second text encoder. protobufjs drops fields that a schema lacks, so this one
// has all that these files use: re-encoded, they have their bytes (a test looks). Field numbers: onnx.proto of ONNX 1.18.
import protobuf from "protobufjs";
import { read } from "./text-to-image-support.ts";

const schema = `syntax = "proto2";
message StringStringEntryProto { optional string key = 1; optional string value = 2; }
message TensorShapeProto {
  message Dimension { optional int64 dim_value = 1; optional string dim_param = 2; }
  repeated Dimension dim = 1;
}
message TypeProto {
  message Tensor { optional int32 elem_type = 1; optional TensorShapeProto shape = 2; }
  optional Tensor tensor_type = 1;
}
message ValueInfoProto { optional string name = 1; optional TypeProto type = 2; }
message TensorProto {
  repeated int64 dims = 1; optional int32 data_type = 2; repeated float float_data = 4 [packed = true];
  repeated int64 int64_data = 7 [packed = true]; optional string name = 8; optional bytes raw_data = 9;
  repeated StringStringEntryProto external_data = 13; optional int32 data_location = 14;
}
message AttributeProto {
  optional string name = 1; optional float f = 2; optional int64 i = 3; optional bytes s = 4; optional TensorProto t = 5;
  repeated float floats = 7; repeated int64 ints = 8; optional int32 type = 20;
}
message NodeProto {
  repeated string input = 1; repeated string output = 2; optional string name = 3; optional string op_type = 4;
  repeated AttributeProto attribute = 5; optional string doc_string = 6; optional string domain = 7;
}
message GraphProto {
  repeated NodeProto node = 1; optional string name = 2; repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12; repeated ValueInfoProto value_info = 13;
}
message OperatorSetIdProto { optional string domain = 1; optional int64 version = 2; }
message ModelProto {
  optional int64 ir_version = 1; optional string producer_name = 2; optional string producer_version = 3;
  optional GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8;
}`;
const modelType = protobuf.parse(schema, { keepCase: true }).root.lookupType("ModelProto");

/** Element types of ONNX. */
export const type = { float: 1, int32: 6, int64: 7, half: 10 } as const;

interface Tensor {
  name: string;
  dims: number[];
  data_type: number;
  raw_data?: Uint8Array;
  external_data?: { key: string; value: string }[];
  data_location?: number;
}
interface Value {
  name: string;
  type: { tensor_type: { elem_type: number; shape: { dim: { dim_value?: number; dim_param?: string }[] } } };
}
interface Node {
  input: string[];
  output: string[];
  op_type: string;
  attribute?: object[];
}
interface Model {
  graph: { node: Node[]; initializer: Tensor[]; input: Value[]; output: Value[] };
}

/** Returns a model with something changed. */
export function edit(bytes: Uint8Array, change: (graph: Model["graph"]) => void): Uint8Array {
  const model = modelType.decode(bytes) as unknown as Model;
  change(model.graph);
  return modelType.encode(model as never).finish();
}

const node = (op_type: string, input: string[], output: string, ...attribute: object[]): Node => ({
  op_type,
  input,
  output: [output],
  attribute,
});
const integer = (name: string, i: number) => ({ name, i, type: 2 });
const value = (name: string, elem_type: number, dims: (number | string)[]): Value => ({
  name,
  type: {
    tensor_type: {
      elem_type,
      shape: { dim: dims.map((d) => (typeof d === "number" ? { dim_value: d } : { dim_param: d })) },
    },
  },
});
const constant = (name: string, data_type: number, dims: number[], data: Float32Array | BigInt64Array): Tensor => ({
  name,
  data_type,
  dims,
  raw_data: new Uint8Array(data.buffer),
});

/** Puts `nodes` between an input and its readers, who read `inner` from then on. */
function before(graph: Model["graph"], input: string, inner: string, nodes: Node[]): void {
  for (const n of graph.node) n.input = n.input.map((name) => (name === input ? inner : name));
  graph.node.unshift(...nodes);
}

function declare(graph: Model["graph"], input: string, elem_type: number, dims: (number | string)[]): void {
  graph.input = graph.input.map((v) => (v.name === input ? value(input, elem_type, dims) : v));
}

/** The timestep as an integer, of shape [1] or [batch]. */
export const integerTimestep = (elem_type: number, dims: [1] | ["batch_size"]) => (graph: Model["graph"]) => {
  declare(graph, "timestep", elem_type, dims);
  graph.initializer.push(constant("first", type.int64, [], BigInt64Array.of(0n)));
  before(graph, "timestep", "timestep_inner", [
    node("Cast", ["timestep"], "timestep_float", integer("to", type.float)),
    node("Gather", ["timestep_float", "first"], "timestep_inner", integer("axis", 0)),
  ]);
};

/** The token ids as int32. */
export function shortIds(graph: Model["graph"]): void {
  declare(graph, "input_ids", type.int32, ["batch_size", "sequence_length"]);
  before(graph, "input_ids", "ids_inner", [node("Cast", ["input_ids"], "ids_inner", integer("to", type.int64))]);
}

/** The inputs given and all outputs as float16; what is between stays float32. */
export const halves = (inputs: string[]) => (graph: Model["graph"]) => {
  for (const name of inputs) {
    const declared = graph.input.find((v) => v.name === name) as Value;
    declared.type.tensor_type.elem_type = type.half;
    before(graph, name, `${name}_inner`, [node("Cast", [name], `${name}_inner`, integer("to", type.float))]);
  }
  for (const output of graph.output) {
    output.type.tensor_type.elem_type = type.half;
    const inner = `${output.name}_inner`;
    for (const n of graph.node) n.output = n.output.map((name) => (name === output.name ? inner : name));
    graph.node.push(node("Cast", [inner], output.name, integer("to", type.half)));
  }
};

/** An encoder whose output is `latent_sample`: here the means, as `latent_dist.mode()`. */
export function drawnLatents(graph: Model["graph"]): void {
  const [declared] = graph.output as [Value];
  graph.initializer.push(constant("zero", type.int64, [1], BigInt64Array.of(0n)));
  graph.initializer.push(constant("channels", type.int64, [1], BigInt64Array.of(4n)));
  graph.initializer.push(constant("axis", type.int64, [1], BigInt64Array.of(1n)));
  graph.node.push(node("Slice", [declared.name, "zero", "channels", "axis"], "latent_sample"));
  graph.output = [value("latent_sample", type.float, ["batch_size", 4, "latent_height", "latent_width"])];
}

/** Returns a graph and the file with its larger weights, as onnx.save_model writes them with `save_as_external_data`. */
export function externalWeights(bytes: Uint8Array, location: string): { model: Uint8Array; weights: Uint8Array } {
  const parts: Uint8Array[] = [];
  let offset = 0;
  const model = edit(bytes, (graph) => {
    for (const tensor of graph.initializer) {
      const { raw_data } = tensor;
      if (raw_data === undefined || raw_data.length < 1024) continue;
      delete tensor.raw_data;
      const entries = { location, offset: `${offset}`, length: `${raw_data.length}` };
      tensor.external_data = Object.entries(entries).map(([key, text]) => ({ key, value: text }));
      tensor.data_location = 1;
      // Aligned, as the files of large models are.
      const padded = new Uint8Array(Math.ceil(raw_data.length / 4096) * 4096);
      padded.set(raw_data);
      parts.push(padded);
      offset += padded.length;
    }
  });
  const weights = new Uint8Array(offset);
  let at = 0;
  for (const part of parts) {
    weights.set(part, at);
    at += part.length;
  }
  return { model, weights };
}

/** The outputs that SDXL reads: the states before each layer and after the last, and a pooled one called `text_embeds`; times `factor`. */
export const xlOutputs = (factor: number) => (graph: Model["graph"]) => {
  const states = [
    "/text_model/embeddings/Add_output_0",
    ...[0, 1, 2].map((i) => `/text_model/encoder/layers.${i}/Add_1_output_0`),
  ];
  graph.initializer.push(constant("factor", type.float, [], Float32Array.of(factor)));
  for (const [i, name] of states.entries()) {
    graph.node.push(node("Mul", [name, "factor"], `hidden_states.${i}`));
    graph.output.push(value(`hidden_states.${i}`, type.float, ["batch_size", "sequence_length", 32]));
  }
  graph.node.push(node("Mul", ["pooler_output", "factor"], "text_embeds"));
  graph.output = graph.output.filter(({ name }) => name !== "pooler_output");
  graph.output.push(value("text_embeds", type.float, ["batch_size", 32]));
};

/** How the XL variant of the UNet mixes its further inputs into the embedding it knows. */
export const xlMix = { first: 0.75, second: 0.25, pooled: 0.125, ids: 1 / 1024 };

/** SDXL's inputs: states of two encoders side by side, `text_embeds` and `time_ids`. */
export function xlInputs(graph: Model["graph"]): void {
  declare(graph, "encoder_hidden_states", type.float, ["batch_size", "sequence_length", 64]);
  graph.input.push(
    value("text_embeds", type.float, ["batch_size", 32]),
    value("time_ids", type.float, ["batch_size", 6]),
  );
  for (const [name, number] of Object.entries(xlMix)) {
    graph.initializer.push(constant(`mix_${name}`, type.float, [], Float32Array.of(number)));
  }
  graph.initializer.push(
    constant("xl_sizes", type.int64, [2], BigInt64Array.of(32n, 32n)),
    constant("xl_one", type.int64, [1], BigInt64Array.of(1n)),
    constant("xl_weights", type.float, [6, 1], Float32Array.of(1, 2, 3, 4, 5, 6)),
  );
  before(graph, "encoder_hidden_states", "states_inner", [
    { ...node("Split", ["encoder_hidden_states", "xl_sizes"], "", integer("axis", -1)), output: ["xl_a", "xl_b"] },
    node("Mul", ["xl_a", "mix_first"], "xl_first"),
    node("Mul", ["xl_b", "mix_second"], "xl_second"),
    node("Unsqueeze", ["text_embeds", "xl_one"], "xl_pooled"),
    node("Mul", ["xl_pooled", "mix_pooled"], "xl_third"),
    node("MatMul", ["time_ids", "xl_weights"], "xl_sum"),
    node("Unsqueeze", ["xl_sum", "xl_one"], "xl_sums"),
    node("Mul", ["xl_sums", "mix_ids"], "xl_fourth"),
    node("Add", ["xl_first", "xl_second"], "xl_both"),
    node("Add", ["xl_both", "xl_third"], "xl_three"),
    node("Add", ["xl_three", "xl_fourth"], "states_inner"),
  ]);
}

type Content = Uint8Array | string | object | null;

/** Returns how tiny-sd is read with some of its files replaced: by bytes, a text, the JSON of an object, or nothing at all (null). */
export function folder(changes: Record<string, Content | ((bytes: Uint8Array) => Content | Promise<Content>)>) {
  return async (path: string): Promise<Uint8Array> => {
    const change = changes[path];
    if (change === undefined) return read(path);
    const content = typeof change === "function" ? await change(await read(path)) : change;
    if (content === null) throw new Error(`ENOENT: no such file, ${path}`);
    if (content instanceof Uint8Array) return content;
    return new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content));
  };
}

/** Returns a change of a JSON file: other values, and none of the keys that are undefined. */
export const json = (values: object) => (bytes: Uint8Array) => ({
  ...JSON.parse(new TextDecoder().decode(bytes)),
  ...values,
});

/** Returns a change of a graph. */
export const graph = (change: (graph: Model["graph"]) => void) => (bytes: Uint8Array) => edit(bytes, change);
