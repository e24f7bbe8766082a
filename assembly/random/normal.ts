// Natural logarithm, sine and cosine in float32, and Box and Muller's transform over them; every vector is four lanes.
// Products and sums are rounded separately, so the bits are the same in every engine.
// torch.ts evaluates the same polynomials with fused multiply-adds, as PyTorch's CPU kernels do.

// Cephes single/logf.c (S. Moshier): ln(1 + x) ≈ x − x²/2 + x³·(L0·x⁸ + … + L8) for √½ ≤ 1 + x < √2.
export const L0: f32 = 7.0376836292e-2;
export const L1: f32 = -1.151461031e-1;
export const L2: f32 = 1.167699874e-1;
export const L3: f32 = -1.2420140846e-1;
export const L4: f32 = 1.4249322787e-1;
export const L5: f32 = -1.6668057665e-1;
export const L6: f32 = 2.0000714765e-1;
export const L7: f32 = -2.4999993993e-1;
export const L8: f32 = 3.3333331174e-1;
// ln 2 in two parts; the high one has 9 significant bits, so its product with an exponent is exact.
export const LN2_HIGH: f32 = 0.693359375;
export const LN2_LOW: f32 = -2.1219444e-4;

// Cephes single/sinf.c: sin x ≈ x + x³·(S0·x⁴ + S1·x² + S2), cos x ≈ 1 − x²/2 + x⁴·(C0·x⁴ + C1·x² + C2), |x| ≤ π/4.
export const S0: f32 = -1.9515295891e-4;
export const S1: f32 = 8.3321608736e-3;
export const S2: f32 = -1.6666654611e-1;
export const C0: f32 = 2.443315711809948e-5;
export const C1: f32 = -1.388731625493765e-3;
export const C2: f32 = 4.166664568298827e-2;

// π/2^25: an angle counted in 2^26ths of a turn, in radians.
const ANGLE_UNIT: f32 = <f32>(Math.PI / 33554432.0);
// √½ rounded down, as bits.
const SQRT_HALF_BITS: i32 = 0x3f3504f3;

function multiplyAdd(a: v128, b: v128, c: f32): v128 {
  return f32x4.add(f32x4.mul(a, b), f32x4.splat(c));
}

/** ln u for normal u > 0: within 0.83 ulp and never positive on [2^−32, 1], tried for every float32 there. */
export function ln(u: v128): v128 {
  // Shifting the bits by those of √½ moves the fraction to [√½, √2) and rounds the exponent to match (as musl's logf).
  const shifted = i32x4.sub(u, i32x4.splat(SQRT_HALF_BITS));
  const exponent = f32x4.convert_i32x4_s(i32x4.shr_s(shifted, 23));
  const fraction = i32x4.add(v128.and(shifted, i32x4.splat(0x7fffff)), i32x4.splat(SQRT_HALF_BITS));
  const x = f32x4.sub(fraction, f32x4.splat(1));
  const z = f32x4.mul(x, x);
  let y = multiplyAdd(f32x4.splat(L0), x, L1);
  y = multiplyAdd(y, x, L2);
  y = multiplyAdd(y, x, L3);
  y = multiplyAdd(y, x, L4);
  y = multiplyAdd(y, x, L5);
  y = multiplyAdd(y, x, L6);
  y = multiplyAdd(y, x, L7);
  y = multiplyAdd(y, x, L8);
  y = f32x4.mul(f32x4.mul(y, x), z);
  y = f32x4.add(y, f32x4.mul(exponent, f32x4.splat(LN2_LOW)));
  y = f32x4.sub(y, f32x4.mul(z, f32x4.splat(0.5)));
  return f32x4.add(f32x4.add(x, y), f32x4.mul(exponent, f32x4.splat(LN2_HIGH)));
}

/** sin x for |x| ≤ π/4: within 0.78 ulp, tried for every angle that `boxMuller` makes. */
export function sin(x: v128): v128 {
  const z = f32x4.mul(x, x);
  const y = multiplyAdd(multiplyAdd(f32x4.splat(S0), z, S1), z, S2);
  return f32x4.add(f32x4.mul(f32x4.mul(y, z), x), x);
}

/** cos x for |x| ≤ π/4: within 0.99 ulp, tried for every angle that `boxMuller` makes. */
export function cos(x: v128): v128 {
  const z = f32x4.mul(x, x);
  const y = multiplyAdd(multiplyAdd(f32x4.splat(C0), z, C1), z, C2);
  const head = f32x4.sub(f32x4.mul(f32x4.mul(y, z), z), f32x4.mul(z, f32x4.splat(0.5)));
  return f32x4.add(head, f32x4.splat(1));
}

/**
 * (w + 1)/2^32 in float32, rounded once, for each of four 32-bit words: in [2^−32, 1].
 * Both halves and their scales are exact, so the one rounding is that of the sum. Small values keep all 32 bits.
 */
export function uniform(words: v128): v128 {
  const high = f32x4.convert_i32x4_s(i32x4.shr_u(words, 16));
  const low = f32x4.convert_i32x4_s(i32x4.add(v128.and(words, i32x4.splat(0xffff)), i32x4.splat(1)));
  return f32x4.add(f32x4.mul(high, f32x4.splat(1.0 / 65536.0)), f32x4.mul(low, f32x4.splat(1.0 / 4294967296.0)));
}

/**
 * Turns four words at `first` and four at `second` into eight standard normals, lane by lane and in place.
 *
 *     u = (w₁ + 1)/2^32,  r = √(−2 ln u)
 *     t = bits 7 … 29 of w₂ as a signed number, doubled, plus 1: odd, |t| < 2^23, exact in float32
 *     θ = t·π/2^25, uniform over the open quarter turn (−π/4, π/4)
 *     bit 30 of w₂ exchanges sine and cosine; bit 31 negates both
 *     first = r cos θ,  second = r sin θ
 *
 * Signs are exactly symmetric and the largest possible number is √(64 ln 2) = 6.66, at w₁ = 0.
 */
export function boxMuller(first: usize, second: usize): void {
  const angle = v128.load(second);
  const radius = f32x4.sqrt(f32x4.mul(f32x4.splat(-2), ln(uniform(v128.load(first)))));
  const signed = v128.xor(radius, v128.and(angle, i32x4.splat(0x80000000)));
  const t = v128.or(i32x4.shr_s(i32x4.shl(angle, 2), 8), i32x4.splat(1));
  const theta = f32x4.mul(f32x4.convert_i32x4_s(t), f32x4.splat(ANGLE_UNIT));
  const sine = sin(theta);
  const cosine = cos(theta);
  const exchange = i32x4.shr_s(i32x4.shl(angle, 1), 31);
  v128.store(first, f32x4.mul(signed, v128.bitselect(sine, cosine, exchange)));
  v128.store(second, f32x4.mul(signed, v128.bitselect(cosine, sine, exchange)));
}
