// Lets onnxruntime-web start where WebAssembly cannot be compiled from bytes. It has no hook for a compiled module: it calls
// WebAssembly.instantiate(bytes, imports) with what env.wasm.wasmBinary holds. So a one-byte binary is put there as a mark, and
// instantiate answers that mark with the given module; every other call goes through. Seen to work with onnxruntime-web 1.30.
import * as check from "../check.ts";

interface OrtEnvironment {
  env: { wasm: { numThreads?: number; wasmBinary?: unknown } };
}

/** The length of the mark. No WebAssembly module is that short: the magic number alone has four bytes. */
const markLength = 1;

let installed: WebAssembly.Module | undefined;

/**
 * Makes onnxruntime-web (the build `onnxruntime-web/wasm`) use a module that was compiled elsewhere, such as an imported .wasm file
 * in an edge worker. Call it once, before the first session.
 * @param ort what `import * as ort from "onnxruntime-web/wasm"` gives
 * @param module `onnxruntime-web/ort-wasm-simd-threaded.wasm`, compiled
 * @throws TypeError if either is something else.
 */
export function installOrtWasm(ort: unknown, module: WebAssembly.Module): void {
  const environment = check.object("ort", ort) as unknown as OrtEnvironment;
  if (typeof environment.env?.wasm !== "object" || environment.env.wasm === null) {
    check.wrongType("ort", "onnxruntime-web, which has env.wasm", ort);
  }
  if (!(module instanceof WebAssembly.Module)) check.wrongType("module", "a WebAssembly.Module", module);
  environment.env.wasm.numThreads = 1;
  environment.env.wasm.wasmBinary = new ArrayBuffer(markLength);
  const first = installed === undefined;
  installed = module;
  if (!first) return;

  const original = WebAssembly.instantiate;
  const instantiate = async (source: BufferSource | WebAssembly.Module, imports?: WebAssembly.Imports) => {
    const isMark = !(source instanceof WebAssembly.Module) && source.byteLength === markLength;
    if (!isMark) return original(source as BufferSource, imports);
    const compiled = installed as WebAssembly.Module;
    return { module: compiled, instance: new WebAssembly.Instance(compiled, imports ?? {}) };
  };
  WebAssembly.instantiate = instantiate as typeof WebAssembly.instantiate;
}
