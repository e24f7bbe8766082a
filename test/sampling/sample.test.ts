// What a run tells, what it leaves alone, and what it may be given.
import { describe, expect, it } from "vitest";
import {
  createPlan,
  type Denoiser,
  type DenoiserInput,
  edm,
  edmPreconditioning,
  flow,
  gaussianNoise,
  type NoiseSchedule,
  type Plan,
  type StepEvent,
  sample,
  sampleSteps,
} from "../../src/index.ts";
import { dims, expectBits, expectClose, isCorrected, mixture, plans, recorder, schedule } from "../support/runs.ts";
import { planOptions, settings, spaces } from "../support/solvers.ts";

const shape = [2, dims];
const noise = gaussianNoise(7, shape);
const seeded = (plan: Plan) =>
  plan.draws > 0 ? { noise, stepNoise: (d: number) => gaussianNoise(d, shape) } : { noise };

async function watched(plan: Plan, denoiser: Denoiser) {
  const events: StepEvent[] = [];
  const result = await sample({ plan, denoiser, shape, ...seeded(plan), onStep: (e) => void events.push(e) });
  return { events, ...result };
}

describe.each(plans)("the events of %s", (_, plan) => {
  it("come once a step, with the time of the state and the calls so far", async () => {
    const { events, data, nfe } = await watched(plan, recorder());
    const steps = plan.steps.length;
    expect(events.map((e) => [e.step, e.steps, e.t, e.nfe])).toEqual(
      Array.from({ length: steps }, (_, k) => [k, steps, plan.grid[k + 1], isCorrected(plan, k) ? k + 2 : k + 1]),
    );
    expect(nfe).toBe(steps);
    expectBits((events.at(-1) as StepEvent).x, data);
  });

  it("hold the state that the next call sees, unless a corrector comes between", async () => {
    const network = recorder();
    const { events } = await watched(plan, network);
    expect(network.calls.map((c) => c.t)).toEqual(Array.from(plan.grid.subarray(0, -1)));
    for (const [k, { x }] of events.slice(0, -1).entries()) {
      const next = network.calls[k + 1]?.x as Float32Array;
      if (isCorrected(plan, k)) expect(next).not.toEqual(x);
      else expectBits(x, next);
    }
  });

  it("hold the x₀ of the newest output: thresholded, before compensation", async () => {
    const network = recorder();
    const { events } = await watched(plan, network);
    const { thresholding, predict } = plan.options;
    for (const { nfe, denoised } of events) {
      const { output } = network.calls[nfe - 1] as (typeof network.calls)[number];
      const expected = thresholding === undefined ? output : threshold(output, thresholding);
      if (thresholding === undefined && predict === "sample") expectBits(denoised, expected);
      // Through ε and back: a rounding of x over the smallest alpha, 1/150, three times; and a rounding of the quantile.
      else expectClose(denoised, expected, 2e-4);
    }
  });

  it("cost no bit, and are those that sampleSteps yields", async () => {
    const { events, data } = await watched(plan, recorder());
    const unobserved = await sample({ plan, denoiser: recorder(), shape, ...seeded(plan) });
    expectBits(unobserved.data, data);
    const steps = sampleSteps({ plan, denoiser: recorder(), shape, ...seeded(plan) });
    for (const event of events) expect(await steps.next()).toEqual({ done: false, value: event });
    expect(await steps.next()).toEqual({
      done: true,
      value: { data, shape, nfe: unobserved.nfe, passes: unobserved.passes },
    });
  });

  it("are the keeper's: writing to them changes nothing, and nothing changes them", async () => {
    const { events, data } = await watched(plan, recorder());
    const kept: StepEvent[] = [];
    const spoilt = await sample({
      plan,
      denoiser: recorder(),
      shape,
      ...seeded(plan),
      onStep(event) {
        kept.push({ ...event, x: event.x.slice(), denoised: event.denoised.slice() });
        event.x.fill(Number.NaN);
        event.denoised.fill(Number.NaN);
      },
    });
    expectBits(spoilt.data, data);
    expect(kept).toEqual(events);
  });
});

