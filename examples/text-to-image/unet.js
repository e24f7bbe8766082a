// @ts-check
// The UNet as a denoiser, through dc-solver/onnx; what it is told beside the state is made once a run.
import { onnxDenoiser } from "dc-solver/onnx";
import { naming } from "./files.js";
import { openGraph } from "./graph.js";
import { turn } from "./turn.js";

/**
 * @typedef {import("./graph.js").Graph} Graph
 * @typedef {import("./graph.js").Values} Values
 * @typedef {Record<string, import("./graph.js").Tensor>} Condition
 */

/** Returns the graph of the UNet. @param {import("./graph.js").Runtime} runtime @param {import("./files.js").Files} files */
export const openUnet = (runtime, files) => openGraph(runtime, files, "unet/model.onnx");

/**
 * Returns the inputs that say what to draw.
 * @param {Graph} graph
 * @param {import("./text.js").Embedding} embedding one row for each item
 * @param {{ width: number, height: number }} size of the picture: SDXL is told it, as size of the original and of the target
 * @returns {Condition}
 */
export function condition(graph, { states, pooled }, { width, height }) {
  /** @type {Record<string, Values>} */
  const values = { encoder_hidden_states: states };
  if (graph.session.inputNames.includes("text_embeds") && pooled !== undefined) values.text_embeds = pooled;
  if (graph.session.inputNames.includes("time_ids")) {
    const batch = states.dims[0] ?? 0;
    values.time_ids = {
      data: Array.from({ length: batch }, () => [height, width, 0, 0, height, width]).flat(),
      dims: [batch, 6],
    };
  }
  graph.expectInputs(["sample", "timestep", ...Object.keys(values)]);
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, graph.tensor(name, value)]));
}

/**
 * Returns the UNet as a denoiser.
 * @param {Graph} graph
 * @param {import("dc-solver").PredictionType} prediction
 * @param {(time: number) => void} [report] hears what the scheduler tells the network, before each call
 * @returns {import("dc-solver").Denoiser<Condition>}
 */
export function denoiserOf(graph, prediction, report) {
  const { ort, session } = graph;
  const network = naming(graph.path, () =>
    onnxDenoiser({ ort, session, prediction, encodeCondition: (/** @type {Condition | undefined} */ c) => c ?? {} }),
  );
  const pair = /** @type {NonNullable<typeof network.predictGuided>} */ (network.predictGuided);
  const integer = graph.input("timestep")?.type?.startsWith("int") ?? false;

  /**
   * Returns a request, told in a form that the graph takes.
   * @template {import("dc-solver").DenoiserInput<Condition>} T
   * @param {T} request
   */
  async function tell(request) {
    await turn();
    request.signal?.throwIfAborted();
    const { modelTime: time } = request;
    report?.(time);
    if (!integer) return request;
    // Some schedulers have times between two training steps. A graph that takes integers gets them cut off, as diffusers'
    // OnnxStableDiffusionPipeline does it.
    return { ...request, modelTime: Math.abs(time - Math.round(time)) < 1e-6 ? Math.round(time) : Math.trunc(time) };
  }
  return {
    prediction,
    predict: async (request) => network.predict(await tell(request)),
    predictGuided: async (request) => pair(await tell(request)),
  };
}
