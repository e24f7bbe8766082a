// How the module comes to be compiled: from bytes inside this file's bundle. The `workerd` build replaces this file by compile.workerd.ts.
// As hexadecimal text, whose two letters a byte let gzip see the module's own repetitions: 20.0 KB of a gzipped bundle, against 23.1 KB
// as base64 (module of 37.8 KB; bench:steps prints them).
import { wasmHex } from "./bytes.ts";

/** Returns the compiled module of this library. */
export function compileModule(): WebAssembly.Module {
  const bytes = new Uint8Array(4 * Math.ceil(wasmHex.length / 8));
  const words = new DataView(bytes.buffer);
  // Four bytes at a time: 1.3 ms where code is cold, against 3 ms by letters and 6 ms by atob.
  for (let i = 0; i < wasmHex.length; i += 8)
    words.setUint32(i / 2, Number.parseInt(wasmHex.slice(i, i + 8).padEnd(8, "0"), 16));
  try {
    return new WebAssembly.Module(bytes.subarray(0, wasmHex.length / 2));
  } catch (cause) {
    const remedy = "compile dc-solver/dc-solver.wasm elsewhere and hand it to useWasm(module) first";
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`this runtime does not compile WebAssembly with SIMD from bytes (${detail}); ${remedy}`, { cause });
  }
}
