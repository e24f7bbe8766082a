// @ts-check
// float16 for engines without Float16Array: bit patterns in a Uint16Array, as ONNX Runtime takes them.

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/**
 * Returns numbers rounded to float16, to nearest even.
 * @param {Float32Array} values
 */
export function toHalf(values) {
  return Uint16Array.from(values, (value) => {
    single[0] = value;
    const [word = 0] = bits;
    const sign = (word >>> 16) & 0x8000;
    const size = word & 0x7fffffff;
    if (size > 0x7f800000) return sign | 0x7e00;
    // 65520 and above round to infinity.
    if (size >= 0x477ff000) return sign | 0x7c00;
    if (size < 0x38800000) {
      // Below 2^-14 float16 counts in units of 2^-24: adding 0.5 to the magnitude lets float32 round to them.
      single[0] = Math.abs(value) + 0.5;
      return sign | ((bits[0] ?? 0) - 0x3f000000);
    }
    return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  });
}

/**
 * Returns the numbers of float16 bit patterns, in a Uint16Array or a Float16Array.
 * @param {ArrayBufferView} half
 */
export function fromHalf(half) {
  const patterns = new Uint16Array(half.buffer, half.byteOffset, half.byteLength / 2);
  return Float32Array.from(patterns, (pattern) => {
    const sign = pattern & 0x8000 ? -1 : 1;
    const exponent = (pattern >>> 10) & 31;
    const fraction = pattern & 0x3ff;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
  });
}
