// What the installed package does on a GPU. Every check throws if it fails, and returns what is worth printing.
// The imports are handed in: `{ library, onnx, webgpu, ort, folders }`, where folders are URLs of model folders.
import { hardships } from "./hardships.mjs";
import { tolerance } from "./tolerance.mjs";

const shape = [3, 1, 20, 20];
const length = 1200;
const steps = 6;
const ratios = [1, 1, 0.875, 1.125, 0.75, 1.25];
const thresholding = { ratio: 0.8, maxValue: 1.5 };

/** Plans of some solvers; the others of the registry are added with their own defaults. */
const variety = [
  { solver: "unipc" },
  { solver: "unipc", order: 1 },
  { solver: "unipc", order: 4, lowerOrderFinal: false },
  { solver: "unipc", corrector: false },
  { solver: "unipc", predict: "epsilon" },
  { solver: "unipc", order: 3, variant: "bh1", ratios },
  { solver: "unipc", predict: "epsilon", ratios, thresholding },
  { solver: "dpmpp", order: 1 },
  { solver: "dpmpp" },
  { solver: "dpmpp", order: 3, ratios, dcOrder: 1 },
  { solver: "dpmpp", predict: "epsilon", thresholding },
  { solver: "ddim" },
  { solver: "ddim", eta: 1 },
  { solver: "ddim", eta: 0.5, predict: "epsilon", ratios },
  { solver: "ddim", eta: 0.3, thresholding },
  { solver: "ddim", thresholding: { ratio: 0.8, maxValue: 0.5, limit: 0.625 } },
  { solver: "dpmpp", thresholding: { ratio: 1, maxValue: 0.5, limit: 0.5 } },
];
/** Where no operation is fused, and each is rounded as IEEE 754 says. */
const unfused = "swiftshader";

// Waits of the host for the GPU and uploads, of everything in this realm: the engine's and ONNX Runtime's.
const count = { reads: 0, uploads: 0, dispatches: 0 };
const alive = new Set();
const { createBuffer } = GPUDevice.prototype;
GPUDevice.prototype.createBuffer = function (...rest) {
  const buffer = createBuffer.apply(this, rest);
  alive.add(buffer);
  return buffer;
};
const { destroy } = GPUBuffer.prototype;
GPUBuffer.prototype.destroy = function () {
  alive.delete(this);
  return destroy.call(this);
};
const { mapAsync } = GPUBuffer.prototype;
GPUBuffer.prototype.mapAsync = function (...rest) {
  count.reads++;
  return mapAsync.apply(this, rest);
};
const { writeBuffer } = GPUQueue.prototype;
GPUQueue.prototype.writeBuffer = function (...rest) {
  // States and outputs; tables and marks are another matter.
  if (rest[2] instanceof Float32Array && rest[2].length === length) count.uploads++;
  return writeBuffer.apply(this, rest);
};
const { dispatchWorkgroups } = GPUComputePassEncoder.prototype;
GPUComputePassEncoder.prototype.dispatchWorkgroups = function (...rest) {
  count.dispatches++;
  return dispatchWorkgroups.apply(this, rest);
};
/** Returns what `action` gives, and how often tensors were read back and uploaded and shaders run meanwhile. */
async function counting(action) {
  const { reads, uploads, dispatches } = count;
  const value = await action();
  return [value, count.reads - reads, count.uploads - uploads, count.dispatches - dispatches];
}

function equal(actual, expected, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
}

function difference(a, b) {
  if (a.length !== b.length) throw new Error(`lengths ${a.length} and ${b.length}`);
  let most = 0;
  // NaN fails every comparison, and is kept.
  for (let i = 0; i < a.length; i++) if (!(Math.abs(a[i] - b[i]) <= most)) most = Math.abs(a[i] - b[i]);
  return most;
}

function below(actual, bound, what) {
  if (!(actual <= bound)) throw new Error(`${what}: expected at most ${bound}, got ${actual}`);
  return actual;
}

