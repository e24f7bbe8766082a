// What esbuild bundles. It leaves the .wasm file of ONNX Runtime and the model folder where they are; build.mjs copies them.
import { start } from "../page/app.js";

start({ folder: "digits/", wasm: "ort-wasm-simd-threaded.wasm" });
