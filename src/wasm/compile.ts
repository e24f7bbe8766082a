// How the module comes to be compiled: from bytes inside this file's bundle. The `workerd` build replaces this file by compile.workerd.ts.
import { wasmBase64 } from "./bytes.ts";

/** Returns the compiled module of this library. */
export function compileModule(): WebAssembly.Module {
  const text = atob(wasmBase64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    const remedy = "compile dc-solver/dc-solver.wasm elsewhere and hand it to useWasm(module) first";
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`this runtime does not compile WebAssembly with SIMD from bytes (${detail}); ${remedy}`, { cause });
  }
}
