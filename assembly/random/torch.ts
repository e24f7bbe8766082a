// The float32 numbers of PyTorch's CPU generator, bit for bit (2.15 on x86 with AVX2 or AVX-512).
//
// PyTorch's vector code uses fused multiply-adds in certain places, which WebAssembly lacks. So a float32 is held in a
// double lane here, two lanes a vector. A sum, product or square root of such values, taken in double and then rounded
// to float32, is the float32 operation: 53 ≥ 2·24 + 2 bits make the first rounding harmless (Figueroa, "When is double
// rounding innocuous?", SIGNUM Newsletter 30, 1995). A fused multiply-add needs more care: see `fma`.
import { mtHasKept, mtKeep, mtTakeKept, mtUniform32, mtUniform64 } from "./mt19937";
import { C0, C1, C2, L0, L1, L2, L3, L4, L5, L6, L7, L8, LN2_HIGH, LN2_LOW, S0, S1, S2 } from "./normal";

const GROUP: i32 = 16;
// 4/π in float32, and −π/4 in three parts, the first two short enough for exact products (Cephes single/sinf.c).
const FOUR_OVER_PI: f32 = 1.27323954473516;
const MINUS_QUARTER_PI_1: f32 = -0.78515625;
const MINUS_QUARTER_PI_2: f32 = -2.4187564849853516e-4;
const MINUS_QUARTER_PI_3: f32 = -3.774894977445941e-8;
const TWO_PI: f32 = <f32>(2 * Math.PI);
const SQRT_HALF: f32 = <f32>Math.SQRT1_2;
// At 2^52 the last bit of a double counts ones: an integer added to it stands in the low bits.
const TWO_52: f64 = 4503599627370496.0;

/**
 * Writes what `torch.randn(n, generator)` would return next, float32 on the CPU.
 *
 * From 16 numbers on, uniforms are turned into normals in groups of 16; a remainder is made by drawing the last 16 again.
 * Below, pairs are made in double, and the second of a pair waits for the next such draw.
 */
export function torchNormal(state: usize, out: usize, n: i32): void {
  normal<f32>(state, out, n);
}

/** Writes what `torch.randn(n, generator, dtype=torch.float64)` would return next: the same, each uniform of two words. */
export function torchNormal64(state: usize, out: usize, n: i32): void {
  normal<f64>(state, out, n);
}

/** Writes what `torch.rand(n, generator)` would return next, float32. */
export function torchUniform(state: usize, out: usize, n: i32): void {
  uniform<f32>(state, out, out + ((<usize>n) << 2));
}

/** Writes what `torch.rand(n, generator, dtype=torch.float64)` would return next. */
export function torchUniform64(state: usize, out: usize, n: i32): void {
  uniform<f64>(state, out, out + ((<usize>n) << 3));
}

function uniform<T>(state: usize, at: usize, end: usize): void {
  for (; at < end; at += sizeof<T>()) {
    if (sizeof<T>() === 4) store<f32>(at, mtUniform32(state));
    else store<f64>(at, mtUniform64(state));
  }
}

function normal<T>(state: usize, out: usize, n: i32): void {
  const end = out + <usize>n * sizeof<T>();
  if (n < GROUP) {
    for (; out < end; out += sizeof<T>()) store<T>(out, <T>ofPair(state));
    return;
  }
  uniform<T>(state, out, end);
  const group = GROUP * sizeof<T>();
  for (; out + group <= end; out += group) boxMullerGroup<T>(out);
  if (out === end) return;
  uniform<T>(state, end - group, end);
  boxMullerGroup<T>(end - group);
}

function ofPair(state: usize): f64 {
  if (mtHasKept(state)) return mtTakeKept(state);
  const theta = 2 * Math.PI * mtUniform64(state);
  const r = Math.sqrt(-2 * Math.log1p(-mtUniform64(state)));
  mtKeep(state, r * Math.sin(theta));
  return r * Math.cos(theta);
}

function boxMullerGroup<T>(at: usize): void {
  if (sizeof<T>() === 4) boxMuller16(at);
  else boxMuller16Double(at);
}

function boxMuller16Double(at: usize): void {
  for (const end = at + 64; at < end; at += 8) {
    const r = Math.sqrt(-2 * Math.log(1 - load<f64>(at)));
    const theta = 2 * Math.PI * load<f64>(at, 64);
    store<f64>(at, r * Math.cos(theta));
    store<f64>(at, r * Math.sin(theta), 64);
  }
}

