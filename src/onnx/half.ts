// float16 tensors: a Uint16Array of bit patterns, or a Float16Array where the engine has one. Converted in the WASM module, 8 at a time.
import { borrow } from "../wasm/arena.ts";

/** Returns `values` rounded to float16, as bit patterns. */
export function toHalf(values: Float32Array): Uint16Array {
  const n = values.length;
  const { exports, base, release } = borrow(6 * n);
  try {
    new Float32Array(exports.memory.buffer, base, n).set(values);
    exports.singleToHalf(base + 4 * n, base, n);
    return new Uint16Array(exports.memory.buffer, base + 4 * n, n).slice();
  } finally {
    release();
  }
}

/** Returns the float32 values of float16 bit patterns. */
export function fromHalf(bits: ArrayBufferView): Float32Array {
  const n = bits.byteLength / 2;
  const { exports, base, release } = borrow(6 * n);
  try {
    new Uint16Array(exports.memory.buffer, base + 4 * n, n).set(new Uint16Array(bits.buffer, bits.byteOffset, n));
    exports.halfToSingle(base, base + 4 * n, n);
    return new Float32Array(exports.memory.buffer, base, n).slice();
  } finally {
    release();
  }
}
