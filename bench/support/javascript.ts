// What the kernels are held against: the same work as one plain loop over Float32Arrays, as one would write it in JavaScript.
import type { LinearOperation, Slot } from "../../src/wasm/engine.ts";

let loops = 0;

/**
 * Returns a function that runs the operations element by element in one loop; what only lives within them stays in local variables.
 * It is written as text and compiled, so that operations and terms are fixed, as in a loop written by hand.
 */
export function fusedLoop(
  operations: readonly LinearOperation[],
  coefficients: ArrayLike<number>,
  arrays: ReadonlyMap<Slot, Float32Array>,
): () => void {
  const slots = [...arrays.keys()].filter((slot) => slot >= 0);
  const held = new Set<Slot>();
  const lines: string[] = [];
  const local = (slot: Slot) => (slot < 0 ? `scratch${-slot}` : `x${slot}`);
  for (const { out, terms } of operations) {
    for (const { from } of terms) {
      if (held.has(from)) continue;
      lines.push(`let ${local(from)} = array${from}[i];`);
      held.add(from);
    }
    const sum = terms.map(({ coefficient, from }) => `c${coefficient} * ${local(from)}`).join(" + ");
    lines.push(`${held.has(out) ? "" : "let "}${local(out)} = ${sum};`);
    held.add(out);
    if (out >= 0) lines.push(`array${out}[i] = ${local(out)};`);
  }
  // Coefficients in local variables: as literals, each is loaded from the code anew, which takes 1.5 times as long.
  const constants = operations.flatMap((o) => o.terms.map(({ coefficient: c }) => `const c${c} = coefficients[${c}];`));
  const loop = `${constants.join(" ")} for (let i = 0; i < n; i++) { ${lines.join(" ")} }`;
  // Functions of one text share what V8 learns of them; a number keeps them apart.
  const text = `/* ${++loops} */ return (n) => { ${loop} };`;
  const make = new Function("coefficients", ...slots.map((slot) => `array${slot}`), text);
  const views = slots.map((slot) => arrays.get(slot) as Float32Array);
  const run = make(coefficients, ...views) as (n: number) => void;
  warmUp(run, views);
  const length = views[0]?.length ?? 0;
  return () => run(length);
}

/**
 * Calls a loop on few elements until it is compiled, and puts these back. Otherwise V8 compiles it in the middle of its first long
 * run, and may then stay for good with code that takes 3 times as long.
 */
function warmUp(run: (n: number) => void, arrays: readonly Float32Array[]): void {
  const few = 32;
  const saved = arrays.map((array) => array.slice(0, few));
  for (const started = performance.now(); performance.now() - started < 50; ) run(few);
  for (const [i, array] of arrays.entries()) array.set(saved[i] ?? []);
}

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

export function squaredError(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    sum += difference * difference;
  }
  return sum;
}

export function sumOfSquares(a: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (a[i] as number);
  return sum;
}

/** Returns the six products of three vectors. */
export function gram3(a: Float32Array, b: Float32Array, c: Float32Array): number[] {
  let [aa, ab, ac, bb, bc, cc] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y, z] = [a[i] as number, b[i] as number, c[i] as number];
    aa += x * x;
    ab += x * y;
    ac += x * z;
    bb += y * y;
    bc += y * z;
    cc += z * z;
  }
  return [aa, ab, ac, bb, bc, cc];
}

/** Returns a quantile of |a| by sorting a copy, interpolated. */
export function sortedQuantile(a: Float32Array, q: number): number {
  const sorted = a.map(Math.abs).sort();
  const position = q * (a.length - 1);
  const low = Math.floor(position);
  const [x, y] = [sorted[low] as number, sorted[Math.min(low + 1, a.length - 1)] as number];
  return x + (position - low) * (y - x);
}

export function clampScale(out: Float32Array, a: Float32Array, limit: number, scale: number): void {
  for (let i = 0; i < a.length; i++) out[i] = Math.min(Math.max(a[i] as number, -limit), limit) * scale;
}

/** Returns the values of all binary16 codes. */
export function halfTable(): Float32Array {
  return Float32Array.from({ length: 65536 }, (_, code) => {
    const [sign, exponent, fraction] = [code & 0x8000 ? -1 : 1, (code >> 10) & 31, code & 1023];
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
  });
}

