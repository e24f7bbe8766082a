// An edge worker: every .wasm file and the network are imported.
import * as core from "dc-solver";
import * as diffusers from "dc-solver/diffusers";
import { loadModel } from "dc-solver/onnx";
import { installOrtWasm } from "dc-solver/workerd";
import ortModule from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
import * as ort from "onnxruntime-web/wasm";
import { files } from "../models/digits.mjs";
import { scenario } from "../scenario.mjs";

const library = { ...core, ...diffusers };

installOrtWasm(ort, ortModule);

/** Returns the bytes of a file of the model folder: the network comes as bytes, JSON as what it says. */
async function folder(path) {
  const file = files.get(path);
  if (file === undefined) throw new Error(`no ${path} here`);
  return file instanceof ArrayBuffer ? new Uint8Array(file) : new TextEncoder().encode(JSON.stringify(file));
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
