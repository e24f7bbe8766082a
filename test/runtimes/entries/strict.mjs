// A page whose content security policy lacks 'wasm-unsafe-eval'. It may not compile WebAssembly, and compileStreaming is compiling.
// A worker has the policy of its own response: there the module is compiled, and posted.
import * as diffusers from "/node_modules/dc-solver/dist/diffusers.js";
import * as core from "/node_modules/dc-solver/dist/index.js";
import { scenario } from "../scenario.mjs";
import { refusals } from "./refusals.mjs";

const library = { ...core, ...diffusers };

const refused = refusals(library);
const streamed = await WebAssembly.compileStreaming(fetch("/node_modules/dc-solver/dist/dc-solver.wasm")).catch(
  (error) => error.name,
);
if (streamed !== "CompileError") throw new Error(`the page's policy does not hold: ${streamed}`);
const worker = new Worker("compile.mjs", { type: "module" });
const module = await new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(`worker: ${message}`));
});
worker.terminate();
library.useWasm(module);
globalThis.outcome = { ...(await scenario(library)), refused };
