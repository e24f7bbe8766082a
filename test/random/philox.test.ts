// The mapping from (key, item, draw) to normals, written a second time in integers and Math.fround: the documentation of
// philoxNormal is enough to reproduce its bits. Rounding a sum, product or root of float32 values from double to float32
// is the float32 operation.
import { describe, expect, test } from "vitest";
import { instantiate } from "../../src/wasm/module.ts";

const wasm = instantiate();
wasm.memory.grow(4);
const out = (wasm.heapBase() + 15) & ~15;

function drawn(n: number, keyLow: number, keyHigh: number, item: number, draw: number): Float32Array {
  wasm.philoxNormal(out, n, keyLow, keyHigh, item, draw);
  return new Float32Array(wasm.memory.buffer.slice(out, out + 4 * n));
}

function philox(counter: number[], key: number[]): number[] {
  let [x0, x1, x2, x3] = counter as [number, number, number, number];
  let [k0, k1] = key as [number, number];
  for (let round = 0; round < 10; round++) {
    const a = 0xd2511f53n * BigInt(x0);
    const b = 0xcd9e8d57n * BigInt(x2);
    const low = (p: bigint) => Number(p & 0xffffffffn);
    const high = (p: bigint) => Number(p >> 32n);
    [x0, x1, x2, x3] = [(high(b) ^ x1 ^ k0) >>> 0, low(b), (high(a) ^ x3 ^ k1) >>> 0, low(a)];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [x0, x1, x2, x3];
}

const f = Math.fround;
// p₀ xⁿ + p₁ xⁿ⁻¹ + …
const polynomial = (x: number, ...p: number[]) => p.map(f).reduce((y, c) => f(f(y * x) + c));

function ln(u: number): number {
  let e = Math.ceil(Math.log2(u));
  if (u / 2 ** e < f(Math.SQRT1_2)) e -= 1;
  const x = u / 2 ** e - 1;
  const z = f(x * x);
  let y = polynomial(
    x,
    7.0376836292e-2,
    -1.151461031e-1,
    1.167699874e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
  );
  y = f(f(y * x) * z);
  y = f(y + f(e * f(-2.1219444e-4)));
  y = f(y - z / 2);
  return f(f(x + y) + e * 0.693359375);
}

function boxMuller(first: number, second: number): [number, number] {
  const r = f(Math.sqrt(f(-2 * ln(f((first + 1) / 2 ** 32)))));
  const x = f((((second << 2) >> 8) | 1) * f(Math.PI / 2 ** 25));
  const z = f(x * x);
  const sine = f(f(f(polynomial(z, -1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1) * z) * x) + x);
  const head = f(f(polynomial(z, 2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2) * z) * z);
  const cosine = f(f(head - z / 2) + 1);
  const signed = second >>> 31 ? -r : r;
  return second & 0x40000000 ? [f(signed * sine), f(signed * cosine)] : [f(signed * cosine), f(signed * sine)];
}

function expected(n: number, keyLow: number, keyHigh: number, item: number, draw: number): Float32Array {
  const values: number[] = [];
  for (let block = 0; values.length < n; block++) {
    const [a, b, c, d] = philox([block, item, draw, 0], [keyLow, keyHigh]) as [number, number, number, number];
    values.push(...boxMuller(a, b), ...boxMuller(c, d));
  }
  return new Float32Array(values.slice(0, n));
}

const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

describe("philoxNormal", () => {
  test("the second writing of Philox gives the published words", () => {
    // Random123, tests/kat_vectors.
    const counter = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
    const words = [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1];
    expect(philox(counter, [0xa4093822, 0x299f31d0])).toEqual(words);
  });

  test.each([
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xa4093822, 0x299f31d0, 7, 19],
  ])("is the documented function of key %i %i, item %i, draw %i, bit for bit", (...where) => {
    expect(bits(drawn(20_003, ...where))).toEqual(bits(expected(20_003, ...where)));
  });

  test("a shorter draw is a prefix of a longer one and writes nothing behind its end", () => {
    const longest = bits(drawn(200, 3, 4, 5, 6));
    for (let n = 0; n <= 200; n++) {
      new Uint32Array(wasm.memory.buffer, out, 220).fill(0xdeadbeef);
      wasm.philoxNormal(out, n, 3, 4, 5, 6);
      const memory = new Uint32Array(wasm.memory.buffer, out, 220);
      expect(memory.slice(0, n)).toEqual(longest.slice(0, n));
      expect(memory.slice(n).every((word) => word === 0xdeadbeef)).toBe(true);
    }
  });
});
