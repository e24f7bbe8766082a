// Same plan, same seed, same denoiser: the same bits, whatever else runs, in whatever order, in whatever batch.
import { describe, expect, it } from "vitest";
import {
  type Denoiser,
  type DenoiserInput,
  planFromJSON,
  type SampleOptions,
  type StepEvent,
  sample,
  sampleSteps,
} from "../../src/index.ts";
import { bits, dims, expectBits, mixture, plans } from "../support/runs.ts";

type Labels = readonly number[];
const network = mixture("epsilon");

/** Some microtasks, at times a macrotask. */
async function delay(): Promise<void> {
  if (Math.random() < 0.05) await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
  for (let n = Math.floor(Math.random() * 12); n > 0; n--) await undefined;
}

/** The mixture behind delays before and after its work. */
const slow: Denoiser<Labels> = {
  prediction: "epsilon",
  async predict(input) {
    await delay();
    const output = await network.predict(input);
    await delay();
    return output;
  },
};

/** The options of request i: all plans, seeds of both kinds and generators, with and without guidance. */
function request(i: number): Omit<SampleOptions<Labels>, "denoiser"> {
  const [, plan] = plans[i % plans.length] as (typeof plans)[number];
  const batch = 1 + (i % 3);
  const labels = Array<number>(batch).fill(i % 3);
  return {
    plan,
    shape: [batch, dims],
    seed: i % 2 === 0 ? i : Array.from({ length: batch }, (_, k) => 10 * i + k),
    generator: i % 7 === 6 ? "torch" : "philox",
    condition: labels,
    ...(i % 4 === 3 ? { guidanceScale: 2.5, unconditional: labels.map(() => -1) } : {}),
  };
}

describe("64 runs at once", () => {
  it("have the bits of 64 runs one after the other", async () => {
    const alone: Float32Array[] = [];
    for (let i = 0; i < 64; i++) alone.push((await sample({ ...request(i), denoiser: network })).data);
    expect(new Set(alone.map((data) => data.join())).size).toBe(64);
    for (let round = 0; round < 3; round++) {
      const together = await Promise.all(
        alone.map(async (_, i) => {
          await delay();
          if (i % 3 !== 0) return sample({ ...request(i), denoiser: slow });
          const steps = sampleSteps({ ...request(i), denoiser: slow });
          for (;;) {
            const { done, value } = await steps.next();
            if (done) return value;
            await delay();
          }
        }),
      );
      for (const [i, { data }] of together.entries()) expectBits(data, alone[i] as Float32Array);
    }
  });

  it("of one plan and seed are all alike, their events too", async () => {
    const run = async (denoiser: Denoiser<Labels>) => {
      const events: StepEvent[] = [];
      const { data } = await sample({ ...request(15), denoiser, onStep: (e) => void events.push(e) });
      return { data, events };
    };
    const expected = await run(network);
    for (const actual of await Promise.all(Array.from({ length: 64 }, () => run(slow)))) {
      expect(actual).toEqual(expected);
    }
  });

  it("may share a network that answers at once, always in the same buffer", async () => {
    const buffers = new Map<number, Float32Array>();
    const frugal: Denoiser<Labels> = {
      prediction: "epsilon",
      predict(input) {
        const output = network.predict(input) as Float32Array;
        const buffer = buffers.get(output.length) ?? output.slice();
        buffers.set(output.length, buffer);
        buffer.set(output);
        return buffer;
      },
    };
    const all = Array.from({ length: 64 }, (_, i) => i);
    const together = await Promise.all(all.map((i) => sample({ ...request(i), denoiser: frugal })));
    for (const i of all) {
      const { data } = await sample({ ...request(i), denoiser: network });
      expectBits((together[i] as (typeof together)[number]).data, data);
    }
  });
});

describe("what a network promises", () => {
  const other = (input: DenoiserInput<Labels> & { unconditional?: Labels }) =>
    network.predict({ ...input, condition: input.unconditional }) as Float32Array;
  /** Keeps the promise of `value`, and uses its buffers for something else at the second turn after. */
  function kept<T>(value: T, buffers: Float32Array[]): Promise<T> {
    const promise = Promise.resolve(value);
    promise.then(() => undefined).then(() => buffers.map((buffer) => buffer.fill(Number.NaN)));
    return promise;
  }
  const single: Denoiser<Labels> = {
    prediction: "epsilon",
    predict(input) {
      const output = network.predict(input) as Float32Array;
      return kept(output, [output]);
    },
  };
  const paired: Denoiser<Labels> = {
    ...single,
    predictGuided(input) {
      const pair = { conditional: network.predict(input) as Float32Array, unconditional: other(input) };
      return kept(pair, Object.values(pair));
    },
  };

  it.each([
    ["an output", 1, single],
    ["two outputs", 3, single],
    ["a pair", 3, paired],
  ] as const)("%s is copied as soon as it is there", async (_, i, denoiser) => {
    const { data } = await sample({ ...request(i), denoiser });
    expectBits(data, (await sample({ ...request(i), denoiser: network })).data);
  });
});

describe.each(plans)("a sample of %s", (_, plan) => {
  const seeds = [11, 2 ** 45, 0, 7];
  const condition = [0, 1, 2, -1];

  it.each(["philox", "torch"] as const)(
    "with %s does not depend on the seeds and labels beside it",
    async (generator) => {
      const batch = await sample({ plan, denoiser: network, shape: [4, dims], seed: seeds, generator, condition });
      for (const [i, seed] of seeds.entries()) {
        const labels = [condition[i] as number];
        const options = { plan, denoiser: network, shape: [1, dims], generator, condition: labels };
        const alone = await sample({ ...options, seed: [seed] });
        expectBits(batch.data.subarray(i * dims, (i + 1) * dims), alone.data);
        expectBits((await sample({ ...options, seed })).data, alone.data);
      }
      const reversed = [3, 2, 1, 0];
      const other = await sample({
        plan,
        denoiser: network,
        shape: [4, dims],
        seed: reversed.map((i) => seeds[i] as number),
        generator,
        condition: reversed.map((i) => condition[i] as number),
      });
      for (const i of reversed) {
        const j = 3 - i;
        expectBits(other.data.subarray(j * dims, (j + 1) * dims), batch.data.subarray(i * dims, (i + 1) * dims));
      }
    },
  );

  it("of one seed has in each item what a smaller batch has there", async () => {
    const [five, two] = await Promise.all(
      [5, 2].map((batch) => sample({ plan, denoiser: network, shape: [batch, dims], seed: 4 })),
    );
    expectBits((five as { data: Float32Array }).data.subarray(0, 2 * dims), (two as { data: Float32Array }).data);
  });

  it("has the bits of the plan's JSON", async () => {
    const options = { denoiser: network, shape: [2, dims], seed: 3 };
    const loaded = planFromJSON(JSON.stringify(plan));
    const [one, two] = await Promise.all([plan, loaded].map((plan) => sample({ plan, ...options })));
    expect(bits((two as { data: Float32Array }).data)).toEqual(bits((one as { data: Float32Array }).data));
  });
});