export function halfToSingle(out: Float32Array, a: Uint16Array, table: Float32Array): void {
  for (let i = 0; i < a.length; i++) out[i] = table[a[i] as number] as number;
}

/** Rounds to nearest even, over the bits of the floats. */
export function singleToHalf(out: Uint16Array, bits: Uint32Array): void {
  for (let i = 0; i < bits.length; i++) {
    const sign = ((bits[i] as number) >>> 16) & 0x8000;
    const magnitude = (bits[i] as number) & 0x7fffffff;
    let code: number;
    if (magnitude >= 0x47800000) code = magnitude > 0x7f800000 ? 0x7e00 : 0x7c00;
    else if (magnitude >= 0x38800000) code = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    else {
      const exponent = magnitude >>> 23;
      const shift = 126 - exponent;
      const fraction = (magnitude & 0x7fffff) | 0x800000;
      const half = 1 << (shift - 1);
      code = shift > 24 ? 0 : (fraction + half - 1 + ((fraction >>> shift) & 1)) >>> shift;
    }
    out[i] = sign | code;
  }
}

/** Writes what philoxNormal writes for key (key, 0), item and draw 0, but for the last bits. */
export function philoxNormal(out: Float32Array, key: number): void {
  for (let i = 0; i < out.length; i += 4) {
    let [x0, x1, x2, x3] = [i >>> 2, 0, 0, 0];
    let [key0, key1] = [key | 0, 0];
    for (let round = 0; round < 10; round++) {
      const [low0, low1] = [Math.imul(x0, 0xd2511f53), Math.imul(x2, 0xcd9e8d57)];
      const high0 = multiplyHigh(x0, 0xd2511f53);
      x0 = multiplyHigh(x2, 0xcd9e8d57) ^ x1 ^ key0;
      x1 = low1;
      x2 = high0 ^ x3 ^ key1;
      x3 = low0;
      key0 = (key0 + 0x9e3779b9) | 0;
      key1 = (key1 + 0xbb67ae85) | 0;
    }
    pair(out, i, x0, x1);
    pair(out, i + 2, x2, x3);
  }
}

/** The upper 32 bits of the product of two unsigned words. */
function multiplyHigh(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return (aHigh * bHigh + Math.floor((aLow * bHigh + middle) / 65536)) | 0;
}

function pair(out: Float32Array, at: number, word: number, angle: number): void {
  const radius = Math.sqrt(-2 * Math.log(((word >>> 0) + 1) / 4294967296));
  const signed = angle < 0 ? -radius : radius;
  const theta = ((((angle << 2) >> 8) | 1) * Math.PI) / 33554432;
  const exchange = (angle & 0x40000000) !== 0;
  out[at] = signed * (exchange ? Math.sin(theta) : Math.cos(theta));
  out[at + 1] = signed * (exchange ? Math.cos(theta) : Math.sin(theta));
}

/** MT19937, and torch.randn over it for lengths that are multiples of 16. */
export class TorchNormal {
  private readonly words = new Uint32Array(624);
  private next = 624;

  constructor(seed: number) {
    this.words[0] = seed;
    for (let i = 1; i < 624; i++) {
      const last = this.words[i - 1] as number;
      this.words[i] = Math.imul(1812433253, last ^ (last >>> 30)) + i;
    }
  }

  fill(out: Float32Array): void {
    for (let i = 0; i < out.length; i++) out[i] = (this.word() & 0xffffff) / 16777216;
    for (let i = 0; i < out.length; i += 16) {
      for (let j = i; j < i + 8; j++) {
        const radius = Math.sqrt(-2 * Math.log(1 - (out[j] as number)));
        const theta = 2 * Math.PI * (out[j + 8] as number);
        out[j] = radius * Math.cos(theta);
        out[j + 8] = radius * Math.sin(theta);
      }
    }
  }

  private word(): number {
    if (this.next === 624) this.twist();
    let word = this.words[this.next++] as number;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return word ^ (word >>> 18);
  }

  private twist(): void {
    const { words } = this;
    for (let i = 0; i < 624; i++) {
      const mixed = ((words[i] as number) & 0x80000000) | ((words[(i + 1) % 624] as number) & 0x7fffffff);
      words[i] = (words[(i + 397) % 624] as number) ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }
}
