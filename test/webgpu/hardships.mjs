// What the GPU engine makes of odd sizes, late aborts, denoisers that misbehave and devices that refuse.

/** Returns the checks; `tools` are the scenario's own. */
export function hardships({ library, webgpu, engine, tools }) {
  const { createPlan, gaussianNoise, sample, sampleSteps } = library;
  const { equal, below, difference, failure, gone, alive, doubling, shape, length, complaints, exact } = tools;
  const schedule = library.vpLinear();
  const plan = createPlan({ schedule, steps: 6, solver: "ddim" });
  const one = { plan, shape, seed: 1, engine };
  /** A denoiser that leaves its output as it is: what is tested is what happens around it. */
  const idle = (more = {}) => ({
    prediction: "sample",
    predict: ({ x }) => x,
    predictOnDevice: async () => true,
    ...more,
  });
  const values = (count, k = 0) =>
    Float32Array.from({ length: count }, (_, i) => (((i * 13 + k * 29) % 101) - 50) / 50);
  /** Numbers from the host that know nothing of x. */
  const given = {
    prediction: "sample",
    predict: ({ x }) => values(x.length),
    predictGuided: async ({ x }) => ({ conditional: values(x.length), unconditional: values(x.length, 1) }),
  };
  const pair = { condition: 0, unconditional: 1 };

  return {
    async "tensors of any length, and items that begin anywhere"() {
      const bounded = createPlan({ schedule, steps: 3, solver: "ddim", thresholding: { ratio: 0.8, maxValue: 0.5 } });
      // Of numbers up to 1: 16·2^-24 for the quantile and the division (tolerance.mjs), twice for what follows; fused sums are below it.
      const bound = 2 ** -19;
      for (const size of [
        [1, 1],
        [3, 1],
        [2, 5],
        [3, 7],
        [5, 3, 3],
        [1, 255],
        [2, 257],
        [3, 1025],
      ]) {
        for (const of of [plan, bounded]) {
          for (const guidanceScale of [1, 3]) {
            const rest = { plan: of, shape: size, seed: 1, denoiser: given, ...pair, guidanceScale };
            const [a, b] = [await sample({ ...rest, engine }), await sample(rest)];
            const scale = b.data.reduce((largest, v) => Math.max(largest, Math.abs(v)), 1) * guidanceScale;
            const allowed = exact && of === plan ? 0 : bound * scale;
            below(difference(a.data, b.data), allowed, `${size}, guidance ${guidanceScale}`);
          }
        }
      }
    },

    async "guidance of its own for every call, on the device"() {
      const guidanceScale = [1, 3, 1, 2, 3, 1];
      const denoiser = doubling();
      const a = await sample({ ...one, denoiser, ...pair, guidanceScale });
      equal(
        denoiser.seen.map(([, guided]) => guided),
        guidanceScale.map((w) => w !== 1),
        "pairs",
      );
      const host = { ...denoiser, predictOnDevice: undefined };
      const b = await sample({ ...one, engine: undefined, denoiser: host, ...pair, guidanceScale });
      const scale = b.data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      below(difference(a.data, b.data) / scale, 1e-4, "difference");
    },

    async "guidance rescale"() {
      const single = createPlan({ schedule, steps: 1, solver: "ddim" });
      // Two sums of squares with 2·12 roundings of length 400 (two elements a lane, eight levels, the mean), half of that in the root;
      // division, root and products are some more: 40·2^-24 of outputs up to 1 + 2·3.
      const bound = 40 * 2 ** -24 * 7;
      let plain = 0;
      for (const size of [shape, [2, 33], [2, 20000]]) {
        const rest = { plan: single, shape: size, seed: 1, denoiser: given, ...pair, guidanceScale: 3 };
        const a = await sample({ ...rest, guidanceRescale: 0.75, engine });
        const b = await sample({ ...rest, guidanceRescale: 0.75 });
        // Blocks of 64 instead of two.
        below(difference(a.data, b.data), size[1] > 16384 ? 3 * bound : bound, `shape ${size}`);
        plain = Math.max(plain, difference(a.data, (await sample(rest)).data));
      }
      if (plain < 0.1) throw new Error("rescaled or not is the same here");
    },

    async "buffers go back however a run ends"() {
      const before = new Set(alive);
      const stop = (message) => {
        throw new Error(message);
      };
      await sample({ ...one, denoiser: idle() });
      await gone(before, "a run");
      for await (const { step } of sampleSteps({ ...one, denoiser: idle() })) if (step === 1) break;
      await gone(before, "a loop that is left");
      await failure(sample({ ...one, denoiser: idle(), onStep: () => stop("enough") }));
      await gone(before, "an event that fails");
      await failure(sample({ ...one, denoiser: idle({ predictOnDevice: async () => stop("no") }) }));
      await gone(before, "a network that fails");
      const controller = new AbortController();
      const aborting = async () => {
        controller.abort();
        return true;
      };
      const { signal } = controller;
      await failure(sample({ ...one, denoiser: idle({ predictOnDevice: aborting }), signal }));
      await gone(before, "an abort");
      const eta = createPlan({ schedule, steps: 6, solver: "ddim", eta: 1 });
      const stepNoise = (draw) => (draw === 3 ? stop("none left") : new Float32Array(length));
      await failure(sample({ ...one, plan: eta, denoiser: idle(), stepNoise, onStep() {} }));
      await gone(before, "noise that fails");
      // What `Run` does when it fails behind a read: it gives the memory back, and nobody waits for what was read.
      const instructions = [{ kind: "step", step: 0, state: 0 }];
      const machine = engine.open({ slots: 1, scratch: 0, coefficients: new Float64Array(0), instructions }, 1, 8);
      machine.write(0, values(8));
      const read = machine.read(0);
      machine.release();
      await gone(before, "a read that nobody waits for");
      equal(difference(read, values(8)), 0, "what was read");
    },

    async "an abort is heard while the GPU is at work"() {
      const controller = new AbortController();
      let calls = 0;
      const counted = async () => {
        // A timer, as a click would be: it is not heard by a host that queues call upon call without a pause.
        if (calls++ === 0) setTimeout(() => controller.abort(new Error("late")), 0);
        return true;
      };
      const long = createPlan({ schedule, steps: 900, solver: "ddim" });
      const denoiser = idle({ predictOnDevice: counted });
      const error = await failure(sample({ ...one, plan: long, denoiser, signal: controller.signal }));
      equal(error.message, "late", "reason");
      return `after ${below(calls, 450, "calls")} calls of 900`;
    },

    async "an answer that is no promise"() {
      const { nfe } = await sample({ ...one, denoiser: idle({ predictOnDevice: () => true }) });
      equal(nfe, plan.nfe, "nfe");
      const declining = idle({ predictOnDevice: () => false });
      const [a, b] = [declining, { ...declining, predictOnDevice: undefined }];
      const results = [await sample({ ...one, denoiser: a }), await sample({ ...one, denoiser: b })];
      equal(difference(results[0].data, results[1].data), 0, "difference");
    },

    async "a denoiser that destroys what it was lent: a refusal with the step, no result"() {
      for (const name of ["x", "output"]) {
        for (const more of [{}, { onStep() {} }]) {
          let calls = 0;
          const predictOnDevice = async (input) => {
            if (calls++ === 2) input[name].destroy();
            return true;
          };
          const error = await failure(sample({ ...one, denoiser: idle({ predictOnDevice }), ...more }));
          const fits = /^the GPU refuses the run of 1200 elements in step [23]: ./.test(error.message);
          if (!fits) throw new Error(`${name}: ${error.name}: ${error.message}`);
        }
      }
      equal(complaints, [], "errors that nobody catches");
    },

    async "previews that no buffer can hold are refused before the first call"() {
      const adapter = await navigator.gpu.requestAdapter();
      // 256 MiB, the least that a device's buffers may be, for states and for what is read back alike.
      const requiredLimits = { maxStorageBufferBindingSize: 2 ** 28, maxBufferSize: 2 ** 28 };
      const own = await adapter.requestDevice({ requiredLimits });
      const small = await webgpu.webgpuEngine({ device: own });
      // The two slots fit; x and x₀ of the last step, and the result, are read at once and do not.
      const rest = { ...one, shape: [1, 22369621], engine: small, denoiser: idle(), onStep() {} };
      const error = await failure(sample(rest));
      equal(error.name, "RangeError", error.message);
      const message =
        /^"shape": 22369621 elements need 268435472 bytes in one buffer, and the device allows 268435456; .* larger maxBufferSize$/;
      if (!message.test(error.message)) throw error;
      own.destroy();
    },

    async "an engine of many runs at once, of different plans and shapes"() {
      const runs = [1, 2, 3, 4, 5, 6].map((k) => ({
        plan: createPlan({ schedule, steps: 2 + k, solver: k % 2 === 0 ? "unipc" : "dpmpp" }),
        shape: [k, 5 * k],
        noise: gaussianNoise(k, [k, 5 * k]),
        denoiser: { prediction: "epsilon", predict: async ({ x }) => x.map((v) => v / 2) },
        engine,
      }));
      const alone = [];
      for (const run of runs) alone.push(await sample(run));
      const together = await Promise.all(runs.map((run) => sample(run)));
      for (const [i, { data }] of together.entries()) equal(difference(data, alone[i].data), 0, `run ${i}`);
      // One that fails among them takes nothing from the others.
      const predictOnDevice = async ({ x }) => {
        x.destroy();
        return true;
      };
      const failing = { ...runs[0], denoiser: idle({ predictOnDevice }) };
      const mixed = await Promise.allSettled([failing, ...runs].map((run) => sample(run)));
      equal(mixed[0].status, "rejected", "the run that fails");
      for (const [i, { value }] of mixed.slice(1).entries())
        equal(difference(value.data, alone[i].data), 0, `run ${i}`);
    },
  };
}