/** Fails unless every buffer made since `before` has been destroyed, or is within two seconds. */
async function gone(before, what) {
  const left = () => [...alive].filter((buffer) => !before.has(buffer)).length;
  for (let i = 0; i < 100 && left() > 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  equal(left(), 0, `buffers left after ${what}`);
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("expected a rejection");
}

async function newDevice() {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("no WebGPU adapter");
  const device = await adapter.requestDevice();
  watch(device);
  return device;
}

const complaints = [];
/** Errors that no one catches are failures of the check that is running. */
function watch(device) {
  device.addEventListener("uncapturederror", ({ error }) => complaints.push(error.message));
}

/** Returns the outcome of every check: `{ adapter, checks: [{ name, seconds, error?, told? }] }`. */
export async function scenario(imports) {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("no WebGPU adapter");
  const { vendor, architecture, device, description } = adapter.info ?? {};
  const told = description || [vendor, architecture, device].filter(Boolean).join(" ");
  const checks = [];
  for (const [name, check] of Object.entries(await prepare(imports, told.toLowerCase().includes(unfused)))) {
    const started = performance.now();
    const outcome = { name };
    try {
      outcome.told = await check();
      if (complaints.length > 0) throw new Error(complaints.splice(0).join("; "));
    } catch (error) {
      complaints.length = 0;
      outcome.error = error.stack?.includes(error.message) ? error.stack : `${error.message}\n${error.stack}`;
    }
    outcome.seconds = (performance.now() - started) / 1000;
    checks.push(outcome);
  }
  return { adapter: told, checks };
}

async function prepare({ library, onnx, webgpu, ort, folders }, exact) {
  const { createPlan, gaussianNoise, mixtureDenoiser, sample, sampleSteps, startSampling, searchRatios } = library;
  const { webgpuEngine, DeviceLostError } = webgpu;
  const schedule = library.vpLinear();
  const registered = refusal(() => createPlan({ schedule, steps, solver: "?" })).matchAll(/"([\w-]+)"/g);
  for (const [, solver] of registered) {
    if (solver !== "solver" && !variety.some((v) => v.solver === solver)) variety.push({ solver });
  }
  const plans = variety.map((options) => createPlan({ schedule, steps, ...options }));
  const device = await newDevice();
  const engine = await webgpuEngine({ device });
  const means = [0, 1, 2].map((k) => Array.from({ length: 400 }, (_, i) => (((i * 7 + k * 5) % 11) - 5) / 4));
  const mixture = mixtureDenoiser({ schedule, means, std: [0.25, 0.5, 0.125], weights: [2, 1, 1] });
  const guided = { guidanceScale: 3.5, condition: [0, 2, 1], unconditional: [-1, -1, -1] };
  const one = { plan: plans[0], shape, denoiser: mixture, seed: 1 };

  /** A network whose outputs are in [-1, 1] and know nothing of x: what is left of a run is the engine's arithmetic. */
  const output = (k) => Float32Array.from({ length }, (_, i) => (((i * 13 + k * 29) % 101) - 50) / 50);
  const outputs = (k) => ({ conditional: output(2 * k), unconditional: output(2 * k + 1) });
  const fixed = () => {
    let calls = 0;
    return {
      prediction: "sample",
      predict: () => outputs(calls++).conditional,
      predictGuided: async () => outputs(calls++),
    };
  };
  const noise = Array.from({ length: 1 + Math.max(...plans.map((p) => p.draws)) }, (_, k) =>
    gaussianNoise(100 + k, shape),
  );
  /** Checks the engine against the default one; returns the largest difference and its largest share of what is allowed. */
  const compareEngines = async (plan, guidanceScale, what) => {
    const rest = { plan, shape, noise: noise[0], ...(guidanceScale === 1 ? {} : guided), guidanceScale };
    if (plan.draws > 0) rest.stepNoise = (draw) => noise[draw];
    const a = await sample({ ...rest, denoiser: fixed(), engine });
    const b = await sample({ ...rest, denoiser: fixed() });
    equal([a.nfe, a.shape], [b.nfe, b.shape], "nfe and shape");
    const bounds = tolerance(plan, guidanceScale, outputs, noise);
    const share = a.data.reduce((most, v, i) => {
      const d = Math.abs(v - b.data[i]);
      return d === 0 ? most : Math.max(most, d / bounds[i]);
    }, 0);
    const allowed = Math.max(...bounds);
    below(share, 1, `${what}, guidance ${guidanceScale}: difference over tolerance`);
    return { most: difference(a.data, b.data), share, allowed };
  };

  /** A network on the GPU: twice x, and three times x for the other half of a pair. */
  const doubling = (on = device) => {
    const code = `
      @group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> y: array<f32>;
      @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if (id.x < arrayLength(&x)) { y[id.x] = x[id.x] * select(3.0, 2.0, id.x < ${length}u); }
      }`;
    const pipeline = on.createComputePipeline({
      layout: "auto",
      compute: { module: on.createShaderModule({ code }), entryPoint: "main" },
    });
    return {
      prediction: "epsilon",
      seen: [],
      predict: ({ x }) => x.map((v) => v * 2),
      predictGuided: async ({ x }) => ({ conditional: x.map((v) => v * 2), unconditional: x.map((v) => v * 3) }),
      async predictOnDevice({ x, output, device: of, guided: pair, t }) {
        equal(of === on, true, "the engine's device");
        this.seen.push([t, pair]);
        const entries = [x, output].map((buffer, binding) => ({ binding, resource: { buffer } }));
        const encoder = on.createCommandEncoder();
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, on.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
        pass.dispatchWorkgroups(Math.ceil((2 * length) / 64));
        pass.end();
        on.queue.submit([encoder.finish()]);
        return true;
      },
    };
  };

  const checks = {
    async "every solver, guidance, ratios, eta and thresholding within the derived tolerance of the default engine"() {
      const found = [];
      for (const [i, plan] of plans.entries()) {
        for (const w of [1, 7.5]) {
          const made = await compareEngines(plan, w, JSON.stringify(variety[i]));
          if (exact && variety[i].thresholding === undefined)
            equal(made.most, 0, `${JSON.stringify(variety[i])}: bits`);
          found.push(made);
        }
      }
      const most = (name) => Math.max(...found.map((f) => f[name])).toPrecision(2);
      return `${new Set(variety.map((v) => v.solver)).size} solvers, largest difference ${most("most")}, share of tolerance ${most("share")}, largest tolerance ${most("allowed")}`;
    },

    async "a denoiser of the host, through one copy each way at every call"() {
      const { nfe } = plans[0];
      const [a, ...copies] = await counting(() => sample({ ...one, engine }));
      equal(copies, [nfe + 1, 1 + nfe, nfe], "read-backs, uploads and dispatches");
      const [, ...pairs] = await counting(() => sample({ ...one, ...guided, engine }));
      equal(pairs, [nfe + 1, 1 + 2 * nfe, nfe], "of guided pairs");
      return below(difference(a.data, (await sample(one)).data), 1e-4, "difference");
    },

    async "variance exploding: the start is scaled on the device"() {
      const edm = createPlan({ schedule: library.edm(), steps: 4 });
      const { most, allowed } = await compareEngines(edm, 1, "edm");
      return `largest difference ${most}, largest tolerance ${allowed.toPrecision(2)}`;
    },

    async "the same bits again, in runs at once, and watched"() {
      const first = await sample({ ...one, ...guided, engine });
      const together = await Promise.all([1, 2, 3].map(() => sample({ ...one, ...guided, engine })));
      const watched = await sample({ ...one, ...guided, engine, onStep() {} });
      const other = await sample({ ...one, ...guided, engine: await webgpuEngine({ device: await newDevice() }) });
      for (const { data } of [...together, watched, other]) equal(difference(data, first.data), 0, "difference");
    },

    async "a network on the device: nothing is read back but the result"() {
      for (const rest of [{}, guided]) {
        const denoiser = doubling();
        const [a, ...copies] = await counting(() => sample({ ...one, ...rest, denoiser, engine }));
        const { nfe } = plans[0];
        // One dispatch a call is the engine's, the other the network's.
        equal(copies, [1, 1, 2 * nfe], "read-backs of the result, uploads of the start, dispatches");
        const pair = rest === guided;
        equal(
          denoiser.seen,
          Array.from({ length: plans[0].nfe }, (_, k) => [plans[0].grid[k], pair]),
          "calls",
        );
        equal(a.nfe, plans[0].nfe, "nfe");
        const b = await sample({ ...one, ...rest, denoiser: { ...denoiser, predictOnDevice: undefined } });
        const scale = b.data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        below(difference(a.data, b.data) / scale, 1e-4, "difference");
      }
    },

    async "a network that declines on the device is asked through copies"() {
      const denoiser = { ...mixture, predictOnDevice: async () => false };
      const [a, reads] = await counting(() => sample({ ...one, denoiser, engine }));
      equal(reads, plans[0].nfe + 1, "read-backs");
      equal(difference(a.data, (await sample({ ...one, engine })).data), 0, "difference");
    },

    async "steps are read back only if asked for, one read-back a step"() {
      const events = [];
      const onStep = (event) => events.push(event);
      const [result, reads] = await counting(() => sample({ ...one, denoiser: doubling(), engine, onStep }));
      // The last step's event and the result come together. A step that ends with the next call's corrector comes with that.
      below(reads, steps, "read-backs");
      equal(
        events.map((e) => e.step),
        [0, 1, 2, 3, 4, 5],
        "steps",
      );
      equal(difference(events.at(-1).x, result.data), 0, "the last event against the result");
      const own = [];
      for await (const event of sampleSteps({ ...one, denoiser: doubling(), engine })) own.push(event);
      const expected = [];
      for await (const event of sampleSteps({ ...one, denoiser: { ...doubling(), predictOnDevice: undefined } })) {
        expected.push(event);
      }
      for (const [i, event] of own.entries()) {
        equal([event.step, event.t, event.nfe], [expected[i].step, expected[i].t, expected[i].nfe], "event");
        const scale = expected[i].x.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
        below(difference(event.x, expected[i].x) / scale, 1e-4, "x");
        below(difference(event.denoised, expected[i].denoised) / scale, 1e-3, "denoised");
        equal(difference(event.x, events[i].x), 0, "sampleSteps against onStep");
      }
      for await (const event of sampleSteps({ ...one, engine })) if (event.step === 1) break;
    },

    async "NaN of a network on the device: step and time when the run ends"() {
      for (const [i, plan] of plans.entries()) {
        for (const bad of [0, 2, steps - 1]) {
          const spoil = (denoiser, method) => {
            let calls = 0;
            return {
              ...denoiser,
              async [method](input) {
                const output = await denoiser[method].call(denoiser, input);
                if (calls++ !== bad) return output;
                if (method === "predict") output[length - 1] = Number.NaN;
                else device.queue.writeBuffer(input.output, 4 * (length - 1), Float32Array.of(Number.NaN));
                return output;
              },
            };
          };
          const rest = { plan, shape, seed: 1 };
          const denoiser = doubling();
          const error = await failure(sample({ ...rest, denoiser: spoil(denoiser, "predictOnDevice"), engine }));
          const expected = await failure(sample({ ...rest, denoiser: spoil(doubling(), "predict") }));
          equal([error.name, error.message], [expected.name, expected.message], JSON.stringify(variety[i]));
          equal(error instanceof library.NonFiniteError, true, "NonFiniteError");
          equal([error.step, error.t], [expected.step, expected.t], "step and t");
          equal(denoiser.seen.length, plan.nfe, "calls: the run goes on to its end");
          const watched = spoil(doubling(), "predictOnDevice");
          const seen = await failure(sample({ ...rest, denoiser: watched, engine, onStep() {} }));
          equal(seen.message, expected.message, "watched");
        }
      }
    },

    async "an overflow of the solver itself, and NaN from the host"() {
      const huge = { prediction: "sample", predict: ({ x }) => x.fill(3e38) };
      const rest = { plan: plans[2], shape, seed: 1 };
      const [a, b] = [
        await failure(sample({ ...rest, denoiser: huge, engine })),
        await failure(sample({ ...rest, denoiser: huge })),
      ];
      equal(a.message, b.message, "overflow");
      const nan = { prediction: "sample", predict: ({ x }) => x.fill(Number.NaN) };
      const [c, d] = [
        await failure(sample({ ...rest, denoiser: nan, engine })),
        await failure(sample({ ...rest, denoiser: nan })),
      ];
      equal(c.message, d.message, "NaN");
      const noise = new Float32Array(length).fill(Infinity);
      const start = { ...rest, seed: undefined, noise, denoiser: mixture };
      const e = await failure(sample({ ...start, engine }));
      equal(e.message, (await failure(sample(start))).message, "noise");
    },

    async "a device that goes during a run: the step, and a library that goes on"() {
      for (const kind of ["host", "host, for ever", "device"]) {
        const own = await newDevice();
        const lossy = await webgpuEngine({ device: own });
        const onDevice = doubling(own);
        let calls = 0;
        const denoiser = {
          prediction: "epsilon",
          predict({ x }) {
            if (calls++ === 3) own.destroy();
            return calls === 4 && kind === "host, for ever" ? new Promise(() => {}) : x;
          },
          ...(kind !== "device"
            ? {}
            : {
                async predictOnDevice(input) {
                  if (calls++ === 3) own.destroy();
                  return onDevice.predictOnDevice(input);
                },
              }),
        };
        const plan = createPlan({ schedule, steps, solver: "ddim" });
        const error = await failure(sample({ plan, shape, seed: 1, denoiser, engine: lossy }));
        equal([error.name, error instanceof DeviceLostError], ["DeviceLostError", true], `${kind}: ${error.message}`);
        // It is noticed while the run waits: at once for an answer, else with the next or the only read-back.
        const waits = kind === "host, for ever" ? error.step === 3 : error.step >= 3;
        if (!waits || error.step >= steps) throw new Error(`${kind}: step ${error.step}`);
        equal((await failure(sample({ ...one, engine: lossy }))).name, "DeviceLostError", "the next run");
        equal((await failure(webgpuEngine({ device: own }))).name, "DeviceLostError", "a new engine on it");
        const fresh = await webgpuEngine({ device: await newDevice() });
        await sample({ ...one, engine: fresh });
        complaints.length = 0;
      }
    },

    async "an abort ends a run with the signal's reason"() {
      const controller = new AbortController();
      const denoiser = doubling();
      const { predictOnDevice } = denoiser;
      denoiser.predictOnDevice = function (input) {
        if (this.seen.length === 2) controller.abort(new Error("enough"));
        return predictOnDevice.call(this, input);
      };
      const error = await failure(sample({ ...one, denoiser, engine, signal: controller.signal }));
      equal([error.message, denoiser.seen.length], ["enough", 3], "abort");
    },

    async mistakes() {
      const disposed = await webgpuEngine({ device });
      disposed.dispose();
      disposed.dispose();
      const tooLarge = { ...one, shape: [1, 2 ** 28], engine };
      const direct = (name) =>
        `"engine": ${name} reads states at once, which a GPU cannot give; leave it out, or use sample or sampleSteps`;
      const table = [
        [() => webgpuEngine(), "TypeError", '"webgpuEngine": expected an object, got undefined'],
        [
          () => webgpuEngine({ device, size: 1 }),
          "TypeError",
          '"size": unknown option of webgpuEngine; expected one of device',
        ],
        [() => webgpuEngine({}), "TypeError", '"device": expected a GPUDevice, got undefined'],
        [() => webgpuEngine({ device: null }), "TypeError", '"device": expected a GPUDevice, got null'],
        [() => webgpuEngine({ device: navigator.gpu }), "TypeError", '"device": expected a GPUDevice, got an object'],
        [
          () => sample({ ...one, engine: device }),
          "TypeError",
          '"engine": expected an engine from dc-solver/webgpu, got an object',
        ],
        [
          () => sample({ ...one, engine: webgpuEngine({ device }) }),
          "TypeError",
          '"engine": expected an engine from dc-solver/webgpu, got an object',
        ],
        [() => sample({ ...one, engine: disposed }), "Error", "the engine has been disposed of; make a new one"],
        [
          () => sample(tooLarge),
          "RangeError",
          /^"shape": 268435456 elements need \d+ bytes in one buffer, and the device allows \d+; take a smaller batch/,
        ],
        [
          () => sample({ ...one, engine, denoiser: { ...mixture, predictOnDevice: 1 } }),
          "TypeError",
          '"denoiser.predictOnDevice": expected a function, got 1',
        ],
        [
          async () => startSampling({ plan: plans[0], shape, seed: 1, prediction: "epsilon", engine }),
          "TypeError",
          direct("startSampling"),
        ],
        [() => searchRatios({ ...one, engine }), "TypeError", direct("searchRatios")],
        [
          () => sample({ ...one, denoiser: { ...mixture, predict: () => new Float32Array(3) }, engine }),
          "RangeError",
          /^"denoiser.predict": expected a length of 1200/,
        ],
      ];
      for (const [action, name, message] of table) {
        const error = await failure(action());
        const fits = typeof message === "string" ? error.message === message : message.test(error.message);
        if (error.name !== name || !fits)
          throw new Error(`expected ${name}: ${message}, got ${error.name}: ${error.message}`);
      }
    },
  };

  const tools = { equal, below, difference, failure, gone, alive, doubling, shape, length, complaints, exact };
  Object.assign(checks, hardships({ library, webgpu, engine, tools }));

  // ONNX Runtime last: its device is lost in the end, and it makes no other.
  let model;
  let onOrt;
  const labels = { condition: [3, 1], unconditional: [-1, -1], guidanceScale: 3, shape: [2, 1, 8, 8], seed: 2 };
  const load = (folder, provider) => onnx.loadModel({ ort, folder, executionProviders: [provider] });
  Object.assign(checks, {
    async "ONNX Runtime on WebGPU: the state stays on the device"() {
      model = await load(folders.perceptron, "webgpu");
      const own = await ort.env.webgpu.device;
      watch(own);
      onOrt = await webgpuEngine({ device: own });
      const host = await load(folders.perceptron, "wasm");
      let most = 0;
      for (const rest of [{ ...labels, guidanceScale: 1 }, labels]) {
        const plan = model.plan({ steps: 4, guidanceScale: rest.guidanceScale });
        const [a, reads] = await counting(() => sample({ ...rest, plan, denoiser: model.denoiser, engine: onOrt }));
        equal(reads, 1, "read-backs, ONNX Runtime's included");
        const again = await sample({ ...rest, plan, denoiser: model.denoiser, engine: onOrt });
        equal(difference(a.data, again.data), 0, "again");
        const b = await sample({ ...rest, plan, denoiser: host.denoiser });
        most = Math.max(most, below(difference(a.data, b.data), 1e-3, "against the wasm provider"));
      }
      await host.dispose();
      return `largest difference to the wasm provider ${most}`;
    },

    async "the default engine with a network on WebGPU"() {
      const { condition, guidanceScale, seed } = labels;
      const a = await model.sample({ steps: 4, condition, guidanceScale, seed });
      const plan = model.plan({ steps: 4, guidanceScale });
      const b = await sample({ ...labels, plan, denoiser: model.denoiser, engine: onOrt });
      return below(difference(a.data, b.data), 1e-3, "difference");
    },

    async "two samplings at once wait for each other's network"() {
      const run = (seed) =>
        sample({ ...labels, seed, plan: model.plan({ steps: 4 }), denoiser: model.denoiser, engine: onOrt });
      const alone = [await run(7), await run(8)];
      const together = await Promise.all([run(7), run(8)]);
      for (const [i, { data }] of together.entries()) equal(difference(data, alone[i].data), 0, `run ${i}`);
    },

    async "a network that gives NaN late in the run"() {
      const [spoiled, host] = [await load(folders.spoiled, "webgpu"), await load(folders.spoiled, "wasm")];
      const plan = spoiled.plan({ steps: 4 });
      const rest = { ...labels, plan };
      const expected = await failure(sample({ ...rest, denoiser: host.denoiser }));
      equal(expected.name, "NonFiniteError", "the default engine");
      if (expected.step === 0) throw new Error("too early to tell");
      const error = await failure(sample({ ...rest, denoiser: spoiled.denoiser, engine: onOrt }));
      equal([error.name, error.message], [expected.name, expected.message], "error");
      await spoiled.dispose();
      await host.dispose();
      return error.message;
    },

    async "an engine on another device than ONNX Runtime's is refused"() {
      const error = await failure(
        sample({ ...labels, plan: model.plan({ steps: 4 }), denoiser: model.denoiser, engine }),
      );
      equal(error.name, "TypeError", error.message);
      if (!error.message.startsWith('"engine": expected one on the device of the network\'s ONNX Runtime')) throw error;
    },

    async "ONNX Runtime's device goes during a run"() {
      let calls = 0;
      const denoiser = {
        ...model.denoiser,
        async predictOnDevice(input) {
          if (calls++ === 2) input.device.destroy();
          return model.denoiser.predictOnDevice(input);
        },
      };
      const error = await failure(sample({ ...labels, plan: model.plan({ steps: 4 }), denoiser, engine: onOrt }));
      equal(error.name, "DeviceLostError", error.message);
      complaints.length = 0;
      await sample({ ...one, engine });
      return error.message;
    },
  });
  return checks;
}

function refusal(action) {
  try {
    action();
  } catch (error) {
    return error.message;
  }
  throw new Error("expected a refusal");
}
