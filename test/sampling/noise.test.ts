// Where a run's random numbers come from.
import { describe, expect, it } from "vitest";
import { createPlan, edm, gaussianNoise, type SampleOptions, sample } from "../../src/index.ts";
import { instantiate } from "../../src/wasm/module.ts";
import { dims, expectBits, mixture, schedule } from "../support/runs.ts";

const wasm = instantiate();

/** The Philox generator itself: `length` normals with the seed as key, of one item and draw. */
function philox(seed: number, item: number, draw: number, length: number): Float32Array {
  const out = (wasm.heapBase() + 15) & ~15;
  wasm.philoxNormal(out, length, seed % 2 ** 32, Math.floor(seed / 2 ** 32), item, draw);
  return new Float32Array(wasm.memory.buffer, out, length).slice();
}

const join = (parts: readonly Float32Array[]) => Float32Array.from(parts.flatMap((part) => Array.from(part)));
const item = (noise: Float32Array, i: number, count: number) =>
  noise.subarray((i * noise.length) / count, ((i + 1) * noise.length) / count);

describe("gaussianNoise with philox", () => {
  it.each([0, 1, 42, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1])(
    "of seed %s has the seed for key and the index for item",
    (seed) => {
      const noise = gaussianNoise(seed, [3, 5, 7]);
      expect(noise).toHaveLength(105);
      expectBits(noise, join([0, 1, 2].map((i) => philox(seed, i, 0, 35))));
    },
  );

  it("tells seeds apart that differ in their high or low half", () => {
    const seeds = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 52];
    const first = seeds.map((seed) => gaussianNoise(seed, [1, 8]).join());
    expect(new Set(first).size).toBe(seeds.length);
  });

  it("of a list has in item i the noise of seed i alone", () => {
    const seeds = [9, 2 ** 40, 0, 9];
    const noise = gaussianNoise(seeds, [4, 3, 5]);
    for (const [i, seed] of seeds.entries()) expectBits(item(noise, i, 4), gaussianNoise(seed, [1, 3, 5]));
    expectBits(item(noise, 0, 4), item(noise, 3, 4));
  });

  it("of a list of one is that of the seed", () => {
    expectBits(gaussianNoise([4], [1, 6]), gaussianNoise(4, [1, 6]));
  });

  it("gives an item the same numbers whatever the batch, and different ones to each", () => {
    const noise = gaussianNoise(4, [5, 9]);
    expectBits(gaussianNoise(4, [2, 9]), noise.subarray(0, 18));
    expect(new Set([0, 1, 2, 3, 4].map((i) => item(noise, i, 5).join())).size).toBe(5);
  });

  it("depends on the shape through the length of an item alone", () => {
    expectBits(gaussianNoise(4, [2, 3, 4]), gaussianNoise(4, [2, 12]));
    expect(gaussianNoise(4, [2])).toHaveLength(2);
  });
});

describe("gaussianNoise with torch", () => {
  it("fills the whole shape from one stream", () => {
    expectBits(gaussianNoise(3, [2, 16], "torch"), gaussianNoise(3, [1, 32], "torch"));
    expect(item(gaussianNoise(3, [2, 16], "torch"), 1, 2)).not.toEqual(gaussianNoise(3, [1, 16], "torch"));
  });

  it.each([5, 16, 17])("of a list has in item i the noise of seed i alone, with items of %s", (length) => {
    const seeds = [9, -1, 9];
    const noise = gaussianNoise(seeds, [3, length], "torch");
    for (const [i, seed] of seeds.entries()) expectBits(item(noise, i, 3), gaussianNoise(seed, [1, length], "torch"));
  });

  it("is other noise than philox's", () => {
    expect(gaussianNoise(3, [1, 16], "torch")).not.toEqual(gaussianNoise(3, [1, 16]));
  });

  it("takes of a seed the low 32 bits", () => {
    expectBits(gaussianNoise(2 ** 32 + 3, [1, 16], "torch"), gaussianNoise(3, [1, 16], "torch"));
    expectBits(gaussianNoise(-1n, [1, 16], "torch"), gaussianNoise(2 ** 32 - 1, [1, 16], "torch"));
  });
});

