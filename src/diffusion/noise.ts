// Standard normals from seeds. The generators are in assembly/random; here seeds become keys, items and streams.
import * as check from "../check.ts";
import { borrow } from "../wasm/arena.ts";
import { type WasmExports, wasm } from "../wasm/module.ts";

export const generators = ["philox", "torch"] as const;
export type Generator = (typeof generators)[number];

export type Seed = number | bigint;

/** A source of the random tensors of one run. Number 0 is the initial noise; a torch stream must be drawn in order. */
export interface NoiseSource {
  draw(index: number): Float32Array;
}

/**
 * Returns standard normals of a shape.
 *
 * `"philox"` (default): Philox4x32-10 with the seed as key and counter (block, item, draw, 0); draw 0. Item i of a single seed is
 * item i of its stream; item i of a list is item 0 of the stream of seed i, so it equals `gaussianNoise(seed_i, [1, …])`.
 * `"torch"`: the numbers of `torch.manual_seed(seed); torch.randn(shape)` on the CPU, bit for bit; a list is drawn item by item.
 *
 * @param seed one integer from 0 to 2^53 − 1, or one for each batch item; "torch" also takes negative numbers and bigint, of which
 *   the low 32 bits count
 * @param shape `[batch, ...dims]`
 * @throws TypeError, RangeError.
 */
export function gaussianNoise(
  seed: Seed | readonly Seed[],
  shape: readonly number[],
  generator: Generator = "philox",
): Float32Array {
  const dims = check.shape("shape", shape);
  const kind = check.oneOf("generator", generator, generators);
  return noiseSource(checkSeeds(seed, dims[0] as number, kind), dims, kind).draw(0);
}

/** Returns a seed, or a list with one seed for each of `batch` items, after checking it. */
export function checkSeeds(seed: unknown, batch: number, generator: Generator): Seed | readonly Seed[] {
  if (!Array.isArray(seed)) return checkSeed("seed", seed, generator);
  if (seed.length !== batch) {
    throw new RangeError(
      `"seed": expected one seed, or a list with one for each of ${batch} items, got ${seed.length}`,
    );
  }
  return seed.map((s, i) => checkSeed(`seed[${i}]`, s, generator));
}

function checkSeed(name: string, seed: unknown, generator: Generator): Seed {
  if (generator === "torch") {
    if (typeof seed === "bigint") return seed;
    return check.number(name, seed, "an integer of at most 53 bits", Number.isSafeInteger);
  }
  if (typeof seed === "bigint") check.wrongType(name, "a number", seed, 'bigint seeds are for generator "torch"');
  return check.number(name, seed, "an integer from 0 to 2^53 − 1", (v) => Number.isSafeInteger(v) && v >= 0);
}

/** Returns the source of a run's random tensors from checked seeds. */
export function noiseSource(seed: Seed | readonly Seed[], shape: readonly number[], generator: Generator): NoiseSource {
  const length = shape.reduce((product, n) => product * n, 1);
  const batch = shape[0] as number;
  const itemLength = length / batch;
  return generator === "philox" ? philoxSource(seed, batch, itemLength) : torchSource(seed, batch, itemLength);
}

function philoxSource(seed: Seed | readonly Seed[], batch: number, itemLength: number): NoiseSource {
  return {
    draw: (index) =>
      filled(batch * itemLength, 0, ({ philoxNormal }, out) => {
        for (let i = 0; i < batch; i++) {
          const key = Number(Array.isArray(seed) ? seed[i] : seed);
          const item = Array.isArray(seed) ? 0 : i;
          philoxNormal(out + 4 * i * itemLength, itemLength, key % 2 ** 32, Math.floor(key / 2 ** 32), item, index);
        }
      }),
  };
}

function torchSource(seed: Seed | readonly Seed[], batch: number, itemLength: number): NoiseSource {
  const seeds = Array.isArray(seed) ? seed : [seed as Seed];
  const length = Array.isArray(seed) ? itemLength : batch * itemLength;
  // Generator states between draws, one for each seed; a run holds no instance while it waits for the model.
  let states: Uint8Array | undefined;
  return {
    draw: () => {
      let after = states;
      const noise = filled(batch * itemLength, seeds.length, (exports, out, state, stateBytes) => {
        const memory = new Uint8Array(exports.memory.buffer, state, seeds.length * stateBytes);
        if (states !== undefined) memory.set(states);
        for (const [i, s] of seeds.entries()) {
          const at = state + i * stateBytes;
          if (states === undefined) exports.mtSeed(at, Number(BigInt.asUintN(32, BigInt(s))));
          exports.torchNormal(at, out + 4 * i * length, length);
        }
        after = memory.slice();
      });
      states = after;
      return noise;
    },
  };
}

/** Returns `length` floats that `fill` has written at `out`, in a borrowed instance with room for generator states. */
function filled(
  length: number,
  states: number,
  fill: (exports: WasmExports, out: number, state: number, stateBytes: number) => void,
): Float32Array {
  const stateBytes = wasm().MT_STATE_BYTES.value as number;
  const arena = borrow(states * stateBytes + 4 * length);
  try {
    const { exports, base } = arena;
    const out = base + states * stateBytes;
    fill(exports, out, base, stateBytes);
    return new Float32Array(exports.memory.buffer, out, length).slice();
  } finally {
    arena.release();
  }
}
