// An edge worker: one file, in which a dynamic import runs what has been parsed at the start.
import module from "dc-solver/dc-solver.wasm";
import ortModule from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
import { files } from "../models/digits.mjs";
import { task } from "./task.mjs";

async function folder(path) {
  const file = files.get(path);
  if (file === undefined) throw new Error(`no ${path} here`);
  return file instanceof ArrayBuffer ? new Uint8Array(file) : new TextEncoder().encode(JSON.stringify(file));
}

async function network() {
  const [{ loadModel }, { installOrtWasm }, ort] = await Promise.all([
    import("dc-solver/onnx"),
    import("dc-solver/workerd"),
    import("onnxruntime-web/wasm"),
  ]);
  installOrtWasm(ort, ortModule);
  return { loadModel, ort, folder };
}

export default {
  async fetch() {
    try {
      return Response.json(await task({ load: () => import("dc-solver"), module: () => module, network }));
    } catch (error) {
      return Response.json({ error: error.stack });
    }
  },
};
