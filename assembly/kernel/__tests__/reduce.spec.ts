import { dot, gram, squaredError, sumOfSquares } from "../reduce";
import { fillValues, nextBits, seed } from "./values";

const A = memory.data(8192, 16);
const B = memory.data(8192, 16);
const TABLE = memory.data(64, 16);
const GRAM = memory.data(2048, 16);

/** At most 1000 products of values below 4 accumulated in f64 in any order: n·2⁻⁵³·n·4 is below 1e-9. */
const TOLERANCE: f64 = 1e-9;

function value(a: usize, i: i32): f64 {
  return <f64>load<f32>(a + ((<usize>i) << 2));
}

function plainDot(a: usize, b: usize, n: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) sum += value(a, i) * value(b, i);
  return sum;
}

function plainSquaredError(a: usize, b: usize, n: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) sum += (value(a, i) - value(b, i)) * (value(a, i) - value(b, i));
  return sum;
}

function fillIntegers(a: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<f32>(a + ((<usize>i) << 2), <f32>(<i32>nextBits() >> 16));
}

function close(x: f64, y: f64): bool {
  return abs(x - y) <= TOLERANCE;
}

describe("dot, squaredError and sumOfSquares", () => {
  it("agree with a plain f64 loop for every length", () => {
    seed(1);
    fillValues(A, 1000);
    fillValues(B, 1000);
    let wrong = 0;
    for (let n = 0; n <= 1000; n += n < 200 ? 1 : 100) {
      if (!close(dot(A, B, n), plainDot(A, B, n))) wrong++;
      if (!close(squaredError(A, B, n), plainSquaredError(A, B, n))) wrong++;
      if (!close(sumOfSquares(A, n), plainDot(A, A, n))) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("are exact on integers", () => {
    seed(2);
    fillIntegers(A, 200);
    fillIntegers(B, 200);
    let wrong = 0;
    for (let n = 0; n <= 200; n++) {
      if (dot(A, B, n) !== plainDot(A, B, n)) wrong++;
      if (squaredError(A, B, n) !== plainSquaredError(A, B, n)) wrong++;
      if (sumOfSquares(A, n) !== plainDot(A, A, n)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("are 0 for no elements", () => {
    expect(dot(A, B, 0)).toBe(0);
    expect(squaredError(A, B, 0)).toBe(0);
    expect(sumOfSquares(A, 0)).toBe(0);
  });

  it("have the same bits at every alignment", () => {
    let product: f64 = 0;
    let error: f64 = 0;
    let squares: f64 = 0;
    for (let words = 0; words < 16; words++) {
      const a = A + ((<usize>(words & 3)) << 2);
      const b = B + ((<usize>(words >> 2)) << 2);
      seed(3);
      fillValues(a, 501);
      fillValues(b, 501);
      if (words === 0) {
        product = dot(a, b, 501);
        error = squaredError(a, b, 501);
        squares = sumOfSquares(a, 501);
      }
      expect(dot(a, b, 501)).toBe(product);
      expect(squaredError(a, b, 501)).toBe(error);
      expect(sumOfSquares(a, 501)).toBe(squares);
    }
  });

  it("take differences in f64", () => {
    const small: f32 = 9.313225746154785e-10; // 2⁻³⁰, lost beside 1 in f32
    for (let i: usize = 0; i < 36; i += 4) {
      store<f32>(A + i, 1);
      store<f32>(B + i, small);
    }
    const square: f64 = (1 - <f64>small) * (1 - <f64>small);
    expect(squaredError(A, B, 1)).toBe(square);
    expect(squaredError(A, B, 8)).toBe(8 * square);
  });

  it("stay finite for the largest float32", () => {
    for (let i: usize = 0; i < 800; i += 4) {
      store<f32>(A + i, f32.MAX_VALUE);
      store<f32>(B + i, -f32.MAX_VALUE);
    }
    expect(Number.isFinite(sumOfSquares(A, 200))).toBe(true);
    expect(Number.isFinite(dot(A, B, 200))).toBe(true);
    expect(Number.isFinite(squaredError(A, B, 200))).toBe(true);
  });
});

describe("sumOfSquares", () => {
  it("is not finite if one element is not, wherever it stands", () => {
    seed(4);
    fillValues(A, 37);
    let missed = 0;
    for (let i: usize = 0; i < 37 * 4; i += 4) {
      const kept = load<f32>(A + i);
      store<f32>(A + i, NaN);
      if (Number.isFinite(sumOfSquares(A, 37))) missed++;
      store<f32>(A + i, Infinity);
      if (Number.isFinite(sumOfSquares(A, 37))) missed++;
      store<f32>(A + i, -Infinity);
      if (Number.isFinite(sumOfSquares(A, 37))) missed++;
      store<f32>(A + i, kept);
    }
    expect(missed).toBe(0);
    expect(Number.isFinite(sumOfSquares(A, 37))).toBe(true);
  });
});

describe("gram", () => {
  it("holds the bits of dot for every pair, is symmetric and writes count² values", () => {
    seed(5);
    fillValues(A, 2000);
    for (let i = 0; i < 12; i++) store<u32>(TABLE + ((<usize>i) << 2), <u32>(A + <usize>i * 404));
    const guard: f64 = -123.5;
    for (let count = 0; count <= 12; count++) {
      for (let i: usize = 0; i < 256; i++) store<f64>(GRAM + (i << 3), guard);
      gram(TABLE, count, 101, GRAM + 8);
      let wrong = 0;
      for (let i = 0; i < count; i++) {
        for (let j = 0; j < count; j++) {
          const expected = dot(A + <usize>i * 404, A + <usize>j * 404, 101);
          if (load<f64>(GRAM + 8 + ((<usize>(i * count + j)) << 3)) !== expected) wrong++;
        }
      }
      expect(wrong).toBe(0);
      expect(load<f64>(GRAM)).toBe(guard);
      expect(load<f64>(GRAM + 8 + ((<usize>(count * count)) << 3))).toBe(guard);
    }
  });
});
