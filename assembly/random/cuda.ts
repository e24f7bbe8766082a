// The normals of a CUDA device: cuRAND's curand_normal4 over Philox4x32-10, as PyTorch's distribution kernels call it.
// The device takes sine and cosine from its approximate instructions (__sincosf: within 2^-21 or so), so the last bits are not these.
import { philoxBlocks } from "./philox";

// cuRAND's CURAND_2POW32_INV and CURAND_2POW32_INV_2PI.
const INVERSE_32: f32 = <f32>(1.0 / 4294967296.0);
const TURN_32: f32 = <f32>(2 * Math.PI) * INVERSE_32;

const words = memory.data(64, 16);

/**
 * Fills `out` with one float32 normal of each of the threads 0 … n − 1: number `which`, 0 … 3, of the four that a thread
 * makes of its block. The block's counter is (call, 0, thread, 0): cuRAND's offset in blocks, then its subsequence.
 *
 *     u = w₁/2^32 + 2^-33,  v = 2π·w₂/2^32 + π·2^-32,  r = √(−2 ln u):  r sin v, r cos v     (words 0 and 1, then 2 and 3)
 */
export function cudaNormal(out: usize, n: i32, keyLow: u32, keyHigh: u32, call: u32, which: i32): void {
  const zero = i32x4.splat(0);
  const pair = words + ((<usize>(which >> 1)) << 5);
  let threads = i32x4(0, 1, 2, 3);
  for (const end = out + ((<usize>n) << 2); out < end; threads = i32x4.add(threads, i32x4.splat(4))) {
    philoxBlocks(words, i32x4.splat(call), zero, threads, zero, keyLow, keyHigh);
    for (let lane: usize = 0; lane < 16 && out < end; lane += 4, out += 4) {
      const u = <f32>load<u32>(pair + lane) * INVERSE_32 + INVERSE_32 / 2;
      // The device fuses this product and sum; in double the product is exact.
      const v = <f32>(<f64>(<f32>load<u32>(pair + lane, 16)) * <f64>TURN_32 + <f64>(TURN_32 / 2));
      const r = sqrt<f32>(-2 * <f32>Math.log(<f64>u));
      store<f32>(out, r * <f32>(which & 1 ? Math.cos(<f64>v) : Math.sin(<f64>v)));
    }
  }
}
