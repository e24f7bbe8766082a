// Leaving a run before its end: by signal, by break, by an error. No further model call is made, and the memory is free again.
import { describe, expect, it } from "vitest";
import {
  createPlan,
  type Denoiser,
  type DenoiserInput,
  gaussianNoise,
  type SampleOptions,
  sample,
  sampleSteps,
  startSampling,
} from "../../src/index.ts";
import { constructions } from "../support/constructions.ts";
import { expectBits, schedule } from "../support/runs.ts";

const plan = createPlan({ schedule, steps: 6, solver: "dpmpp" });
const shape = [1, 9];
const initial = gaussianNoise(0, shape);
const step = ({ x, t }: DenoiserInput<unknown>) => x.map((v) => Math.sin(v + t));
const custom = new Error("the user went away");
const pause = (ms = 0) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A network that counts its calls and does something in the course of one of them. */
function network(during: (call: number, input: DenoiserInput<unknown>) => unknown = () => undefined) {
  const counted = {
    calls: 0,
    prediction: "sample" as const,
    async predict(input: DenoiserInput<unknown>) {
      await during(++counted.calls, input);
      return step(input);
    },
  };
  return counted satisfies Denoiser;
}

const run = (part: Partial<SampleOptions<unknown>> & { denoiser: Denoiser }) =>
  sample({ plan, shape, initial, ...part } as SampleOptions<unknown>);

/** What a promise rejects with, by identity. */
const reason = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("it resolved"),
    (error: unknown) => error,
  );

function expectAbortError(error: unknown): void {
  expect(error).toBeInstanceOf(DOMException);
  expect((error as DOMException).name).toBe("AbortError");
}

describe("a signal that was aborted before the start", () => {
  it("rejects with its reason and calls no model", async () => {
    for (const given of [custom, "enough", 0, { code: 7 }]) {
      const denoiser = network();
      const signal = AbortSignal.abort(given);
      expect(await reason(run({ denoiser, signal }))).toBe(given);
      expect(await reason(sampleSteps({ plan, shape, initial, denoiser, signal }).next())).toBe(given);
      expect(denoiser.calls).toBe(0);
    }
  });

  it("has an AbortError for its reason unless the caller gave another", async () => {
    const denoiser = network();
    expectAbortError(await reason(run({ denoiser, signal: AbortSignal.abort() })));
    expect(denoiser.calls).toBe(0);
  });

  it("stops startSampling", () => {
    const start = () =>
      startSampling({ plan, shape, initial, prediction: "sample", signal: AbortSignal.abort(custom) });
    expect(start).toThrow(custom);
  });
});

describe("a signal that is aborted between two calls", () => {
  it.each([1, 3, 5])("stops sample after call %s", async (last) => {
    const denoiser = network();
    const controller = new AbortController();
    const onStep = ({ nfe }: { nfe: number }) => {
      if (nfe === last) controller.abort(custom);
    };
    expect(await reason(run({ denoiser, signal: controller.signal, onStep }))).toBe(custom);
    expect(denoiser.calls).toBe(last);
  });

  it("stops sampleSteps at its next step", async () => {
    const denoiser = network();
    const controller = new AbortController();
    const steps = sampleSteps({ plan, shape, initial, denoiser, signal: controller.signal });
    await steps.next();
    await steps.next();
    controller.abort();
    expectAbortError(await reason(steps.next()));
    expect(denoiser.calls).toBe(2);
    expect(await steps.next()).toEqual({ done: true, value: undefined });
  });

  it("stops a network that answers at once", async () => {
    let calls = 0;
    const controller = new AbortController();
    const predict = (input: DenoiserInput<unknown>) => {
      calls++;
      return step(input);
    };
    const running = run({ denoiser: { prediction: "sample", predict }, signal: controller.signal });
    controller.abort(custom);
    expect(await reason(running)).toBe(custom);
    expect(calls).toBe(1);
  });

  it("comes too late after the end", async () => {
    const controller = new AbortController();
    const { data } = await run({ denoiser: network(), signal: controller.signal });
    controller.abort();
    expectBits(data, (await run({ denoiser: network() })).data);
  });
});

describe("a signal that is aborted during a call", () => {
  it.each([1, 4, 6])("rejects after call %s, the last one made", async (at) => {
    const controller = new AbortController();
    const denoiser = network(async (call) => {
      if (call !== at) return;
      await pause();
      controller.abort(custom);
      await pause();
    });
    expect(await reason(run({ denoiser, signal: controller.signal }))).toBe(custom);
    expect(denoiser.calls).toBe(at);
  });

  it("reaches the network, and its reason wins over the network's own words", async () => {
    const controller = new AbortController();
    const denoiser = network(async (call, { signal }) => {
      expect(signal).toBe(controller.signal);
      if (call === 2) controller.abort(custom);
      if (signal?.aborted) throw new Error("session cancelled");
    });
    expect(await reason(run({ denoiser, signal: controller.signal }))).toBe(custom);
    expect(denoiser.calls).toBe(2);
  });

  it("leaves an error of the network alone where nothing was aborted", async () => {
    const broken = new Error("broken");
    const denoiser = network((call) => {
      if (call === 2) throw broken;
    });
    expect(await reason(run({ denoiser, signal: new AbortController().signal }))).toBe(broken);
  });

  it("stops between the two calls of a guided pair", async () => {
    const controller = new AbortController();
    const denoiser = network((call) => {
      if (call === 3) controller.abort(custom);
    });
    const options = { denoiser, signal: controller.signal, guidanceScale: 2, condition: 1, unconditional: 0 };
    expect(await reason(run(options))).toBe(custom);
    expect(denoiser.calls).toBe(3);
  });

  it("keeps the reason of a timeout", async () => {
    const denoiser = network(() => pause(50));
    const error = await reason(run({ denoiser, signal: AbortSignal.timeout(5) }));
    expect((error as DOMException).name).toBe("TimeoutError");
    expect(denoiser.calls).toBe(1);
  });
});

