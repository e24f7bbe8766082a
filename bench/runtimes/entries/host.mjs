// Node, Deno and Bun. Nothing here imports the library before the clock runs.
import { readFileSync } from "node:fs";
import { task } from "./task.mjs";

const outcome = await task({
  load: () => import("dc-solver"),
  module: () => new WebAssembly.Module(readFileSync(new URL(import.meta.resolve("dc-solver/dc-solver.wasm")))),
  async network() {
    const [{ loadModel }, ort] = await Promise.all([import("dc-solver/onnx"), import("onnxruntime-web")]);
    return { loadModel, ort, folder: new URL("./models/digits/", import.meta.resolve("dc-solver/package.json")) };
  },
  memory: () => process.memoryUsage().rss,
});
console.log(JSON.stringify(outcome));
