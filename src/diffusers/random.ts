// Random numbers under the names that a loop ported from diffusers knows: torch.Generator, torch.randn, torch.rand, randn_tensor.
// The streams are computed in assembly/random/torch.ts; here seeds, shapes and types are checked, and half types rounded.
import * as check from "../check.ts";
import { borrow } from "../wasm/arena.ts";
import { type WasmExports, wasm } from "../wasm/module.ts";

const torchDtypes = ["float32", "float64", "float16", "bfloat16"] as const;
export type TorchDtype = (typeof torchDtypes)[number];

/** Returns the next numbers of a stream in a shape, row-major; `dtype` is "float32" unless given, numbers of half types come as float32. */
export interface TorchDraw {
  (shape: readonly number[], dtype?: Exclude<TorchDtype, "float64">): Float32Array;
  (shape: readonly number[], dtype: "float64"): Float64Array;
  (shape: readonly number[], dtype: TorchDtype): Float32Array | Float64Array;
}

/** One stream of random numbers. Its state is 2.5 KB of the host's memory: generators do not disturb each other and need no disposal. */
export interface TorchGenerator {
  /** Standard normals, as `torch.randn(shape, generator=g, dtype=dtype)`. */
  readonly randn: TorchDraw;
  /** Uniform numbers in [0, 1), as `torch.rand(shape, generator=g, dtype=dtype)`. */
  readonly rand: TorchDraw;
}

/**
 * Returns the stream of `torch.Generator().manual_seed(seed)`, which is also that of `torch.manual_seed(seed)`, on the CPU.
 *
 * The bits are those of PyTorch 2.15 on x86 with AVX2 or AVX-512, but for float64 normals: PyTorch takes their logarithm, sine and cosine
 * from the system's C library, and about one in 37 differs from glibc 2.36 by an ulp or two.
 *
 * @param seed an integer from −2^63 to 2^64 − 1, as bigint from 2^53 on; its low 32 bits count, in PyTorch too
 * @throws TypeError, RangeError.
 */
export function torchGenerator(seed: number | bigint): TorchGenerator {
  const word = Number(BigInt.asUintN(32, seedBits(seed)));
  let state: Uint8Array | undefined;
  const draw = (fill: Fill, shape: readonly number[], dtype: TorchDtype = "float32") => {
    const n = check.shape("shape", shape).reduce((product, length) => product * length, 1);
    check.oneOf("dtype", dtype, torchDtypes);
    const stateBytes = wasm().MT_STATE_BYTES.value as number;
    const { exports, base, release } = borrow(stateBytes + 8 * n);
    try {
      const out = base + stateBytes;
      if (state === undefined) exports.mtSeed(base, word);
      else new Uint8Array(exports.memory.buffer, base, stateBytes).set(state);
      fill(exports, base, out, n, dtype);
      if (dtype === "float16") {
        exports.singleToHalf(out + 4 * n, out, n);
        exports.halfToSingle(out, out + 4 * n, n);
      }
      if (dtype === "bfloat16") roundToBfloat16(new Uint32Array(exports.memory.buffer, out, n));
      state = new Uint8Array(exports.memory.buffer, base, stateBytes).slice();
      return new (dtype === "float64" ? Float64Array : Float32Array)(exports.memory.buffer, out, n).slice();
    } finally {
      release();
    }
  };
  return Object.freeze({
    randn: ((shape, dtype) => draw(fillNormal, shape, dtype)) as TorchDraw,
    // The largest uniforms round to 1 in half types; PyTorch makes 0 of them.
    rand: ((shape, dtype) => draw(fillUniform, shape, dtype).map((u) => (u === 1 ? 0 : u))) as TorchDraw,
  });
}

/** What `randnTensor` draws from: a generator of this file, or one of cuda-random.ts. */
export interface NormalGenerator {
  randn(shape: readonly number[], dtype?: TorchDtype): Float32Array | Float64Array;
}

/**
 * Returns standard normals, as diffusers' `randn_tensor(shape, generator, dtype=dtype)`: item i drawn by generator i; one generator, listed
 * or not, draws the whole shape at once.
 * @throws TypeError, RangeError.
 */
export function randnTensor(
  shape: readonly number[],
  generators: NormalGenerator | readonly NormalGenerator[],
  dtype?: Exclude<TorchDtype, "float64">,
): Float32Array;
export function randnTensor(
  shape: readonly number[],
  generators: NormalGenerator | readonly NormalGenerator[],
  dtype: "float64",
): Float64Array;
export function randnTensor(
  shape: readonly number[],
  generators: NormalGenerator | readonly NormalGenerator[],
  dtype: TorchDtype,
): Float32Array | Float64Array;
export function randnTensor(
  shape: readonly number[],
  generators: NormalGenerator | readonly NormalGenerator[],
  dtype: TorchDtype = "float32",
): Float32Array | Float64Array {
  const [batch, ...dims] = check.shape("shape", shape) as [number, ...number[]];
  const list: readonly NormalGenerator[] = Array.isArray(generators) ? generators : [generators];
  for (const [i, generator] of list.entries()) {
    const name = list === generators ? `generators[${i}]` : "generators";
    if (typeof check.object(name, generator).randn !== "function") {
      check.wrongType(name, "a generator made by torchGenerator or cudaGenerator", generator);
    }
  }
  if (list.length === 1) return (list[0] as NormalGenerator).randn(shape, dtype);
  if (list.length !== batch) {
    throw new RangeError(
      `"generators": expected one generator, or a list with one for each of ${batch} items, got ${list.length}`,
    );
  }
  const items = list.map((generator) => generator.randn([1, ...dims], dtype));
  const itemLength = (items[0] as Float32Array).length;
  const tensor = new (dtype === "float64" ? Float64Array : Float32Array)(batch * itemLength);
  for (const [i, item] of items.entries()) tensor.set(item, i * itemLength);
  return tensor;
}

/** Returns a seed's 64 bits, from 0 to 2^64 − 1, after checking it as `torch.manual_seed` does. */
export function seedBits(seed: unknown): bigint {
  const expected = "an integer from −2^63 to 2^64 − 1, as bigint from 2^53 on";
  if (typeof seed !== "bigint") {
    return BigInt.asUintN(64, BigInt(check.number("seed", seed, expected, Number.isSafeInteger)));
  }
  if (seed < -(1n << 63n) || seed >> 64n > 0n) check.wrongValue("seed", expected, seed);
  return BigInt.asUintN(64, seed);
}

type Fill = (exports: WasmExports, state: number, out: number, n: number, dtype: TorchDtype) => void;

function fillUniform(exports: WasmExports, state: number, out: number, n: number, dtype: TorchDtype): void {
  if (dtype === "float64") exports.torchUniform64(state, out, n);
  else exports.torchUniform(state, out, n);
}

function fillNormal(exports: WasmExports, state: number, out: number, n: number, dtype: TorchDtype): void {
  if (dtype === "float64") exports.torchNormal64(state, out, n);
  else if (dtype === "float32" || n < 16) exports.torchNormal(state, out, n);
  else {
    // Half types draw no uniforms for the incomplete group before they draw the last sixteen numbers anew.
    const whole = n - (n % 16);
    exports.torchNormal(state, out, whole);
    if (whole < n) exports.torchNormal(state, out + 4 * (n - 16), 16);
  }
}

/** Rounds the bits of finite float32 numbers to those of bfloat16, to nearest even, in place. */
function roundToBfloat16(bits: Uint32Array): void {
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i] as number;
    bits[i] = (b + 0x7fff + ((b >>> 16) & 1)) & 0xffff0000;
  }
}