describe("answer() after an abort", () => {
  it("throws the reason, as often as it is called, and the run has ended", () => {
    const controller = new AbortController();
    const aborted = startSampling({ plan, shape, initial, prediction: "sample", signal: controller.signal });
    expect(aborted.requests[0]?.signal).toBe(controller.signal);
    aborted.answer([initial]);
    controller.abort(custom);
    for (let i = 0; i < 2; i++) expect(() => aborted.answer([initial])).toThrow(custom);
    expect([aborted.requests, aborted.result]).toEqual([[], undefined]);
    aborted.dispose();
  });
});

// Memory is seen through the instances of the module: each run borrows one, and what was given back serves the next.
describe("the memory of a run", () => {
  // A size that no other run of this file has. Here one run follows the other, so that at most one instance lies idle.
  const length = 60000;
  /** How many instances are made when `leave` is followed by a whole run. */
  async function madeAfter(leave: (options: SampleOptions<unknown>) => unknown): Promise<number> {
    const shape = [1, length];
    const whole = { plan, shape, initial: new Float32Array(length).fill(0.1), denoiser: network() };
    const first = await sample(whole);
    const made = await constructions("Instance", async () => {
      await leave({ ...whole, denoiser: network() });
      expectBits((await sample(whole)).data, first.data);
    });
    return made.length;
  }

  it("is held while the run waits", async () => {
    expect(
      await madeAfter(async (options) => {
        await sampleSteps(options).next();
      }),
    ).toBe(1);
  });

  it("is free after break, and no further call is made", async () => {
    const calls: number[] = [];
    const made = await madeAfter(async (options) => {
      const denoiser = network((call) => calls.push(call));
      for await (const { step } of sampleSteps({ ...options, denoiser })) if (step === 1) break;
    });
    await pause();
    expect([made, calls]).toEqual([0, [1, 2]]);
  });

  it("is free after an error in the loop", async () => {
    const loop = async (options: SampleOptions<unknown>) => {
      for await (const _ of sampleSteps(options)) throw custom;
    };
    expect(await madeAfter(async (options) => expect(await reason(loop(options))).toBe(custom))).toBe(0);
  });

  it("is free after return() during a call, once the call is over", async () => {
    const leave = async (options: SampleOptions<unknown>) => {
      const steps = sampleSteps({ ...options, denoiser: network(() => pause()) });
      const next = steps.next();
      await steps.return({ data: new Float32Array(0), shape: [], nfe: 0, passes: 0 });
      expect((await next).done).toBe(false);
    };
    expect(await madeAfter(leave)).toBe(0);
  });

  const failures: [string, (options: SampleOptions<unknown>) => Promise<unknown>][] = [
    [
      "an abort",
      (options) => {
        const controller = new AbortController();
        return sample({ ...options, signal: controller.signal, onStep: () => controller.abort() });
      },
    ],
    [
      "an error of the network",
      (options) => {
        const denoiser = network(() => {
          throw custom;
        });
        return sample({ ...options, denoiser });
      },
    ],
    [
      "an output of another length",
      (options) => sample({ ...options, denoiser: { prediction: "sample", predict: () => initial } }),
    ],
    [
      "an output that is NaN",
      (options) => sample({ ...options, denoiser: { prediction: "sample", predict: ({ x }) => x.fill(Number.NaN) } }),
    ],
    [
      "an error of onStep",
      (options) =>
        sample({
          ...options,
          onStep: () => {
            throw custom;
          },
        }),
    ],
    [
      "an initial state that is NaN",
      (options) => sample({ ...options, initial: new Float32Array(length).fill(Number.NaN) }),
    ],
    ["noise of another length", ({ initial: _, ...options }) => sample({ ...options, noise: new Float32Array(5) })],
  ];

  it.each(failures)("is free after %s", async (_, fail) => {
    expect(await madeAfter((options) => reason(fail(options)))).toBe(0);
  });

  it("is free after an answer that was aborted", async () => {
    const leave = ({ denoiser: _, ...options }: SampleOptions<unknown>) => {
      const controller = new AbortController();
      const run = startSampling({ ...options, prediction: "sample", signal: controller.signal });
      controller.abort(custom);
      expect(() => run.answer([])).toThrow(custom);
    };
    expect(await madeAfter(leave)).toBe(0);
  });
});
