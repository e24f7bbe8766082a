import { halfToSingle, singleToHalf } from "../half";

const CODES: i32 = 65536;
const HALVES = memory.data(131072, 16);
const SINGLES = memory.data(262144, 16);
const BACK = memory.data(131072, 16);

/** The value of a binary16 code by the definition in IEEE 754, section 3.4, in f64 where every step is exact. */
function definition(code: u32): f64 {
  const exponent = (code >> 10) & 31;
  const fraction = <f64>(code & 1023);
  let magnitude: f64 = fraction / 1024 + (exponent === 0 ? 0 : 1);
  if (exponent === 31) magnitude = fraction === 0 ? Infinity : NaN;
  else {
    for (let e: i32 = exponent === 0 ? 1 : exponent; e > 15; e--) magnitude *= 2;
    for (let e: i32 = exponent === 0 ? 1 : exponent; e < 15; e++) magnitude /= 2;
  }
  return code >> 15 ? -magnitude : magnitude;
}

function isNaNCode(code: u32): bool {
  return (code & 0x7fff) > 0x7c00;
}

function widenAll(): void {
  for (let code = 0; code < CODES; code++) store<u16>(HALVES + ((<usize>code) << 1), <u16>code);
  halfToSingle(SINGLES, HALVES, CODES);
}

function single(code: u32): f32 {
  return load<f32>(SINGLES + ((<usize>code) << 2));
}

/** The code of one value, once by the vector loop and once by the remainder; −1 if they differ. */
function codeOf(value: f32): i32 {
  for (let i: usize = 0; i < 9; i++) store<f32>(SINGLES + (i << 2), value);
  singleToHalf(BACK, SINGLES, 9);
  const code = load<u16>(BACK);
  return load<u16>(BACK, 16) === code ? <i32>code : -1;
}

function codeOfBits(bits: u32): i32 {
  return codeOf(reinterpret<f32>(bits));
}

describe("halfToSingle", () => {
  it("gives the defined value of every code", () => {
    widenAll();
    let wrong = 0;
    for (let code: u32 = 0; code < 65536; code++) {
      const value = <f64>single(code);
      if (isNaNCode(code)) {
        if (!Number.isNaN(value)) wrong++;
      } else if (reinterpret<u64>(value) !== reinterpret<u64>(definition(code))) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("knows the landmarks", () => {
    widenAll();
    expect(single(0x3c00)).toBe(1);
    expect(single(0xc000)).toBe(-2);
    expect(single(0x7bff)).toBe(65504);
    expect(single(0x0001)).toBe(<f32>(1.0 / 16777216.0)); // 2⁻²⁴
    expect(single(0x0400)).toBe(<f32>6.103515625e-5); // 2⁻¹⁴
    expect(single(0x3555)).toBe(<f32>0.333251953125); // next to one third
    expect(single(0xfc00)).toBe(-Infinity);
  });

  it("converts every length and writes nothing else", () => {
    for (let code = 0; code < CODES; code++) store<u16>(HALVES + ((<usize>code) << 1), <u16>(code * 40503));
    let wrong = 0;
    for (let n = 0; n <= 200; n++) {
      memory.fill(SINGLES, 0xa5, 1024);
      const out = SINGLES + 16 + ((<usize>(n & 3)) << 2);
      const from = HALVES + ((<usize>n) << 1);
      halfToSingle(out, from, n);
      for (let i = 0; i < n; i++) {
        const code = <u32>load<u16>(from + ((<usize>i) << 1));
        const value = <f64>load<f32>(out + ((<usize>i) << 2));
        if (!isNaNCode(code) && value !== definition(code)) wrong++;
      }
      if (load<u32>(out - 4) !== 0xa5a5a5a5 || load<u32>(out + ((<usize>n) << 2)) !== 0xa5a5a5a5) wrong++;
    }
    expect(wrong).toBe(0);
  });
});

describe("singleToHalf", () => {
  it("returns every code from its value, and NaN from NaN", () => {
    widenAll();
    singleToHalf(BACK, SINGLES, CODES);
    let wrong = 0;
    for (let code: u32 = 0; code < 65536; code++) {
      const back = <u32>load<u16>(BACK + ((<usize>code) << 1));
      if (isNaNCode(code) ? back !== ((code & 0x8000) | 0x7e00) : back !== code) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("rounds to nearest between every two neighbours, and to even in the middle", () => {
    let wrong = 0;
    for (let code: u32 = 0; code < 0x7bff; code++) {
      const middle = <f32>((definition(code) + definition(code + 1)) / 2); // one bit more than binary16: exact
      const bits = reinterpret<u32>(middle);
      const even = code + (code & 1);
      if (codeOfBits(bits) !== <i32>even) wrong++;
      if (codeOfBits(bits - 1) !== <i32>code) wrong++;
      if (codeOfBits(bits + 1) !== <i32>(code + 1)) wrong++;
      if (codeOfBits(bits | 0x80000000) !== <i32>(even | 0x8000)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("overflows to infinity from 65520", () => {
    expect(codeOf(65519.996)).toBe(0x7bff);
    expect(codeOf(65520)).toBe(0x7c00);
    expect(codeOf(-65520)).toBe(0xfc00);
    expect(codeOf(f32.MAX_VALUE)).toBe(0x7c00);
    expect(codeOf(Infinity)).toBe(0x7c00);
    expect(codeOf(-Infinity)).toBe(0xfc00);
  });

  it("underflows to a zero of the same sign", () => {
    expect(codeOfBits(1)).toBe(0);
    expect(codeOfBits(0x80000001)).toBe(0x8000);
    expect(codeOf(-0.0)).toBe(0x8000);
    expect(codeOf(<f32>2.9802322387695312e-8)).toBe(0); // 2⁻²⁵, a tie
  });

  it("converts every length and writes nothing else", () => {
    widenAll();
    let wrong = 0;
    for (let n = 0; n <= 200; n++) {
      memory.fill(BACK, 0xa5, 1024);
      const out = BACK + 16 + ((<usize>(n & 7)) << 1);
      singleToHalf(out, SINGLES + ((<usize>n) << 7), n);
      for (let i = 0; i < n; i++) if (<i32>load<u16>(out + ((<usize>i) << 1)) !== n * 32 + i) wrong++;
      if (load<u16>(out - 2) !== 0xa5a5 || load<u16>(out + ((<usize>n) << 1)) !== 0xa5a5) wrong++;
    }
    expect(wrong).toBe(0);
  });
});
