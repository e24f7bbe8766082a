// A page: by import map, or bundled by Vite. ONNX Runtime and the model folder come over HTTP.
import * as core from "dc-solver";
import * as diffusers from "dc-solver/diffusers";
import { loadModel } from "dc-solver/onnx";
import * as ort from "onnxruntime-web/wasm";
import { scenario } from "../scenario.mjs";

const library = { ...core, ...diffusers };

const folder = new URL("/models/digits/", location.href);
globalThis.outcome = await scenario(library, { loadModel, ort, folder });
