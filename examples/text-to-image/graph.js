// @ts-check
// One graph of the folder in ONNX Runtime, fed by what it declares: exports differ in the types of their inputs.
import { naming } from "./files.js";
import { fromHalf, toHalf } from "./half.js";
import { externalFiles } from "./weights.js";

/**
 * @typedef {import("dc-solver/onnx").OrtLike} Ort
 * @typedef {import("dc-solver/onnx").SessionLike} Session
 * @typedef {import("dc-solver/onnx").TensorLike} Tensor
 * @typedef {{ ort: Ort, executionProviders: string[] }} Runtime
 * @typedef {{ data: Float32Array | number[], dims: number[] }} Values row-major; integers are a plain array
 */

/** A loaded graph. */
export class Graph {
  /**
   * @param {string} path
   * @param {Ort} ort
   * @param {Session} session
   */
  constructor(path, ort, session) {
    this.path = path;
    this.ort = ort;
    this.session = session;
  }

  /**
   * Returns what the graph says of an input.
   * @param {string} name
   */
  input(name) {
    return this.session.inputMetadata?.find((input) => input.name === name);
  }

  /**
   * Returns numbers as the tensor that an input wants.
   * @param {string} name
   * @param {Values} values
   * @returns {Tensor}
   */
  tensor(name, { data, dims }) {
    const type = this.input(name)?.type ?? (Array.isArray(data) ? "int64" : "float32");
    const make = (/** @type {unknown} */ numbers) => new this.ort.Tensor(type, numbers, dims);
    if (type === "float32") return make(Float32Array.from(data));
    if (type === "float16") return make(toHalf(Float32Array.from(data)));
    if (type === "int32") return make(Int32Array.from(data));
    if (type === "int64") return make(BigInt64Array.from(Array.from(data, BigInt)));
    throw new TypeError(`"${this.path}": the input "${name}" is of type ${type}, which this example does not fill`);
  }

  /**
   * Throws unless `names` are the graph's inputs, all of them.
   * @param {readonly string[]} names
   */
  expectInputs(names) {
    const { inputNames } = this.session;
    const open = inputNames.find((name) => !names.includes(name));
    if (open !== undefined) throw new TypeError(`"${this.path}": the graph wants "${open}", which is not filled here`);
    const lacking = names.find((name) => !inputNames.includes(name));
    if (lacking === undefined) return;
    throw new TypeError(`"${this.path}": the graph has no input "${lacking}"; its inputs: ${inputNames.join(", ")}`);
  }

  /**
   * Returns the outputs that are asked for, as float32.
   * @param {Record<string, Values>} feeds
   * @param {readonly string[]} names
   * @returns {Promise<{ data: Float32Array, dims: number[] }[]>}
   */
  async run(feeds, names) {
    this.expectInputs(Object.keys(feeds));
    for (const name of names) {
      if (this.session.outputNames.includes(name)) continue;
      throw new TypeError(
        `"${this.path}": the graph has no output "${name}"; its outputs: ${this.session.outputNames.join(", ")}`,
      );
    }
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, values]) => [name, this.tensor(name, values)]));
    /** @type {Record<string, Tensor>} */
    let outputs = {};
    try {
      outputs = await this.session.run(inputs, [...names]);
      return await Promise.all(names.map((name) => this.#read(name, /** @type {Tensor} */ (outputs[name]))));
    } finally {
      for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.dispose?.();
    }
  }

  /**
   * @param {string} name
   * @param {Tensor} tensor
   */
  async #read(name, tensor) {
    const { type, dims } = tensor;
    const data = /** @type {Float32Array} */ (await (tensor.getData?.() ?? tensor.data));
    if (type !== "float32" && type !== "float16") {
      throw new TypeError(`"${this.path}": expected float32 or float16 numbers as "${name}", got ${type}`);
    }
    const numbers = type === "float16" ? fromHalf(data) : data;
    if (numbers.some((value) => !Number.isFinite(value))) {
      throw new RangeError(`"${this.path}": "${name}" has values that are not finite (float16 overflows above 65504)`);
    }
    return { data: numbers, dims: Array.from(dims) };
  }

  async release() {
    await this.session.release?.();
  }
}

/**
 * Returns a graph of the folder, with the weights that lie in other files.
 * @param {Runtime} runtime
 * @param {import("./files.js").Files} files
 * @param {string} path
 */
export async function openGraph({ ort, executionProviders }, files, path) {
  const bytes = await files.bytes(path);
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const externalData = [];
  for (const { location, bytes: least } of naming(path, () => externalFiles(bytes))) {
    const data = await files.bytes(folder + location);
    if (data.length < least) {
      throw new RangeError(`"${folder}${location}": cut off: expected ${least} bytes or more, got ${data.length}`);
    }
    externalData.push({ path: location, data });
  }
  const options = { executionProviders, ...(externalData.length === 0 ? {} : { externalData }) };
  try {
    return new Graph(path, ort, await ort.InferenceSession.create(bytes, options));
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`"${path}": ONNX Runtime cannot load it with ${executionProviders.join(", ")}: ${said}`, { cause });
  }
}
