// Values of PyTorch 2.15 on the CPU (x86, AVX-512), written by torch.randn and by diffusers' randn_tensor.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { instantiate } from "../../src/wasm/module.ts";

interface Draw {
  shape: number[];
  values: number[];
}
type Seed = number | string;
interface Reference {
  randn: (Draw & { seed: Seed; dtype: string })[];
  sequences: { seed: Seed; dtype: string | string[]; draws: Draw[] }[];
  randnTensor: (Draw & { seeds: Seed | Seed[]; dtype: string; secondCall: number[] | null })[];
}
const url = new URL("../fixtures/torch-generator.json", import.meta.url);
const reference: Reference = JSON.parse(readFileSync(url, "utf8"));

const wasm = instantiate();
wasm.memory.grow(1);
const stateBytes: number = wasm.MT_STATE_BYTES.value;
const base = (wasm.heapBase() + 7) & ~7;
const out = base + 4 * stateBytes;

function generator(seed: Seed, slot = 0) {
  const state = base + slot * stateBytes;
  wasm.mtSeed(state, Number(BigInt.asUintN(32, BigInt(seed))));
  return (n: number) => {
    wasm.torchNormal(state, out, n);
    return Array.from(new Float32Array(wasm.memory.buffer, out, n));
  };
}

// The file holds the shortest decimals that round to the float32 values.
function expectBits(actual: number[], values: number[]) {
  expect(actual.length).toBe(values.length);
  const wrong = actual.flatMap((x, i) => (Object.is(x, Math.fround(values[i] as number)) ? [] : [[i, x, values[i]]]));
  expect(wrong).toEqual([]);
}

function named<T extends { dtype: string | string[] }>(cases: T[], title: (c: T) => string): [string, T][] {
  return cases.filter((c) => c.dtype === "float32").map((c) => [title(c), c]);
}
const randn = named(reference.randn, (c) => `seed ${c.seed}, shape ${c.shape.join("×")}`);
const sequences = named(reference.sequences, (c) => `seed ${c.seed}, counts ${c.draws.map((d) => d.values.length)}`);
const tensors = named(reference.randnTensor, (c) => `seeds ${c.seeds}, shape ${c.shape.join("×")}`);

describe("torchNormal has the bits of PyTorch", () => {
  test("every float32 case of the reference is run", () => {
    // The others are float16, float64, bfloat16, or mix float32 and float64 in one stream: test/diffusers/random.test.ts.
    expect([randn.length, reference.randn.length]).toEqual([43, 89]);
    expect([sequences.length, reference.sequences.length]).toEqual([5, 7]);
    expect([tensors.length, reference.randnTensor.length]).toEqual([5, 7]);
  });

  test.each(randn)("in a fresh generator: %s", (_, { seed, values }) => {
    expectBits(generator(seed)(values.length), values);
  });

  test.each(sequences)("in consecutive draws: %s", (_, { seed, draws }) => {
    const draw = generator(seed);
    for (const { values } of draws) expectBits(draw(values.length), values);
  });

  test.each(tensors)("in a batch, a generator an item: %s", (_, { seeds, shape, values, secondCall }) => {
    const count = shape.reduce((a, b) => a * b);
    // One generator, listed or not, draws the whole batch at once.
    const draws = [seeds].flat().map((seed, slot) => generator(seed, slot));
    const call = () => draws.flatMap((draw) => draw(count / draws.length));
    expectBits(call(), values);
    if (secondCall !== null) expectBits(call(), secondCall);
  });
});
