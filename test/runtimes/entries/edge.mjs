// An edge worker: every .wasm file and the network are imported.
import * as library from "dc-solver";
import { loadModel } from "dc-solver/onnx";
import { installOrtWasm } from "dc-solver/workerd";
import ortModule from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
import * as ort from "onnxruntime-web/wasm";
import index from "../models/digits/model_index.json";
import scheduler from "../models/digits/scheduler/scheduler_config.json";
import unet from "../models/digits/unet/config.json";
import network from "../models/digits/unet/model.onnx";
import { scenario } from "../scenario.mjs";

installOrtWasm(ort, ortModule);

const text = (json) => new TextEncoder().encode(JSON.stringify(json));
const files = new Map([
  ["model_index.json", text(index)],
  ["unet/config.json", text(unet)],
  ["unet/model.onnx", new Uint8Array(network)],
  ["scheduler/scheduler_config.json", text(scheduler)],
]);

async function folder(path) {
  const bytes = files.get(path);
  if (bytes === undefined) throw new Error(`no ${path} here`);
  return bytes;
}

export default {
  async fetch() {
    try {
      return Response.json(await scenario(library, { loadModel, ort, folder }));
    } catch (error) {
      return Response.json({ error: error.stack });
    }
  },
};