// Elements j and j + 8 of sixteen uniforms become a pair of normals.
function boxMuller16(at: usize): void {
  for (const end = at + 32; at < end; at += 8) {
    const u = f64x2.sub(single(1), f64x2.promote_low_f32x4(v128.load64_zero(at)));
    const theta = rounded(f64x2.mul(single(TWO_PI), f64x2.promote_low_f32x4(v128.load64_zero(at, 32))));
    const r = rounded(f64x2.sqrt(f64x2.mul(single(-2), fusedLn(u))));
    const octant = nearestOctant(theta);
    const x = reduced(theta, octant);
    const sine = fusedSin(x);
    const cosine = fusedCos(x);
    const bits = f64x2.add(octant, f64x2.splat(TWO_52));
    const exchange = i64x2.shr_s(i64x2.shl(bits, 62), 63);
    const sineSign = i64x2.shl(v128.and(bits, i64x2.splat(4)), 61);
    const cosineSign = i64x2.shl(v128.and(i64x2.add(bits, i64x2.splat(2)), i64x2.splat(4)), 61);
    const first = v128.xor(v128.bitselect(sine, cosine, exchange), cosineSign);
    const second = v128.xor(v128.bitselect(cosine, sine, exchange), sineSign);
    v128.store64_lane(at, f32x4.demote_f64x2_zero(f64x2.mul(r, first)), 0);
    v128.store64_lane(at, f32x4.demote_f64x2_zero(f64x2.mul(r, second)), 0, 32);
  }
}

/** ln u for float32 u > 0: within 0.82 ulp and never positive for the 2^24 uniforms, all of them tried. */
export function fusedLn(u: v128): v128 {
  // u = m·2^e with ½ ≤ m < 1; below √½, m is doubled.
  const biased = i64x2.shr_u(u, 52);
  const m = v128.or(v128.and(u, i64x2.splat(0x000fffffffffffff)), i64x2.splat(0x3fe0000000000000));
  const small = f64x2.lt(m, single(SQRT_HALF));
  const e = f64x2.sub(
    f64x2.sub(v128.or(biased, f64x2.splat(TWO_52)), f64x2.splat(TWO_52 + 1022)),
    v128.and(small, single(1)),
  );
  const x = f64x2.add(f64x2.sub(m, single(1)), v128.and(small, m));
  const z = rounded(f64x2.mul(x, x));
  let y = fma(single(L0), x, single(L1));
  y = fma(y, x, single(L2));
  y = fma(y, x, single(L3));
  y = fma(y, x, single(L4));
  y = fma(y, x, single(L5));
  y = fma(y, x, single(L6));
  y = fma(y, x, single(L7));
  y = fma(y, x, single(L8));
  y = fma(rounded(f64x2.mul(y, x)), z, rounded(f64x2.mul(single(LN2_LOW), e)));
  y = fma(f64x2.neg(z), single(0.5), y);
  return fma(e, single(LN2_HIGH), rounded(f64x2.add(x, y)));
}

// The even number of octants, 0 … 8, that lies nearest to the angle.
function nearestOctant(theta: v128): v128 {
  const octant = f64x2.trunc(rounded(f64x2.mul(single(FOUR_OVER_PI), theta)));
  return f64x2.mul(f64x2.trunc(f64x2.mul(f64x2.add(octant, single(1)), single(0.5))), single(2));
}

function reduced(theta: v128, octant: v128): v128 {
  const x = fma(octant, single(MINUS_QUARTER_PI_1), theta);
  return fma(octant, single(MINUS_QUARTER_PI_3), fma(octant, single(MINUS_QUARTER_PI_2), x));
}

function fusedSin(x: v128): v128 {
  const z = rounded(f64x2.mul(x, x));
  const y = fma(fma(single(S0), z, single(S1)), z, single(S2));
  return fma(rounded(f64x2.mul(y, z)), x, x);
}

function fusedCos(x: v128): v128 {
  const z = rounded(f64x2.mul(x, x));
  const y = fma(fma(single(C0), z, single(C1)), z, single(C2));
  const head = fma(rounded(f64x2.mul(y, z)), z, f64x2.mul(z, single(-0.5)));
  return rounded(f64x2.add(head, single(1)));
}

/**
 * a·b + c of finite float32 values, rounded once to float32.
 *
 * The product is exact in double, the sum is not, and rounding it twice can differ from rounding it once where the
 * first rounding lands on a tie. So the sum is rounded to odd instead: cut off, and the last bit set if anything was
 * lost, which keeps it off every tie (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans.
 * Comput. 57, 2008). What was lost comes from Knuth's exact TwoSum.
 */
export function fma(a: v128, b: v128, c: v128): v128 {
  const product = f64x2.mul(a, b);
  const sum = f64x2.add(product, c);
  const addend = f64x2.sub(sum, product);
  const lost = f64x2.add(f64x2.sub(product, f64x2.sub(sum, addend)), f64x2.sub(c, addend));
  const inexact = f64x2.ne(lost, f64x2.splat(0));
  const tooLarge = v128.and(inexact, i64x2.lt_s(v128.xor(lost, sum), i64x2.splat(0)));
  return rounded(v128.or(i64x2.add(sum, tooLarge), i64x2.shr_u(inexact, 63)));
}

// Rounds to float32.
function rounded(x: v128): v128 {
  return f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(x));
}

function single(x: f32): v128 {
  return f64x2.splat(<f64>x);
}