/** Dynamic thresholding of each item, after Imagen, section 2.3. */
function threshold(x: Float32Array, { ratio = 1, maxValue = 1 }: { ratio?: number; maxValue?: number }): Float32Array {
  const out = x.slice();
  for (let item = 0; item < x.length / dims; item++) {
    const magnitudes = Array.from(x.subarray(item * dims, (item + 1) * dims), Math.abs).sort((a, b) => a - b);
    const place = ratio * (dims - 1);
    const [a, b] = [magnitudes[Math.floor(place)], magnitudes[Math.ceil(place)]] as [number, number];
    const s = Math.max(a + (place - Math.floor(place)) * (b - a), maxValue);
    for (let i = item * dims; i < (item + 1) * dims; i++)
      out[i] = (Math.min(Math.max(x[i] as number, -s), s) * maxValue) / s;
  }
  return out;
}

it("watching costs no bit in any setting of any solver, in any space, with compensation and thresholding", async () => {
  for (const setting of settings) {
    for (const predict of spaces) {
      for (const extra of [{}, { ratios: [1, 1, 0.9, 1.1, 1.2] }, { thresholding: { ratio: 0.9 } }]) {
        if ("ratios" in extra && !setting.solver.multistep) continue;
        const plan = createPlan(planOptions(setting, { schedule, steps: 5, predict, ...extra }));
        const { data, events } = await watched(plan, recorder());
        const unobserved = await sample({ plan, denoiser: recorder(), shape, ...seeded(plan) });
        expectBits(unobserved.data, data);
        expectBits((events.at(-1) as StepEvent).x, data);
      }
    }
  }
});

it("a solver in noise prediction tells the x₀ that it has in data prediction, to rounding", async () => {
  for (const extra of [{}, { thresholding: { ratio: 0.8, maxValue: 1.5 } }]) {
    // The DDIM step is the same in both spaces.
    const [inData, inNoise] = await Promise.all(
      spaces.map((predict) =>
        watched(createPlan({ schedule, steps: 8, solver: "ddim", predict, ...extra }), mixture("epsilon")),
      ),
    );
    expect(inData?.events).toHaveLength(8);
    for (const [k, { denoised }] of (inData?.events ?? []).entries()) {
      expectClose(denoised, inNoise?.events[k]?.denoised as Float32Array, 1e-3);
    }
  }
});

describe("the network", () => {
  const plan = createPlan({ schedule, steps: 6, order: 3 });
  const network = mixture("epsilon");
  const usual = () => sample({ plan, denoiser: network, shape, noise, condition: [1, 2] });

  it("is told the time, its own time, the shape and the condition, and the signal only where there is one", async () => {
    const condition = { some: "prompt" };
    const { signal } = new AbortController();
    for (const extra of [{}, { signal }]) {
      const inputs: DenoiserInput<unknown>[] = [];
      const predict = (input: DenoiserInput<unknown>) => {
        inputs.push(input);
        return input.x;
      };
      await sample({ plan, denoiser: { prediction: "epsilon", predict }, shape, noise, condition, ...extra });
      expect(inputs.map(({ t, modelTime }) => [t, modelTime])).toEqual(
        Array.from(plan.grid.subarray(0, -1), (t) => [t, schedule.modelTime(t)]),
      );
      for (const input of inputs) {
        expect(input).toEqual({ ...input, shape, ...extra });
        expect(input.condition).toBe(condition);
        expect("signal" in input).toBe("signal" in extra);
        expect(input.signal).toBe("signal" in extra ? signal : undefined);
      }
    }
  });

  it("may write to its x", async () => {
    const spoiling: Denoiser<readonly number[]> = {
      prediction: "epsilon",
      async predict(input) {
        const output = await network.predict(input);
        input.x.fill(Number.NaN);
        return output;
      },
    };
    const { data } = await sample({ plan, denoiser: spoiling, shape, noise, condition: [1, 2] });
    expectBits(data, (await usual()).data);
  });

  it("may answer in its x", async () => {
    const inPlace: Denoiser<readonly number[]> = {
      prediction: "epsilon",
      async predict(input) {
        input.x.set(await network.predict({ ...input, x: input.x.slice() }));
        return input.x;
      },
    };
    const { data } = await sample({ plan, denoiser: inPlace, shape, noise, condition: [1, 2] });
    expectBits(data, (await usual()).data);
  });

  it.each([false, true])("may use one buffer for all its answers, guided too (with a promise: %s)", async (promise) => {
    const buffer = new Float32Array(2 * dims);
    const frugal: Denoiser<readonly number[]> = {
      prediction: "epsilon",
      predict(input) {
        buffer.set(network.predict(input) as Float32Array);
        return promise ? Promise.resolve(buffer) : buffer;
      },
    };
    const guidance = { condition: [1, 2], unconditional: [-1, -1], guidanceScale: 3 };
    for (const options of [{ condition: [1, 2] }, guidance]) {
      const { data } = await sample({ plan, denoiser: frugal, shape, noise, ...options });
      expectBits(data, (await sample({ plan, denoiser: network, shape, noise, ...options })).data);
    }
  });

  it("leaves the noise it began with alone, and its shape is a copy", async () => {
    const [mine, size] = [noise.slice(), shape.slice()];
    const run = await sample({ plan, denoiser: network, shape: size, noise: mine });
    expectBits(mine, noise);
    expect(run.shape).toEqual(shape);
    size[0] = 99;
    expect(run.shape).toEqual(shape);
  });
});

