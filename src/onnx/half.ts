// float16 tensors: a Uint16Array of bit patterns, or a Float16Array where the engine has one. Converted in the WASM module, 8 at a time.
import { scratch, wasm } from "../wasm/module.ts";

/** Returns `values` rounded to float16, as bit patterns. */
export function toHalf(values: Float32Array): Uint16Array {
  const n = values.length;
  const at = scratch(6 * n);
  const { memory, singleToHalf } = wasm();
  new Float32Array(memory.buffer, at, n).set(values);
  singleToHalf(at + 4 * n, at, n);
  return new Uint16Array(memory.buffer, at + 4 * n, n).slice();
}

/** Returns the float32 values of float16 bit patterns. */
export function fromHalf(bits: ArrayBufferView): Float32Array {
  const n = bits.byteLength / 2;
  const at = scratch(6 * n);
  const { memory, halfToSingle } = wasm();
  new Uint16Array(memory.buffer, at + 4 * n, n).set(new Uint16Array(bits.buffer, bits.byteOffset, n));
  halfToSingle(at, at + 4 * n, n);
  return new Float32Array(memory.buffer, at, n).slice();
}
