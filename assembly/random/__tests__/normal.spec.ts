import { boxMuller, cos, ln, sin, uniform } from "../normal";
import { philoxNormal } from "../philox";

const first = memory.data(16, 16);
const second = memory.data(16, 16);
const chunk = memory.data(16384, 16);
const CHUNK: i32 = 4096;
const CHUNKS: i32 = 64;

/** Distance of a float32 from the exact value, in units of the last place of that value's float32. */
function ulps(value: f32, exact: f64): f64 {
  const exponent = <i32>((reinterpret<u64>(Math.abs(exact)) >> 52) & 0x7ff) - 1023;
  return Math.abs(<f64>value - exact) / 2 ** <f64>(exponent - 23);
}

function scalarUniform(word: u32): f32 {
  return f32x4.extract_lane(uniform(i32x4.splat(word)), 0);
}

function scalarLn(u: f32): f32 {
  return f32x4.extract_lane(ln(f32x4.splat(u)), 0);
}

describe("the polynomials in float32", () => {
  test("ln is within 0.83 ulp and never positive on [2^-32, 1], and 0 at 1", () => {
    let worst: f64 = 0;
    let positive = 0;
    // Every 509th float32 from 2^-32 on.
    for (let bits: u32 = 0x2f800000; bits < 0x3f800000; bits += 509) {
      const u = reinterpret<f32>(bits);
      const value = scalarLn(u);
      worst = max(worst, ulps(value, Math.log(<f64>u)));
      if (value > 0) positive++;
    }
    expect<f64>(worst).toBeLessThan(0.83);
    expect<i32>(positive).toBe(0);
    expect<f32>(scalarLn(1)).toBe(0);
  });

  test("sin is within 0.78 ulp and cos within 0.99 ulp on [−π/4, π/4]", () => {
    let worstSin: f64 = 0;
    let worstCos: f64 = 0;
    const unit: f32 = <f32>(Math.PI / 33554432.0);
    for (let t: i32 = -8388607; t < 8388608; t += 62) {
      const x = <f32>t * unit;
      worstSin = max(worstSin, ulps(f32x4.extract_lane(sin(f32x4.splat(x)), 0), Math.sin(<f64>x)));
      worstCos = max(worstCos, ulps(f32x4.extract_lane(cos(f32x4.splat(x)), 0), Math.cos(<f64>x)));
    }
    expect<f64>(worstSin).toBeLessThan(0.78);
    expect<f64>(worstCos).toBeLessThan(0.99);
  });
});

describe("uniform", () => {
  test("reaches 2^-32 and 1 and nothing beyond", () => {
    expect<f32>(scalarUniform(0)).toBe(<f32>(1.0 / 4294967296.0));
    expect<f32>(scalarUniform(0xffffffff)).toBe(1);
  });

  test("is (word + 1)/2^32 rounded once", () => {
    let wrong = 0;
    let word: u32 = 1;
    for (let i = 0; i < 100000; i++) {
      word = word * 1664525 + 1013904223;
      // Shifted by 0 … 31 bits, so that small values are met as well.
      const w = word >> (<u32>i & 31);
      if (scalarUniform(w) !== <f32>((<f64>w + 1) / 4294967296.0)) wrong++;
    }
    expect<i32>(wrong).toBe(0);
  });
});

describe("boxMuller", () => {
  test("gives √(64 ln 2) = 6.6604 at most", () => {
    v128.store(first, i32x4.splat(0));
    v128.store(second, i32x4(0, 0x40000000, 0x80000000, 0xc0000000));
    boxMuller(first, second);
    const largest = <f32>Math.sqrt(64 * Math.LN2);
    expect<f32>(load<f32>(first)).toBe(largest);
    expect<f32>(load<f32>(second, 4)).toBe(largest);
    expect<f32>(load<f32>(first, 8)).toBe(-largest);
    expect<f32>(load<f32>(second, 12)).toBe(-largest);
  });

  test("mirrors an angle: flipped low bits negate the sine, bit 31 both, bit 30 exchanges", () => {
    v128.store(first, i32x4.splat(123456789));
    v128.store(second, i32x4(0x1234567f, 0x1234567f ^ 0x3fffffff, 0x9234567f, 0x5234567f));
    boxMuller(first, second);
    const cosine = load<f32>(first);
    const sine = load<f32>(second);
    expect<f32>(load<f32>(first, 4)).toBe(cosine);
    expect<f32>(load<f32>(second, 4)).toBe(-sine);
    expect<f32>(load<f32>(first, 8)).toBe(-cosine);
    expect<f32>(load<f32>(second, 8)).toBe(-sine);
    expect<f32>(load<f32>(first, 12)).toBe(sine);
    expect<f32>(load<f32>(second, 12)).toBe(cosine);
  });

  test("is finite at the extreme words", () => {
    let finite = 0;
    for (let i = 0; i < 16; i++) {
      v128.store(first, i32x4(0, 1, 0xfffffffe, 0xffffffff));
      v128.store(second, i32x4.splat((i << 28) | (i & 1 ? 0x0fffffff : 0)));
      boxMuller(first, second);
      for (let lane: usize = 0; lane < 16; lane += 4) {
        if (Math.abs(load<f32>(first + lane)) < 7 && Math.abs(load<f32>(second + lane)) < 7) finite++;
      }
    }
    expect<i32>(finite).toBe(64);
  });
});

describe("2^18 normals, within 5 standard errors", () => {
  test("mean, variance, skewness, kurtosis, tails and the correlation within a pair", () => {
    const n = <f64>(CHUNK * CHUNKS);
    let s1: f64 = 0;
    let s2: f64 = 0;
    let s3: f64 = 0;
    let s4: f64 = 0;
    let pairs: f64 = 0;
    let above: f64 = 0;
    let below: f64 = 0;
    for (let draw = 0; draw < CHUNKS; draw++) {
      philoxNormal(chunk, CHUNK, 20240607, 1, 0, draw);
      for (let i: usize = 0; i < <usize>CHUNK; i++) {
        const z = <f64>load<f32>(chunk + (i << 2));
        s1 += z;
        s2 += z * z;
        s3 += z * z * z;
        s4 += z * z * z * z;
        if (i & 1) pairs += z * <f64>load<f32>(chunk + (i << 2) - 4);
        if (z > 3) above++;
        if (z < -3) below++;
      }
    }
    const mean = s1 / n;
    const variance = s2 / n - mean * mean;
    expect<f64>(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(1 / n));
    expect<f64>(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    // Third and fourth moments about 0: their variances are 15 and 105 − 9 = 96.
    expect<f64>(Math.abs(s3 / n)).toBeLessThan(5 * Math.sqrt(15 / n));
    expect<f64>(Math.abs(s4 / n - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
    expect<f64>(Math.abs(pairs / (n / 2))).toBeLessThan(5 * Math.sqrt(2 / n));
    // P(z > 3) = 1.3499e-3.
    const expected = 1.3499e-3 * n;
    expect<f64>(Math.abs(above - expected)).toBeLessThan(5 * Math.sqrt(expected));
    expect<f64>(Math.abs(below - expected)).toBeLessThan(5 * Math.sqrt(expected));
    expect<f64>(Math.abs(above - below)).toBeLessThan(5 * Math.sqrt(2 * expected));
  });
});