describe("guidance", () => {
  const plan = createPlan({ schedule, steps: 5 });
  const network = mixture("epsilon");
  const [condition, unconditional] = [
    [0, 2],
    [-1, -1],
  ];
  const run = (denoiser: Denoiser<readonly number[]>, guidanceScale: number) =>
    sample({ plan, denoiser, shape, noise, condition, unconditional, guidanceScale });

  /** The mixture with a count of its calls. */
  function counted() {
    const asked: ("conditional" | "unconditional" | "pair")[] = [];
    const predict: typeof network.predict = (input) => {
      asked.push(input.condition === condition ? "conditional" : "unconditional");
      return network.predict(input);
    };
    const predictGuided: NonNullable<typeof network.predictGuided> = async ({ unconditional, ...input }) => {
      asked.push("pair");
      return {
        conditional: await network.predict(input),
        unconditional: await network.predict({ ...input, x: input.x.slice(), condition: unconditional }),
      };
    };
    return {
      asked,
      single: { prediction: "epsilon", predict } as const,
      paired: { prediction: "epsilon", predict, predictGuided } as const,
    };
  }

  it("asks for both outputs, the conditional one first, and counts one call", async () => {
    const { asked, single } = counted();
    const { nfe } = await run(single, 4);
    expect(nfe).toBe(5);
    expect(asked).toEqual(Array(5).fill(["conditional", "unconditional"]).flat());
  });

  it("asks for a pair where the denoiser has one, with the bits of two calls", async () => {
    const { asked, single, paired } = counted();
    const { data } = await run(single, 4);
    asked.length = 0;
    const pair = await run(paired, 4);
    expect(asked).toEqual(Array(5).fill("pair"));
    expect(pair.nfe).toBe(5);
    expectBits(pair.data, data);
  });

  it("of scale 1 is none: one call, the conditional one", async () => {
    const { asked, paired } = counted();
    const { data } = await run(paired, 1);
    expect(asked).toEqual(Array(5).fill("conditional"));
    expectBits(data, (await sample({ plan, denoiser: network, shape, noise, condition })).data);
  });

  it("of scale 0 gives the unconditional sample", async () => {
    const { data } = await run(network, 0);
    expectBits(data, (await sample({ plan, denoiser: network, shape, noise, condition: unconditional })).data);
  });

  it.each([-1, 0.5, 7.5])("of scale %s is u + w·(c − u) on the raw output", async (w) => {
    const outside: Denoiser<readonly number[]> = {
      prediction: "epsilon",
      predict(input) {
        const c = network.predict(input) as Float32Array;
        const u = network.predict({ ...input, condition: unconditional }) as Float32Array;
        return c.map((v, i) => (u[i] as number) + w * (v - (u[i] as number)));
      },
    };
    const { data } = await run(network, w);
    const expected = (await sample({ plan, denoiser: outside, shape, noise, condition })).data;
    expect(expected).not.toEqual((await run(network, 1)).data);
    const largest = Math.max(...expected.map(Math.abs));
    expectClose(data, expected, 2e-4 * largest);
  });
});

