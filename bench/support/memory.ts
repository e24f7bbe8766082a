// Memory to measure in: buffers of the module as the engine lays them out, and the copy that everything is compared with.
import { instantiate, type WasmExports } from "../../src/wasm/module.ts";

/** Between buffers, as in src/wasm/engine.ts. */
const stagger = 320;

/** An instance of the module with `count` buffers of `length` floats, filled with normals, and `extra` bytes in front of them. */
export class Buffers {
  readonly exports: WasmExports;
  readonly extra: number;
  readonly length: number;
  private readonly first: number;
  private readonly stride: number;

  constructor(count: number, length: number, extra: number) {
    this.exports = instantiate();
    this.length = length;
    this.extra = (this.exports.heapBase() + 15) & ~15;
    this.first = (this.extra + extra + 15) & ~15;
    this.stride = ((4 * length + 15) & ~15) + stagger;
    const { memory } = this.exports;
    const missing = this.first + count * this.stride - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    for (let i = 0; i < count; i++) this.exports.philoxNormal(this.address(i), length, 1, 0, 0, i);
  }

  address(buffer: number): number {
    return this.first + buffer * this.stride;
  }

  view(buffer: number): Float32Array {
    return new Float32Array(this.exports.memory.buffer, this.address(buffer), this.length);
  }
}

/** Returns a copy within one WebAssembly memory that reads and writes `bytes` in all: half of them each. */
export function copy(bytes: number): () => void {
  const half = Math.round(bytes / 8) * 4;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((2 * half + stagger) / 65536) });
  const all = new Uint8Array(memory.buffer).fill(1);
  return () => {
    all.copyWithin(half + stagger, 0, half);
  };
}

/** Returns the largest difference between two results, relative to the largest number in them. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [most, scale] = [a.length === b.length ? 0 : Infinity, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    most = Math.max(most, Math.abs(x - y));
    scale = Math.max(scale, Math.abs(x), Math.abs(y));
    if (Number.isNaN(x - y)) return Infinity;
  }
  return scale === 0 ? most : most / scale;
}
