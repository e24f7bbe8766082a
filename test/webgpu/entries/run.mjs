import * as library from "dc-solver";
import * as onnx from "dc-solver/onnx";
import * as webgpu from "dc-solver/webgpu";
import * as ort from "onnxruntime-web/webgpu";
import { scenario } from "./scenario.mjs";

/** Returns the outcome of the scenario with the model folders beside `base`. */
export function outcome(base) {
  ort.env.wasm.numThreads = 1;
  const folders = { perceptron: new URL("perceptron/", base), spoiled: new URL("spoiled/", base) };
  return scenario({ library, onnx, webgpu, ort, folders });
}
