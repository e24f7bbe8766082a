// Standard normals as PyTorch draws them on a CUDA device; the numbers are computed in assembly/random/cuda.ts.
import * as check from "../check.ts";
import { borrow } from "../wasm/arena.ts";
import { seedBits } from "./random.ts";

const dtypes = ["float32", "float16"] as const;

/** One stream of normals of a CUDA device. */
export interface CudaGenerator {
  /**
   * Returns the next normals in a shape, row-major, as `torch.randn(shape, generator=g, device="cuda", dtype=dtype)`; `dtype` is
   * "float32" unless given, "float16" is the same numbers rounded.
   */
  randn(shape: readonly number[], dtype?: (typeof dtypes)[number]): Float32Array;
}

/** What `cudaGenerator` takes beside the seed. */
export interface CudaOptions {
  /**
   * Threads that the GPU runs at once: multiprocessors · threads of each, the latter rounded down to a multiple of 256. 108·2048 on an
   * A100, 132·2048 on an H100 SXM, 84·1536 on an RTX A6000, 40·1024 on a T4. A draw of no more numbers is the same on every GPU;
   * Infinity goes on as such a draw does, which is what A1111 calls the source "NV".
   */
  threads?: number;
}

// PyTorch launches blocks of 256 threads, each of which makes four numbers a call of the generator.
const blockThreads = 256;
/** 16 multiprocessors of 1024 threads: Stable Diffusion's 4 × 64 × 64. Few GPUs have less (a GTX 1650: 14·1024). */
const unquestioned = 16384;

/**
 * Returns the stream of `torch.Generator("cuda").manual_seed(seed)`, which is also that of `torch.manual_seed(seed)` on a CUDA device.
 *
 * Each number is made of the same random words as the device's and has the four decimals that PyTorch prints. It need not have the last
 * bits, since the device computes sine and cosine by approximate instructions.
 *
 * Source: PyTorch 2.13, aten/src/ATen/native/cuda/DistributionTemplates.h (calc_execution_policy), as pytorch/pytorch issue 196613
 * describes and measures it; cuRAND's curand_normal.h.
 *
 * @param seed an integer from −2^63 to 2^64 − 1, as bigint from 2^53 on
 * @throws TypeError, RangeError; also at a draw of more than 16384 numbers without `threads`.
 */
export function cudaGenerator(seed: number | bigint, options: CudaOptions = {}): CudaGenerator {
  const bits = seedBits(seed);
  const [low, high] = [Number(bits & 0xffffffffn), Number(bits >> 32n)];
  const { threads } = check.options<CudaOptions>("cudaGenerator", options, ["threads"]);
  const multiple = "a multiple of 256, or Infinity";
  if (threads !== undefined) {
    check.number("threads", threads, multiple, (t) => t > 0 && (t === Infinity || t % blockThreads === 0));
  }
  let call = 0;
  return Object.freeze({
    randn(shape: readonly number[], dtype: (typeof dtypes)[number] = "float32"): Float32Array {
      const n = check.shape("shape", shape).reduce((product, length) => product * length, 1);
      check.oneOf("dtype", dtype, dtypes);
      if (threads === undefined && n > unquestioned) {
        throw new RangeError(
          `"threads": required for a draw of ${n} numbers, which depend on the GPU above ${unquestioned}; expected ${multiple}`,
        );
      }
      const wave = Math.min(threads ?? Infinity, Math.ceil(n / blockThreads) * blockThreads);
      const { exports, base, release } = borrow(6 * n);
      try {
        for (let first = 0; first < n; first += wave) {
          const index = first / wave;
          const length = Math.min(wave, n - first);
          exports.cudaNormal(base + 4 * first, length, low, high, call + Math.floor(index / 4), index % 4);
        }
        call += Math.ceil(n / (4 * wave));
        if (dtype === "float16") {
          exports.singleToHalf(base + 4 * n, base, n);
          exports.halfToSingle(base, base + 4 * n, n);
        }
        return new Float32Array(exports.memory.buffer, base, n).slice();
      } finally {
        release();
      }
    },
  });
}
