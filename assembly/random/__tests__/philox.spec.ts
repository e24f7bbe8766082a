import { philoxBlocks, philoxNormal } from "../philox";

const words = memory.data(64, 16);
const scalar = memory.data(16, 16);
const a = memory.data(512, 16);
const b = memory.data(512, 16);

// The paper's definition, one block, in 64-bit integers.
function philox(c0: u32, c1: u32, c2: u32, c3: u32, k0: u32, k1: u32): void {
  for (let round = 0; round < 10; round++) {
    const p = <u64>0xd2511f53 * <u64>c0;
    const q = <u64>0xcd9e8d57 * <u64>c2;
    c0 = <u32>(q >> 32) ^ c1 ^ k0;
    c1 = <u32>q;
    c2 = <u32>(p >> 32) ^ c3 ^ k1;
    c3 = <u32>p;
    k0 += 0x9e3779b9;
    k1 += 0xbb67ae85;
  }
  store<u32>(scalar, c0);
  store<u32>(scalar, c1, 4);
  store<u32>(scalar, c2, 8);
  store<u32>(scalar, c3, 12);
}

function expectLanes(x0: u32, x1: u32, x2: u32, x3: u32): void {
  for (let lane: usize = 0; lane < 16; lane += 4) {
    expect<u32>(load<u32>(words + lane)).toBe(x0);
    expect<u32>(load<u32>(words + lane, 16)).toBe(x1);
    expect<u32>(load<u32>(words + lane, 32)).toBe(x2);
    expect<u32>(load<u32>(words + lane, 48)).toBe(x3);
  }
}

function equalBits(n: i32): i32 {
  let equal = 0;
  for (let i = 0; i < n; i++) {
    if (load<u32>(a + ((<usize>i) << 2)) === load<u32>(b + ((<usize>i) << 2))) equal++;
  }
  return equal;
}

describe("Philox4x32-10", () => {
  // Random123, tests/kat_vectors.
  test("known answer for zeros", () => {
    const zero = i32x4.splat(0);
    philoxBlocks(words, zero, zero, zero, zero, 0, 0);
    expectLanes(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  });

  test("known answer for ones", () => {
    const ones = i32x4.splat(-1);
    philoxBlocks(words, ones, ones, ones, ones, 0xffffffff, 0xffffffff);
    expectLanes(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  });

  test("known answer for the digits of pi", () => {
    const x0 = i32x4.splat(0x243f6a88);
    const x1 = i32x4.splat(0x85a308d3);
    const x2 = i32x4.splat(0x13198a2e);
    const x3 = i32x4.splat(0x03707344);
    philoxBlocks(words, x0, x1, x2, x3, 0xa4093822, 0x299f31d0);
    expectLanes(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
  });

  test("each lane equals the definition in 64-bit integers", () => {
    let wrong = 0;
    let seed: u32 = 1;
    for (let i = 0; i < 500; i++) {
      // Numerical Recipes' linear congruential generator; any other would do.
      seed = seed * 1664525 + 1013904223;
      const block = i32x4.add(i32x4.splat(seed), i32x4(0, 1, 2, 3));
      philoxBlocks(
        words,
        block,
        i32x4.splat(seed >> 3),
        i32x4.splat(~seed),
        i32x4.splat(i),
        seed ^ 0x55aa55aa,
        seed << 5,
      );
      for (let lane: u32 = 0; lane < 4; lane++) {
        philox(seed + lane, seed >> 3, ~seed, i, seed ^ 0x55aa55aa, seed << 5);
        for (let j: usize = 0; j < 4; j++) {
          if (load<u32>(words + 16 * j + ((<usize>lane) << 2)) !== load<u32>(scalar + 4 * j)) wrong++;
        }
      }
    }
    expect<i32>(wrong).toBe(0);
  });
});

describe("philoxNormal", () => {
  test("a shorter draw is a prefix of a longer one and writes nothing behind its end", () => {
    let wrong = 0;
    philoxNormal(a, 70, 1, 2, 3, 4);
    for (let n = 0; n <= 70; n++) {
      memory.fill(b, 0xff, 512);
      philoxNormal(b, n, 1, 2, 3, 4);
      if (equalBits(n) !== n) wrong++;
      for (let i = n; i < 128; i++) {
        if (load<u32>(b + ((<usize>i) << 2)) !== 0xffffffff) wrong++;
      }
    }
    expect<i32>(wrong).toBe(0);
  });

  test("another key, item or draw gives other numbers", () => {
    philoxNormal(a, 128, 1, 2, 3, 4);
    philoxNormal(b, 128, 1, 2, 3, 4);
    expect<i32>(equalBits(128)).toBe(128);
    philoxNormal(b, 128, 2, 2, 3, 4);
    expect<i32>(equalBits(128)).toBe(0);
    philoxNormal(b, 128, 1, 3, 3, 4);
    expect<i32>(equalBits(128)).toBe(0);
    philoxNormal(b, 128, 1, 2, 4, 4);
    expect<i32>(equalBits(128)).toBe(0);
    philoxNormal(b, 128, 1, 2, 3, 5);
    expect<i32>(equalBits(128)).toBe(0);
    philoxNormal(b, 128, 2, 1, 4, 3);
    expect<i32>(equalBits(128)).toBe(0);
  });
});
