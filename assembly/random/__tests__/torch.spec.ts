import { mtHasKept, mtNext, mtSeed, mtUniform32, mtUniform64 } from "../mt19937";
import { fma, fusedLn, torchNormal, torchNormal64, torchUniform, torchUniform64 } from "../torch";

const state = memory.data(2512, 16);
const other = memory.data(2512, 16);
const a = memory.data(16384, 16);
const b = memory.data(16384, 16);

function fused(x: f32, y: f32, z: f32): f32 {
  const sum = fma(f64x2.splat(<f64>x), f64x2.splat(<f64>y), f64x2.splat(<f64>z));
  return <f32>f64x2.extract_lane(sum, 0);
}

function roundedTwice(x: f32, y: f32, z: f32): f32 {
  return <f32>(<f64>x * <f64>y + <f64>z);
}

// 2^e for a normal float32.
function power(e: i32): f32 {
  return reinterpret<f32>((e + 127) << 23);
}

function equalBits(n: i32): i32 {
  let equal = 0;
  for (let i = 0; i < n; i++) {
    if (load<u32>(a + ((<usize>i) << 2)) === load<u32>(b + ((<usize>i) << 2))) equal++;
  }
  return equal;
}

describe("fma rounds a·b + c once, where rounding through double goes wrong", () => {
  // (1 + 2^-23)(1 − 2^-23) = 1 − 2^-46, so with a scale of 2^-24 the sum lies 2^-70 below a tie that double rounds to.
  const x: f32 = <f32>(1.0 + 1.0 / 8388608.0);
  const y: f32 = <f32>(1.0 - 1.0 / 8388608.0);

  test("just below a tie above an odd neighbour", () => {
    const c: f32 = <f32>(1.0 + 1.0 / 8388608.0);
    expect<f32>(fused(x, y * power(-24), c)).toBe(c);
    expect<f32>(roundedTwice(x, y * power(-24), c)).toBe(<f32>(1.0 + 2.0 / 8388608.0));
    expect<f32>(fused(-x, y * power(-24), -c)).toBe(-c);
  });

  test("just above a tie below an odd neighbour", () => {
    // Of the ties c − 2^-24, the one below an odd c is rounded down, the one below an even c is rounded up anyway.
    const odd: f32 = <f32>(1.0 + 3.0 / 8388608.0);
    expect<f32>(fused(-x, y * power(-24), odd)).toBe(odd);
    expect<f32>(roundedTwice(-x, y * power(-24), odd)).toBe(<f32>(1.0 + 2.0 / 8388608.0));
    const even: f32 = <f32>(1.0 + 2.0 / 8388608.0);
    expect<f32>(fused(-x, y * power(-24), even)).toBe(even);
    expect<f32>(roundedTwice(-x, y * power(-24), even)).toBe(even);
  });

  test("just above a tie above an even neighbour", () => {
    // 8392705 · 16769026 = 2^47 + 2.
    const p: f32 = <f32>8392705 * power(-23);
    const q: f32 = <f32>16769026 * power(-24);
    expect<f32>(fused(p, q * power(-24), 1)).toBe(<f32>(1.0 + 1.0 / 8388608.0));
    expect<f32>(roundedTwice(p, q * power(-24), 1)).toBe(1);
    expect<f32>(fused(-p, q * power(-24), -1)).toBe(<f32>(-1.0 - 1.0 / 8388608.0));
  });

  test("exact sums, exact ties and cancellation stay as they are", () => {
    expect<f32>(fused(3, 5, 7)).toBe(22);
    expect<f32>(fused(power(-12), power(-12), 1)).toBe(1);
    expect<f32>(fused(power(-12), power(-12), 1.0 + power(-23))).toBe(<f32>(1.0 + 2.0 / 8388608.0));
    expect<f32>(fused(x, y, -1)).toBe(-power(-46));
    expect<f32>(fused(0, 5, 0)).toBe(0);
  });

  test("a product far below the last place of the sum only breaks ties", () => {
    expect<f32>(fused(power(-60), power(-60), 1)).toBe(1);
    expect<f32>(fused(-power(-60), power(-60), 1)).toBe(1);
    expect<f32>(fused(power(-60), 1, power(60))).toBe(power(60));
  });

  test("the lanes are independent", () => {
    const sum = fma(f64x2(<f64>x, 2), f64x2(<f64>y, 3), f64x2(-1, 4));
    expect<f64>(f64x2.extract_lane(sum, 0)).toBe(-(<f64>power(-46)));
    expect<f64>(f64x2.extract_lane(sum, 1)).toBe(10);
  });
});