describe("the draws of a run", () => {
  const plan = createPlan({ schedule, steps: 5, solver: "ddim", eta: 1 });
  const shape = [2, 16];
  const network = { ...mixture("epsilon"), predict: ({ x }: { x: Float32Array }) => x.map(Math.sin) };
  const run = (options: Partial<SampleOptions<never>>) => sample<never>({ plan, denoiser: network, shape, ...options });
  /** The run with noise that is handed in: draw d is `draws(d)`. */
  const handed = (draws: (d: number) => Float32Array) => run({ noise: draws(0), stepNoise: draws });

  it("are asked of stepNoise once each, in order, from 1 on", async () => {
    const asked: number[] = [];
    await run({
      seed: 0,
      stepNoise(d) {
        asked.push(d);
        return new Float32Array(32);
      },
    });
    expect(plan.draws).toBeGreaterThan(0);
    expect(asked).toEqual(Array.from({ length: plan.draws }, (_, d) => d + 1));
  });

  it("of a seed are philox's draws 0, 1, 2, … of each item", async () => {
    const expected = await handed((d) => join([philox(8, 0, d, 16), philox(8, 1, d, 16)]));
    expectBits((await run({ seed: 8 })).data, expected.data);
  });

  it("of a list are those of each seed's item 0", async () => {
    const expected = await handed((d) => join([philox(8, 0, d, 16), philox(3, 0, d, 16)]));
    expectBits((await run({ seed: [8, 3] })).data, expected.data);
  });

  it("keep their number where the initial noise is handed in", async () => {
    const noise = gaussianNoise(99, shape);
    const draws = (d: number) => join([philox(8, 0, d, 16), philox(8, 1, d, 16)]);
    const expected = await run({ noise, stepNoise: draws });
    expectBits((await run({ noise, seed: 8 })).data, expected.data);
    expectBits((await run({ initial: noise, seed: 8 })).data, expected.data);
  });

  it("of torch go on in the stream of the initial noise", async () => {
    // Draws of a multiple of 16 numbers use whole blocks of the generator, so they are pieces of one long draw.
    const long = gaussianNoise(8, [plan.draws + 1, 32], "torch");
    const expected = await handed((d) => long.slice(32 * d, 32 * (d + 1)));
    expectBits((await run({ seed: 8, generator: "torch" })).data, expected.data);
  });

  it("of torch and a list go on in the stream of each seed", async () => {
    const long = [8, -3].map((seed) => gaussianNoise(seed, [plan.draws + 1, 16], "torch"));
    const expected = await handed((d) => join(long.map((stream) => stream.slice(16 * d, 16 * (d + 1)))));
    expectBits((await run({ seed: [8, -3], generator: "torch" })).data, expected.data);
  });

  it("begin the stream of torch where the initial noise is handed in", async () => {
    const noise = gaussianNoise(99, shape);
    const long = gaussianNoise(8, [plan.draws, 32], "torch");
    const expected = await run({ noise, stepNoise: (d) => long.slice(32 * (d - 1), 32 * d) });
    expectBits((await run({ noise, seed: 8, generator: "torch" })).data, expected.data);
  });

  it("are the caller's arrays to reuse", async () => {
    const buffer = new Float32Array(32);
    const draws = (d: number) => gaussianNoise(d, shape);
    const expected = await run({ noise: draws(0), stepNoise: draws });
    const reused = await run({
      noise: draws(0),
      stepNoise(d) {
        buffer.set(draws(d));
        return buffer;
      },
    });
    expectBits(reused.data, expected.data);
  });
});

it("a plan without draws takes a seed for the initial noise, and asks stepNoise for nothing", async () => {
  const plan = createPlan({ schedule: edm(), steps: 3 });
  const never = () => expect.fail("it was asked");
  const network = { prediction: "sample" as const, predict: ({ x }: { x: Float32Array }) => x.map(Math.sin) };
  const one = await sample({ plan, denoiser: network, shape: [1, dims], seed: 5, stepNoise: never });
  const two = await sample({ plan, denoiser: network, shape: [1, dims], noise: gaussianNoise(5, [1, dims]) });
  expectBits(one.data, two.data);
});
