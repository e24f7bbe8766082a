// Edge workers compile no bytes; there an imported .wasm file is a compiled module.
import module from "./dc-solver.wasm";

/** Returns the compiled module of this library. */
export function compileModule(): WebAssembly.Module {
  return module;
}