describe("fusedLn", () => {
  test("is within 0.82 ulp of ln and never positive for the uniforms k/2^24", () => {
    let worst: f64 = 0;
    let positive = 0;
    for (let k = 1; k < 16777216; k += 257) {
      const u = <f64>k / 16777216.0;
      const value = f64x2.extract_lane(fusedLn(f64x2.splat(u)), 0);
      const exact = Math.log(u);
      const exponent = <i32>((reinterpret<u64>(exact) >> 52) & 0x7ff) - 1023;
      worst = max(worst, Math.abs(value - exact) / 2 ** <f64>(exponent - 23));
      if (value > 0) positive++;
    }
    expect<f64>(worst).toBeLessThan(0.82);
    expect<i32>(positive).toBe(0);
    expect<f64>(f64x2.extract_lane(fusedLn(f64x2.splat(1)), 0)).toBe(0);
  });
});

describe("torchNormal", () => {
  test("below 16 numbers, the sizes of the draws do not matter", () => {
    mtSeed(state, 9);
    mtSeed(other, 9);
    torchNormal(state, a, 15);
    torchNormal(state, a + 60, 15);
    let at = b;
    for (let n = 0; n < 7; n++, at += (<usize>n) << 2) torchNormal(other, at, n + 1);
    torchNormal(other, at, 2);
    expect<i32>(equalBits(30)).toBe(30);
  });

  test("a draw of 16 or more neither uses nor clears the kept number", () => {
    mtSeed(state, 9);
    torchNormal(state, a, 2);
    mtSeed(other, 9);
    torchNormal(other, b, 1);
    torchNormal(other, b + 64, 17);
    expect<bool>(mtHasKept(other)).toBe(true);
    torchNormal(other, b + 4, 1);
    expect<i32>(equalBits(2)).toBe(2);
  });

  test("a remainder draws the last sixteen numbers again", () => {
    mtSeed(state, 9);
    torchNormal(state, a, 37);
    mtSeed(other, 9);
    torchNormal(other, b, 32);
    expect<i32>(equalBits(21)).toBe(21);
    for (let i = 32; i < 37; i++) mtNext(other);
    torchNormal(other, b + 84, 16);
    expect<i32>(equalBits(37)).toBe(37);
  });

  test("writes nothing behind its end, and nothing at all for no numbers", () => {
    let wrong = 0;
    for (let n = 0; n <= 50; n++) {
      memory.fill(a, 0xff, 256);
      mtSeed(state, n);
      torchNormal(state, a, n);
      for (let i = 0; i < 64; i++) {
        const written = load<u32>(a + ((<usize>i) << 2)) !== 0xffffffff;
        if (written !== i < n) wrong++;
      }
    }
    expect<i32>(wrong).toBe(0);
  });

  test("2^18 normals have the mean, variance and kurtosis of a normal within 5 standard errors", () => {
    const n: f64 = 262144;
    let s1: f64 = 0;
    let s2: f64 = 0;
    let s4: f64 = 0;
    mtSeed(state, 1234);
    for (let draw = 0; draw < 64; draw++) {
      torchNormal(state, a, 4096);
      for (let i: usize = 0; i < 16384; i += 4) {
        const z = <f64>load<f32>(a + i);
        s1 += z;
        s2 += z * z;
        s4 += z * z * z * z;
      }
    }
    expect<f64>(Math.abs(s1 / n)).toBeLessThan(5 * Math.sqrt(1 / n));
    expect<f64>(Math.abs(s2 / n - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect<f64>(Math.abs(s4 / n - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
  });
});

describe("torchNormal64", () => {
  test("below 16 numbers, shares the kept number with float32 draws and rounds to the same numbers", () => {
    let wrong = 0;
    mtSeed(state, 9);
    mtSeed(other, 9);
    torchNormal(state, a, 12);
    torchNormal64(other, b, 3);
    torchNormal(other, b + 24, 4);
    torchNormal64(other, b + 40, 5);
    for (let i: usize = 0; i < 12; i++) {
      const single = load<f32>(a + (i << 2));
      if (i < 3 && <f32>load<f64>(b + (i << 3)) !== single) wrong++;
      if (i >= 3 && i < 7 && load<f32>(b + 24 + ((i - 3) << 2)) !== single) wrong++;
      if (i >= 7 && <f32>load<f64>(b + 40 + ((i - 7) << 3)) !== single) wrong++;
    }
    expect<i32>(wrong).toBe(0);
  });

  test("numbers j and j + 8 of a group lie on the circle that its uniforms give, at the angle that they give", () => {
    let worst: f64 = 0;
    mtSeed(state, 9);
    mtSeed(other, 9);
    torchNormal64(state, a, 16);
    torchUniform64(other, b, 16);
    for (let at: usize = 0; at < 64; at += 8) {
      const x = load<f64>(a + at);
      const y = load<f64>(a + at, 64);
      // exp(−(x² + y²)/2) = 1 − u, and the angle in turns is v; since t·exp(−t) ≤ 0.37, a dozen roundings cost 12·2^-53 at most.
      worst = max(worst, Math.abs(Math.exp(-(x * x + y * y) / 2) - (1 - load<f64>(b + at))));
      const turns = Math.atan2(y, x) / (2 * Math.PI);
      worst = max(worst, Math.abs((turns < 0 ? turns + 1 : turns) - load<f64>(b + at, 64)));
    }
    expect<f64>(worst).toBeLessThan(12.0 / 9007199254740992.0);
  });

  test("a remainder draws the last sixteen numbers again", () => {
    mtSeed(state, 9);
    torchNormal64(state, a, 37);
    mtSeed(other, 9);
    torchNormal64(other, b, 32);
    expect<i32>(equalBits(42)).toBe(42);
    for (let i = 32; i < 37; i++) mtUniform64(other);
    torchNormal64(other, b + 168, 16);
    expect<i32>(equalBits(74)).toBe(74);
  });

  test("writes nothing behind its end, and nothing at all for no numbers", () => {
    let wrong = 0;
    for (let n = 0; n <= 50; n++) {
      memory.fill(a, 0xff, 512);
      mtSeed(state, n);
      torchNormal64(state, a, n);
      for (let i = 0; i < 64; i++) {
        const written = load<i64>(a + ((<usize>i) << 3)) !== -1;
        if (written !== i < n) wrong++;
      }
    }
    expect<i32>(wrong).toBe(0);
  });
});

describe("torchUniform and torchUniform64", () => {
  test("are the uniforms of the generator one after the other, and leave a kept number where it is", () => {
    let wrong = 0;
    mtSeed(state, 9);
    mtSeed(other, 9);
    torchNormal(state, a, 1);
    torchNormal(other, b, 1);
    memory.fill(a, 0xff, 512);
    torchUniform(state, a, 17);
    torchUniform64(state, a + 128, 17);
    for (let i: usize = 0; i < 17; i++) if (load<f32>(a + (i << 2)) !== mtUniform32(other)) wrong++;
    for (let i: usize = 0; i < 17; i++) if (load<f64>(a + 128 + (i << 3)) !== mtUniform64(other)) wrong++;
    expect<i32>(wrong).toBe(0);
    expect<i64>(load<i64>(a + 264)).toBe(-1);
    expect<bool>(mtHasKept(state)).toBe(true);
  });
});
