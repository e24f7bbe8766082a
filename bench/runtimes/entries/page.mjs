// A page of Chromium, by import map: the library comes over HTTP from this machine.
import { task } from "./task.mjs";

const memory = "memory" in performance ? () => performance.memory.usedJSHeapSize : undefined;
globalThis.outcome = await task({
  load: () => import("dc-solver"),
  module: () => WebAssembly.compileStreaming(fetch("/node_modules/dc-solver/dist/dc-solver.wasm")),
  async network() {
    const [{ loadModel }, ort] = await Promise.all([import("dc-solver/onnx"), import("onnxruntime-web/wasm")]);
    return { loadModel, ort, folder: new URL("/models/digits/", location.href) };
  },
  memory,
});
