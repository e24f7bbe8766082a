// A page bundled by esbuild, which leaves the .wasm file of ONNX Runtime where it was.
import { env } from "onnxruntime-web/wasm";

env.wasm.wasmPaths = "/node_modules/onnxruntime-web/dist/";
await import("./page.mjs");