describe("the state at the first time", () => {
  async function first(of: NoiseSchedule, start: object): Promise<Float32Array> {
    const network = recorder();
    const plan = createPlan({ schedule: of, steps: 2 });
    await sample({ plan, denoiser: network, shape, ...start });
    return network.calls[0]?.x as Float32Array;
  }

  it("is the noise for variance-preserving schedules and for flow", async () => {
    for (const of of [schedule, flow(), flow({ tMax: 0.7 })]) expectBits(await first(of, { noise }), noise);
  });

  it("is sigma times the noise for edm", async () => {
    expectBits(
      await first(edm(), { noise }),
      noise.map((z) => 80 * z),
    );
    expectBits(
      await first(edm({ sigmaMax: 0.5 }), { noise }),
      noise.map((z) => z / 2),
    );
    expectBits(
      await first(edm({ sigmaMax: 4 }), { seed: 3 }),
      gaussianNoise(3, shape).map((z) => 4 * z),
    );
  });

  it("is `initial` as it is, whatever the schedule", async () => {
    for (const of of [schedule, flow(), edm()]) expectBits(await first(of, { initial: noise }), noise);
  });

  it("is the draw 0 of the seed where nothing is given: gaussianNoise with the same arguments", async () => {
    const sources = [
      { seed: 12 },
      { seed: [5, 6] },
      { seed: 12, generator: "torch" as const },
      { seed: [5, 6], generator: "torch" as const },
      { seed: 2 ** 53 - 1 },
    ];
    for (const source of sources) {
      expectBits(await first(schedule, source), gaussianNoise(source.seed, shape, source.generator));
    }
  });

  it("reaches a preconditioned network as in·x", async () => {
    const affine = edmPreconditioning();
    let seen: Float32Array | undefined;
    const predict = ({ x }: DenoiserInput<unknown>) => {
      seen ??= x.slice();
      return x;
    };
    const plan = createPlan({ schedule: edm(), steps: 2, spacing: "karras" });
    await sample({ plan, denoiser: { prediction: affine, predict }, shape, noise });
    const factor = Math.fround(affine.in?.(80) as number);
    expectBits(
      seen as Float32Array,
      noise.map((z) => factor * Math.fround(80 * z)),
    );
  });
});

it("sample calls onStep in the course of the run, and sampleSteps does too", async () => {
  const plan = createPlan({ schedule, steps: 3, solver: "ddim" });
  const order: string[] = [];
  const denoiser: Denoiser = {
    prediction: "sample",
    predict({ x }) {
      order.push("call");
      return x;
    },
  };
  const onStep = ({ step }: StepEvent) => void order.push(`step ${step}`);
  await sample({ plan, denoiser, shape, noise, onStep });
  expect(order).toEqual(["call", "step 0", "call", "step 1", "call", "step 2"]);
  order.length = 0;
  for await (const { step } of sampleSteps({ plan, denoiser, shape, noise, onStep })) order.push(`yield ${step}`);
  expect(order).toEqual([0, 1, 2].flatMap((k) => ["call", `step ${k}`, `yield ${k}`]));
});

it("an affine prediction that is 0 whatever the network says ends at x₀ = 0", async () => {
  const zero = { prediction: { skip: () => 0, out: () => 0 }, predict: ({ x }: DenoiserInput<unknown>) => x };
  const { data } = await sample({ plan: createPlan({ schedule: flow(), steps: 3 }), denoiser: zero, shape, noise });
  expect(data.every((value) => value === 0)).toBe(true);
});
