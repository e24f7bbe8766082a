import { afterEach, describe, expect, it, vi } from "vitest";
import { createPlan, mixtureDenoiser, NonFiniteError, sample, startSampling, vpLinear } from "../../src/index.ts";
import { borrow } from "../../src/wasm/arena.ts";

const { Instance, Memory } = WebAssembly;

/** Counts the bytes that new instances and growing memories take from here on. */
function countBytes(): { readonly bytes: number; readonly instances: number } {
  const taken = { bytes: 0, instances: 0 };
  const grow = Memory.prototype.grow;
  vi.spyOn(Memory.prototype, "grow").mockImplementation(function (this: WebAssembly.Memory, pages: number) {
    taken.bytes += pages * 65536;
    return grow.call(this, pages);
  });
  WebAssembly.Instance = new Proxy(Instance, {
    construct(target, [module, imports]) {
      const instance = new target(module, imports);
      taken.instances++;
      taken.bytes += (instance.exports.memory as WebAssembly.Memory).buffer.byteLength;
      return instance;
    },
  });
  return taken;
}

afterEach(() => {
  vi.restoreAllMocks();
  WebAssembly.Instance = Instance;
});

describe("an instance", () => {
  it("holds what was asked for behind an aligned base", () => {
    for (const bytes of [0, 1, 65535, 65536, 65537, 1_000_000, 70_000_000]) {
      const arena = borrow(bytes);
      expect(arena.base % 16).toBe(0);
      expect(arena.exports.memory.buffer.byteLength).toBeGreaterThanOrEqual(arena.base + bytes);
      arena.release();
    }
  });

  it("comes back to the next one who asks for its size, and to nobody before it is given back", () => {
    const first = borrow(300_000);
    const second = borrow(300_000);
    expect(second.exports).not.toBe(first.exports);
    first.release();
    const third = borrow(300_000);
    expect(third.exports).toBe(first.exports);
    second.release();
    third.release();
  });

  it("is given back once: who releases twice does not hand it to two", () => {
    const first = borrow(200_000);
    first.release();
    first.release();
    const [a, b] = [borrow(200_000), borrow(200_000)];
    expect(a.exports).not.toBe(b.exports);
    a.release();
    b.release();
  });

  it("leaves no view of its memory alive", () => {
    const arena = borrow(100_000);
    const view = new Float32Array(arena.exports.memory.buffer, arena.base, 16);
    expect(view.length).toBe(16);
    arena.release();
    expect(view.length).toBe(0);
  });

  it("of a size that no memory has is refused in words, and what is asked for next is there", () => {
    expect(() => borrow(2 ** 33)).toThrow(/^this run needs 8192 MiB of WebAssembly memory, which are not to be had$/);
    borrow(1000).release();
  });
});

it("a run whose slots take 2 GiB each is refused in words", async () => {
  const plan = createPlan({ schedule: vpLinear(), steps: 2 });
  const denoiser = { prediction: "epsilon" as const, predict: () => new Float32Array(0) };
  await expect(sample({ plan, denoiser, shape: [2 ** 15, 2 ** 14], seed: 0 })).rejects.toThrow(
    /^this run needs \d{4,5} MiB of WebAssembly memory, which are not to be had$/,
  );
});

describe("memory", () => {
  const schedule = vpLinear();
  const plan = createPlan({ schedule, steps: 3 });
  const denoiser = mixtureDenoiser({ schedule, means: [[0.5]], std: [0.3], weights: [1] });
  const run = (seed: number) => sample({ plan, denoiser, shape: [1, 1], seed });

  it("of 10,000 runs one after the other is that of the first", async () => {
    await run(0);
    const taken = countBytes();
    for (let seed = 1; seed <= 10_000; seed++) await run(seed);
    expect(taken).toEqual({ bytes: 0, instances: 0 });
  });

  it("of runs at the same time is one instance each, which serve the next ones", async () => {
    const taken = countBytes();
    await Promise.all(Array.from({ length: 8 }, (_, i) => run(i)));
    expect(taken.instances).toBeLessThanOrEqual(7);
    const before = taken.instances;
    for (let repeat = 0; repeat < 100; repeat++) await Promise.all(Array.from({ length: 8 }, (_, i) => run(i)));
    expect(taken.instances).toBe(before);
  });

  it("does not grow while a run is under way, whatever its size", async () => {
    const length = 300_000;
    const means = [new Array<number>(length).fill(0.5)];
    const large = mixtureDenoiser({ schedule, means, std: [0.3], weights: [1] });
    const taken = countBytes();
    const seen: number[] = [];
    const watched = {
      prediction: large.prediction,
      predict: (input: Parameters<typeof large.predict>[0]) => {
        seen.push(taken.bytes);
        return large.predict(input);
      },
    };
    await sample({ plan, denoiser: watched, shape: [1, length], noise: new Float32Array(length).fill(0.1) });
    expect(seen).toHaveLength(3);
    expect(new Set(seen).size).toBe(1);
    expect(taken.bytes).toBe(seen[0]);
    expect(taken.bytes).toBeGreaterThan(4 * length);
  });

  it("comes back from runs that fail, are aborted or are disposed of", async () => {
    await run(0);
    const taken = countBytes();
    const broken = { prediction: "epsilon" as const, predict: () => Float32Array.of(Number.NaN) };
    const throwing = {
      prediction: "epsilon" as const,
      predict: () => {
        throw new Error("no network");
      },
    };
    for (let repeat = 0; repeat < 200; repeat++) {
      await expect(sample({ plan, denoiser: broken, shape: [1, 1], seed: 1 })).rejects.toThrow(NonFiniteError);
      await expect(sample({ plan, denoiser: throwing, shape: [1, 1], seed: 1 })).rejects.toThrow("no network");
      const controller = new AbortController();
      const aborting = {
        prediction: "epsilon" as const,
        predict: () => {
          controller.abort();
          return new Float32Array(1);
        },
      };
      const aborted = sample({ plan, denoiser: aborting, shape: [1, 1], seed: 1, signal: controller.signal });
      await expect(aborted).rejects.toThrow("abort");
      startSampling({ plan, prediction: "epsilon", shape: [1, 1], seed: 1 }).dispose();
      const wrong = Float32Array.of(Number.NaN);
      await expect(sample({ plan, denoiser, shape: [1, 1], noise: wrong })).rejects.toThrow(RangeError);
    }
    expect(taken).toEqual({ bytes: 0, instances: 0 });
  });
});
