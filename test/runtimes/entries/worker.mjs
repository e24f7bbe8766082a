// A module worker of a page, not bundled. No import map reaches it: the files by their addresses.
import * as diffusers from "/node_modules/dc-solver/dist/diffusers.js";
import * as core from "/node_modules/dc-solver/dist/index.js";
import { loadModel } from "/node_modules/dc-solver/dist/onnx.js";
import * as ort from "/node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs";
import { scenario } from "../scenario.mjs";

const library = { ...core, ...diffusers };

const folder = new URL("/models/digits/", location.href);
// A rejected await of a worker's module reaches no handler of the page.
scenario(library, { loadModel, ort, folder }).then(postMessage, (error) => setTimeout(() => reportError(error)));
