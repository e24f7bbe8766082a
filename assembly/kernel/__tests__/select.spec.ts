import { absQuantile, clampScale } from "../select";
import { fillValues, nextBits, seed } from "./values";

const A = memory.data(16384, 16);
const SORTED = memory.data(16384, 16);
const SCRATCH = memory.data(8192, 16);
const EXAMPLE = memory.data<f32>([3, -1, 0.2, -0.5, 2, 1.5, -0.1, 0.4]);
const LENGTHS = memory.data<i32>([1, 2, 3, 4, 5, 7, 8, 10, 31, 64, 100, 101, 999, 1000, 4096]);
const QUANTILES = memory.data<f64>([0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1]);

/** |a| in ascending order at SORTED, by Shell's method with Knuth's gaps. */
function sortMagnitudes(a: usize, n: i32): void {
  for (let i: usize = 0; i < (<usize>n) << 2; i += 4) store<f32>(SORTED + i, abs(load<f32>(a + i)));
  let gap = 1;
  while (gap < n) gap = 3 * gap + 1;
  for (; gap > 0; gap /= 3) {
    for (let i = gap; i < n; i++) {
      const value = load<f32>(SORTED + ((<usize>i) << 2));
      let j = i;
      for (; j >= gap && load<f32>(SORTED + ((<usize>(j - gap)) << 2)) > value; j -= gap) {
        store<f32>(SORTED + ((<usize>j) << 2), load<f32>(SORTED + ((<usize>(j - gap)) << 2)));
      }
      store<f32>(SORTED + ((<usize>j) << 2), value);
    }
  }
}

function sortedQuantile(n: i32, q: f64): f64 {
  const position = q * <f64>(n - 1);
  const below = <i32>position;
  const fraction = position - <f64>below;
  const low = <f64>load<f32>(SORTED + ((<usize>below) << 2));
  const high = <f64>load<f32>(SORTED + ((<usize>min(below + 1, n - 1)) << 2));
  return low + fraction * (high - low);
}

function wrongQuantiles(a: usize, n: i32): i32 {
  sortMagnitudes(a, n);
  let wrong = 0;
  for (let i: usize = 0; i < 12; i++) {
    const q = load<f64>(QUANTILES + (i << 3));
    if (absQuantile(a, n, q, SCRATCH) !== sortedQuantile(n, q)) wrong++;
  }
  return wrong;
}

function close(actual: f64, expected: f64): bool {
  return abs(actual - expected) < 1e-6; // the example's decimals are rounded to float32
}

describe("absQuantile", () => {
  it("interpolates at position q·(n − 1)", () => {
    expect(close(absQuantile(EXAMPLE, 8, 0.995, SCRATCH), 2.965)).toBe(true);
    expect(close(absQuantile(EXAMPLE, 8, 0.9, SCRATCH), 2.3)).toBe(true);
    expect(absQuantile(EXAMPLE, 8, 0.5, SCRATCH)).toBe(0.75);
    expect(absQuantile(EXAMPLE, 8, 1, SCRATCH)).toBe(3);
    expect(absQuantile(EXAMPLE, 8, 0, SCRATCH)).toBe(<f64>(<f32>0.1));
  });

  it("equals the quantile of the sorted magnitudes", () => {
    for (let i: usize = 0; i < 15; i++) {
      const n = load<i32>(LENGTHS + (i << 2));
      seed(<u32>n);
      fillValues(A, n);
      expect(wrongQuantiles(A, n)).toBe(0);
    }
  });

  it("does so for values of every magnitude, subnormal ones included", () => {
    seed(6);
    for (let i: usize = 0; i < 4000; i += 4) {
      const bits = nextBits();
      // An exponent of all ones would be infinity or NaN.
      store<u32>(A + i, (bits & 0x7f800000) === 0x7f800000 ? bits ^ 0x40000000 : bits);
    }
    expect(wrongQuantiles(A, 1000)).toBe(0);
  });

  it("does so with many equal values", () => {
    seed(7);
    for (let i: usize = 0; i < 4000; i += 4) store<f32>(A + i, <f32>(<i32>nextBits() >> 30));
    expect(wrongQuantiles(A, 1000)).toBe(0);
    for (let i: usize = 0; i < 4000; i += 4) store<f32>(A + i, -0.0);
    expect(wrongQuantiles(A, 1000)).toBe(0);
  });

  it("orders infinity above everything finite", () => {
    seed(8);
    fillValues(A, 11);
    store<f32>(A, -Infinity);
    expect(absQuantile(A, 11, 1, SCRATCH)).toBe(Infinity);
    expect(Number.isFinite(absQuantile(A, 11, 0.9, SCRATCH))).toBe(true);
  });

  it("is NaN for no values and traps outside 0 ≤ q ≤ 1", () => {
    expect(Number.isNaN(absQuantile(A, 0, 0.5, SCRATCH))).toBe(true);
    expect(() => {
      absQuantile(A, 8, 1.5, SCRATCH);
    }).toThrow();
    expect(() => {
      absQuantile(A, 8, -0.5, SCRATCH);
    }).toThrow();
    expect(() => {
      absQuantile(A, 8, NaN, SCRATCH);
    }).toThrow();
  });
});

const FROM = memory.data(1024, 16);
const TO = memory.data(1024, 16);
const EXPECTED = memory.data(1024, 16);

function wrongClamps(limit: f32, scale: f32, inPlace: bool): i32 {
  let wrong = 0;
  for (let n = 0; n <= 200; n++) {
    seed(<u32>n);
    fillValues(FROM, 256);
    fillValues(TO, 256);
    const from = FROM + 16 + ((<usize>(n & 3)) << 2);
    const to = inPlace ? from : TO + 16 + ((<usize>((n >> 2) & 3)) << 2);
    const base = inPlace ? FROM : TO;
    memory.copy(EXPECTED, base, 1024);
    for (let i: usize = 0; i < (<usize>n) << 2; i += 4) {
      const clamped: f32 = min<f32>(max<f32>(load<f32>(from + i), -limit), limit);
      store<f32>(EXPECTED + (to - base) + i, clamped * scale);
    }
    clampScale(to, from, n, limit, scale);
    if (memory.compare(base, EXPECTED, 1024) !== 0) wrong++;
  }
  return wrong;
}

describe("clampScale", () => {
  it("agrees with a scalar loop bit for bit for every length and writes nothing else", () => {
    expect(wrongClamps(1, 1, false)).toBe(0);
    expect(wrongClamps(1.37, <f32>(1.0 / 1.37), false)).toBe(0);
    expect(wrongClamps(0, 3, false)).toBe(0);
    expect(wrongClamps(Infinity, -0.3, false)).toBe(0);
  });

  it("does so in place", () => {
    expect(wrongClamps(1, 1, true)).toBe(0);
    expect(wrongClamps(1.37, <f32>(1.0 / 1.37), true)).toBe(0);
  });

  it("keeps NaN and clamps infinity", () => {
    for (let i: usize = 0; i < 60; i += 12) {
      store<f32>(FROM + i, NaN);
      store<f32>(FROM + i, Infinity, 4);
      store<f32>(FROM + i, -Infinity, 8);
    }
    clampScale(TO, FROM, 15, 2, 0.5);
    for (let i: usize = 0; i < 60; i += 12) {
      expect(Number.isNaN(load<f32>(TO + i))).toBe(true);
      expect(load<f32>(TO + i, 4)).toBe(1);
      expect(load<f32>(TO + i, 8)).toBe(-1);
    }
  });
});
