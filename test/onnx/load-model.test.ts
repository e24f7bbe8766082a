import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LoadedModel, type LoadModelOptions, loadModel } from "../../src/onnx/load-model.ts";
import type { SessionLike } from "../../src/onnx/ort.ts";
import { sample } from "../../src/sampling/sample.ts";
import { createPlan } from "../../src/solvers/index.ts";
import { digits, distance, ort, repository } from "../support/networks.ts";

const folder = repository("models/digits/");
const onDisk = (path: string): Promise<Uint8Array> => readFile(new URL(path, folder));

/** Returns the bundled folder with some files replaced: bytes, text, or keys of a JSON file. */
function changed(files: Record<string, string | Uint8Array | Record<string, unknown>>) {
  return async (path: string): Promise<Uint8Array> => {
    const change = files[path];
    if (change === undefined || change instanceof Uint8Array) return change ?? onDisk(path);
    const encode = (text: string) => new TextEncoder().encode(text);
    if (typeof change === "string") return encode(change);
    const json = JSON.parse(new TextDecoder().decode(await onDisk(path)));
    return encode(JSON.stringify({ ...json, ...change }));
  };
}

/** A runtime whose sessions say what is given, and never run. */
function fakeOrt(inputs: Record<string, [type: string, shape: (number | string)[]]>) {
  const session: SessionLike & { released: number } = {
    inputNames: Object.keys(inputs),
    outputNames: ["out_sample"],
    inputMetadata: Object.entries(inputs).map(([name, [type, shape]]) => ({ name, isTensor: true, type, shape })),
    run: () => Promise.reject(new Error("a fake session does not run")),
    release: async () => void session.released++,
    released: 0,
  };
  return { Tensor: ort.Tensor, InferenceSession: { create: async () => session }, session };
}

const usual = {
  sample: ["float32", ["batch", 1, 28, 28]],
  timestep: ["float32", ["batch"]],
  class_labels: ["int64", ["batch"]],
} as const;
const withTimestep = (type: string) =>
  fakeOrt({ ...usual, timestep: [type, ["batch"]] } as unknown as Parameters<typeof fakeOrt>[0]);

const index = "model_index.json";
const unet = "unet/config.json";
const network = "unet/model.onnx";
const scheduler = "scheduler/scheduler_config.json";

describe("the bundled network", () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await loadModel({ ort, folder });
  });
  afterAll(() => model.dispose());

  test("says what it is", () => {
    expect(model.shape).toEqual([1, 28, 28]);
    expect(model.labels).toBe(10);
    expect(model.denoiser.prediction).toBe("v_prediction");
    expect(model.schedule.kind).toBe("vp-discrete");
    expect([model.schedule.tMin, model.schedule.tMax]).toEqual([0.001, 1]);
    expect(model.schedule.modelTime(0.8002)).toBeCloseTo(799.2, 9);
  });

  // 2e-3 of the largest value is what the reference gives for runs: guidance amplifies float32 differences of the runtimes.
  test.each(digits.runs)(
    "$solver $variant order $order, $steps steps, guidance $guidanceScale, ratios $ratios: the published classes' images",
    async (run) => {
      const { steps, order, variant, guidanceScale, ratios, dcOrder } = run;
      const compensation = ratios === null ? ({ ratios: "off" } as const) : { ratios, dcOrder: dcOrder as number };
      const plan = model.plan({ solver: run.solver, steps, order, variant, guidanceScale, ...compensation });
      const result = await sample({
        plan,
        denoiser: model.denoiser,
        shape: [digits.labels.length, ...model.shape],
        noise: Float32Array.from(digits.noise),
        condition: digits.labels,
        unconditional: digits.labels.map(() => -1),
        guidanceScale,
      });
      expect(result.nfe).toBe(steps);
      expect(distance(result.data, run.result)).toBeLessThan(2e-3);
    },
  );

  test("sample() is the core's sample with the model's plan, and repeats its bits", async () => {
    const condition = [4, -1];
    const mine = await model.sample({ condition, seed: 5, steps: 3, guidanceScale: 3 });
    const core = await sample<readonly number[]>({
      plan: createPlan({ schedule: model.schedule, steps: 3 }),
      denoiser: model.denoiser,
      shape: [2, 1, 28, 28],
      condition,
      unconditional: [-1, -1],
      guidanceScale: 3,
      seed: 5,
    });
    expect(mine.shape).toEqual([2, 1, 28, 28]);
    expect(mine.data).toEqual(core.data);
  });

  test("five steps without guidance are the default", async () => {
    const seen: [number, number][] = [];
    const result = await model.sample({ condition: [2], seed: 0, onStep: (e) => seen.push([e.step, e.steps]) });
    expect(result.nfe).toBe(5);
    expect(seen).toEqual([0, 1, 2, 3, 4].map((step) => [step, 5]));
  });

  test("a label −1, or no condition, is the null class", async () => {
    const x = Float32Array.from(digits.sample);
    const input = { x, shape: digits.shape, t: 0.401, modelTime: 400 };
    const none = await model.denoiser.predict({ ...input, condition: undefined });
    expect(await model.denoiser.predict({ ...input, condition: [-1, -1, -1, -1] })).toEqual(none);
    const expected = digits.raw.find((raw) => raw.timestep === 400)?.output.slice(2 * 784, 3 * 784) ?? [];
    expect(distance(none.subarray(2 * 784, 3 * 784), expected)).toBeLessThan(2e-5);
  });

  test.each<[string, object, typeof RangeError, RegExp]>([
    [
      "a label it lacks",
      { condition: [3, 10] },
      RangeError,
      /"condition\[1\]": expected an integer from -1 to 9, got 10/,
    ],
    ["a label below −1", { condition: [-2] }, RangeError, /"condition\[0\]"/],
    ["half a label", { condition: [1.5] }, RangeError, /"condition\[0\]"/],
    ["no labels", { condition: [] }, RangeError, /"condition": expected one label per sample/],
    ["no condition", {}, TypeError, /"condition": expected an array of numbers, got undefined/],
    ["NaN guidance", { condition: [1], guidanceScale: Number.NaN }, RangeError, /"guidanceScale"/],
    ["an unknown option", { condition: [1], step: 3 }, TypeError, /"step": unknown option of LoadedModel.sample/],
    ["no steps", { condition: [1], steps: 0 }, RangeError, /"steps"/],
    ["no seed", { condition: [1], seed: undefined }, TypeError, /seed/],
  ])("%s is refused", async (_, o, kind, message) => {
    const run = () => model.sample({ seed: 0, ...o } as Parameters<LoadedModel["sample"]>[0]);
    await expect(run()).rejects.toThrow(message);
    await expect(run()).rejects.toThrow(kind);
  });

  test("a plan with contradicting steps is refused", async () => {
    const plan = model.plan({ steps: 3 });
    await expect(model.sample({ condition: [1], seed: 0, plan, steps: 4 })).rejects.toThrow(TypeError);
    expect((await model.sample({ condition: [1], seed: 0, plan, steps: 3 })).nfe).toBe(3);
  });

  test("an aborted run rejects with the signal's reason", async () => {
    const controller = new AbortController();
    const run = model.sample({
      condition: [1],
      seed: 0,
      signal: controller.signal,
      onStep: () => controller.abort(new Error("enough")),
    });
    await expect(run).rejects.toThrow("enough");
  });

  test("plan() refuses what is not its own", () => {
    expect(() => model.plan({ schedule: model.schedule } as object)).toThrow(/"schedule": unknown option/);
    expect(() => model.plan({ ratios: "on" } as object)).toThrow(/"ratios": expected one of "auto", "off", got "on"/);
    expect(() => model.plan({ colour: 1 } as object)).toThrow(TypeError);
  });
});

describe("where a folder is", () => {
  const load = (where: LoadModelOptions["folder"]) => loadModel({ ort: withTimestep("float32"), folder: where });

  test.each<[string, LoadModelOptions["folder"]]>([
    ["a path", fileURLToPath(folder)],
    ["a path without a slash at its end", fileURLToPath(folder).replace(/[\\/]$/, "")],
    ["a file URL", folder],
    ["a file URL without a slash at its end", new URL(folder.href.replace(/\/$/, ""))],
    ["a file URL as text", folder.href],
    ["a function", onDisk],
  ])("%s", async (_, where) => {
    expect((await load(where)).shape).toEqual([1, 28, 28]);
  });

  test("an http URL, whose missing files are named", async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? "");
      const path = request.url?.replace(/^\/some\/digits\//, "") ?? "";
      onDisk(path).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect((await load(`${base}/some/digits`)).shape).toEqual([1, 28, 28]);
      expect((await load(new URL(`${base}/some/digits/`))).shape).toEqual([1, 28, 28]);
      expect(asked[0]).toBe("/some/digits/model_index.json");
      await expect(load(`${base}/other`)).rejects.toThrow(/"model_index.json": cannot be read: .*HTTP 404/);
    } finally {
      server.close();
    }
  });

  test.each([undefined, 3, "", null])("%j is none", async (where) => {
    await expect(load(where as unknown as string)).rejects.toThrow(/"folder": expected a path, a URL or a function/);
  });
});

describe("a folder that is broken", () => {
  const bytes = (...values: number[]) => Uint8Array.from(values);
  test.each<[string, string, Parameters<typeof changed>[0], RegExp]>([
    ["an empty index", index, { [index]: bytes() }, /the file is empty/],
    ["an index cut off", index, { [index]: '{"unet": ["diffusers",' }, /not JSON, or cut off/],
    ["an index that is not UTF-8", index, { [index]: bytes(0x7b, 0xff, 0x7d) }, /not JSON/],
    ["an index that is an array", index, { [index]: "[]" }, /expected a JSON object, got an array/],
    ["an index that is a number", index, { [index]: "12" }, /expected a JSON object, got 12/],
    ["an index that is null", index, { [index]: "null" }, /expected a JSON object, got null/],
    ["no class in the index", index, { [index]: { _class_name: null } }, /"_class_name": expected a string/],
    ["no scheduler in the index", index, { [index]: { scheduler: null } }, /"scheduler": expected \[library, class\]/],
    [
      "a text encoder",
      index,
      { [index]: { text_encoder: ["transformers", "CLIPTextModel"] } },
      /"text_encoder".*onnxDenoiser/,
    ],
    [
      "a network of another kind",
      unet,
      { [unet]: { _class_name: "FluxTransformer2DModel" } },
      /"_class_name": expected "UNet2DModel"/,
    ],
    ["channels as text", unet, { [unet]: { in_channels: "1" } }, /"in_channels": expected an integer ≥ 1, got "1"/],
    ["no channels", unet, { [unet]: { in_channels: null } }, /"in_channels"/],
    [
      "a learned variance",
      unet,
      { [unet]: { out_channels: 2 } },
      /"out_channels": expected 1, as "in_channels", got 2/,
    ],
    ["half a pixel", unet, { [unet]: { sample_size: 27.5 } }, /"sample_size": expected an integer/],
    ["three sides", unet, { [unet]: { sample_size: [1, 2, 3] } }, /"sample_size"/],
    ["labels from timesteps", unet, { [unet]: { class_embed_type: "timestep" } }, /"class_embed_type"/],
    ["labels of the wrong type", unet, { [unet]: { num_class_embeds: true } }, /"num_class_embeds"/],
    [
      "a shape that is not the network's",
      network,
      { [unet]: { sample_size: 32 } },
      /its sample is \[batch, 1, 28, 28\], but unet\/config.json says \[batch, 1, 32, 32\]/,
    ],
    ["labels that the config conceals", network, { [unet]: { num_class_embeds: null } }, /has an input "class_labels"/],
    [
      "a scheduler of another kind",
      scheduler,
      { [scheduler]: { _class_name: "FlowMatchEulerDiscreteScheduler" } },
      /"_class_name": expected one of DDIMScheduler/,
    ],
    ["no scheduler class", scheduler, { [scheduler]: { _class_name: undefined } }, /"_class_name": expected a string/],
    [
      "an unknown beta schedule",
      scheduler,
      { [scheduler]: { beta_schedule: "sigmoid" } },
      /"beta_schedule": expected one of "linear", .*got "sigmoid"/,
    ],
    ["an unknown prediction", scheduler, { [scheduler]: { prediction_type: "x0" } }, /"prediction_type".*got "x0"/],
    ["beta as text", scheduler, { [scheduler]: { beta_start: "0.1" } }, /"beta_start": expected a number/],
    ["beta above 1", scheduler, { [scheduler]: { beta_end: 1.5 } }, /beta/],
    ["no training steps", scheduler, { [scheduler]: { num_train_timesteps: 0 } }, /"num_train_timesteps"/],
    ["betas that are no numbers", scheduler, { [scheduler]: { trained_betas: [0.1, "0.2"] } }, /"trained_betas"/],
    [
      "betas of another count",
      scheduler,
      { [scheduler]: { trained_betas: [0.1, 0.2] } },
      /"trained_betas": expected 1000 numbers/,
    ],
    [
      "zero terminal SNR",
      scheduler,
      { [scheduler]: { rescale_betas_zero_snr: true } },
      /"rescale_betas_zero_snr": expected false/,
    ],
    ["flow sigmas", scheduler, { [scheduler]: { use_flow_sigmas: true } }, /"use_flow_sigmas"/],
    [
      "a key that nobody knows",
      scheduler,
      { [scheduler]: { beta_shape: "round" } },
      /"beta_shape": expected no such key, got "round"/,
    ],
    ["a scheduler file cut off", scheduler, { [scheduler]: '{"beta_start": 0.0' }, /not JSON, or cut off/],
    ["an empty network", network, { [network]: bytes() }, /the file is empty/],
  ])("%s: an error that names %s", async (_, file, files, message) => {
    const fake = withTimestep("float32");
    const error = await loadModel({ ort: fake, folder: changed(files) }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toContain(`"${file}"`);
    expect((error as Error).message).toMatch(message);
  });

  test.each([index, unet, network, scheduler])("without %s: an error that names it", async (missing) => {
    const read = (path: string) => (path === missing ? Promise.reject(new Error("ENOENT")) : onDisk(path));
    await expect(loadModel({ ort: withTimestep("float32"), folder: read })).rejects.toThrow(
      `"${missing}": cannot be read: ENOENT`,
    );
  });

  test("without a folder: an error that names the first file", async () => {
    await expect(loadModel({ ort, folder: "/no/such/folder" })).rejects.toThrow(
      /"model_index.json": cannot be read: ENOENT/,
    );
  });

  test("a function that returns text: an error that names the file", async () => {
    const read = async () => "{}" as unknown as Uint8Array;
    await expect(loadModel({ ort, folder: read })).rejects.toThrow(
      /"model_index.json": expected the file's bytes as a Uint8Array, got "{}"/,
    );
  });

  test("a network cut off: an error that names it and the provider", async () => {
    const half = (await onDisk(network)).subarray(0, 1_000_000);
    await expect(loadModel({ ort, folder: changed({ [network]: half }) })).rejects.toThrow(
      /"unet\/model.onnx": ONNX Runtime cannot load it with wasm/,
    );
  });

  test("a provider that is not there: an error, no other one in its place", async () => {
    await expect(loadModel({ ort, folder, executionProviders: ["webgpu"] })).rejects.toThrow(/with webgpu/);
  });

  test("a session that does not fit is released", async () => {
    const fake = withTimestep("float32");
    await expect(loadModel({ ort: fake, folder: changed({ [unet]: { sample_size: 32 } }) })).rejects.toThrow();
    expect(fake.session.released).toBe(1);
  });
});

describe("what a scheduler file may leave out or add", () => {
  const load = async (json: Record<string, unknown>) =>
    loadModel({ ort: withTimestep("float32"), folder: changed({ [scheduler]: JSON.stringify(json) }) });

  test("keys about sampling change nothing", async () => {
    const plain = await loadModel({ ort: withTimestep("float32"), folder });
    const full = await loadModel({
      ort: withTimestep("float32"),
      folder: changed({
        [scheduler]: {
          _diffusers_version: "0.39.0",
          steps_offset: 1,
          timestep_spacing: "leading",
          solver_order: 3,
          use_karras_sigmas: true,
        },
      }),
    });
    expect(full.plan().toJSON()).toEqual(plain.plan().toJSON());
  });

  test("without betas they are linear from 1e-4 to 0.02, the output is the noise", async () => {
    const { schedule, denoiser } = await load({ _class_name: "DDPMScheduler" });
    expect(denoiser.prediction).toBe("epsilon");
    // The first entry of the table, t = 1/1000: alpha² = 1 − beta₀.
    expect(schedule.alpha(0.001) ** 2).toBeCloseTo(1 - 1e-4, 12);
  });

  test("trained betas are the table", async () => {
    const { schedule } = await load({ _class_name: "DDIMScheduler", trained_betas: [0.1, 0.2, 0.3, 0.4] });
    expect(schedule.tMin).toBe(0.25);
    expect(schedule.alpha(1) ** 2).toBeCloseTo(0.9 * 0.8 * 0.7 * 0.6, 12);
  });
});

describe("a network that takes integer timesteps", () => {
  test.each(["int64", "int32"])("%s: the grid lies on training steps", async (type) => {
    const model = await loadModel({ ort: withTimestep(type), folder });
    // Time-uniform from 1 to 0.001 in 4 steps: 749.25 → 749, 499.49999999999994 → 499, 249.75 → 250.
    expect(Array.from(model.plan({ steps: 4 }).grid)).toEqual([1, 0.75, 0.5, 0.251, 0.001]);
    expect(Array.from(model.plan({ grid: [0.9004, 0.5, 0.1] }).grid)).toEqual([0.9, 0.5, 0.1]);
    // Half to even, where the product is exact: 249.5 → 250, 124.5 → 124 (0.2505 and 0.1255 times 1000 are).
    expect(Array.from(model.plan({ grid: [0.2505, 0.1255] }).grid)).toEqual([0.251, 0.125]);
  });

  test("a float network's grid is left as it is", async () => {
    const model = await loadModel({ ort: withTimestep("float32"), folder });
    expect(model.plan({ steps: 4 }).grid[1]).toBeCloseTo(0.75025, 12);
  });

  test("two times on one training step: an error with the largest number of steps that works", async () => {
    const model = await loadModel({ ort: withTimestep("int64"), folder });
    expect(() => model.plan({ steps: 1000 })).toThrow(/"steps": expected at most 999 with this spacing.*got 1000/);
    expect(model.plan({ steps: 999 }).steps.length).toBe(999);
    const most = (() => {
      try {
        model.plan({ steps: 300, spacing: "logSNR" });
      } catch (error) {
        return Number(/at most (\d+)/.exec((error as Error).message)?.[1]);
      }
      return 300;
    })();
    expect(most).toBeLessThan(300);
    expect(model.plan({ steps: most, spacing: "logSNR" }).steps.length).toBe(most);
    expect(() => model.plan({ steps: most + 1, spacing: "logSNR" })).toThrow(RangeError);
    expect(() => model.plan({ grid: [0.9, 0.5003, 0.4999, 0.1] })).toThrow(
      /"grid\[2\]": expected times on different training steps/,
    );
  });
});

describe("a network without condition", () => {
  const bare = () => {
    const { class_labels: _, ...inputs } = usual;
    return fakeOrt(inputs as unknown as Parameters<typeof fakeOrt>[0]);
  };
  const folderOf = changed({ [unet]: { num_class_embeds: null } });

  test("takes the label −1 only, and no guidance", async () => {
    const model = await loadModel({ ort: bare(), folder: folderOf });
    expect(model.labels).toBe(0);
    await expect(model.sample({ condition: [0], seed: 0 })).rejects.toThrow(RangeError);
    await expect(model.sample({ condition: [-1], seed: 0, guidanceScale: 2 })).rejects.toThrow(
      /"guidanceScale": expected 1/,
    );
    await expect(model.sample({ condition: [-1], seed: 0 })).rejects.toThrow("a fake session does not run");
  });

  test("needs no class count, but no count where there is no input is an error", async () => {
    await expect(loadModel({ ort: bare(), folder })).rejects.toThrow(/unet\/config.json says 11 classes/);
  });
});

describe("what contradicts itself or is of the wrong kind", () => {
  const wrong = (value: unknown) => value as never;

  test("steps beside a plan of other steps, null for steps, what is no plan: an error before the network runs", async () => {
    const model = await loadModel({ ort: withTimestep("float32"), folder });
    const call = { condition: [1], seed: 0 };
    const plan = model.plan({ steps: 4 });
    await expect(model.sample({ ...call, plan, steps: 5 })).rejects.toThrow(
      new TypeError('"steps": 5 contradicts "plan", which has 4; give one of the two'),
    );
    await expect(model.sample({ ...call, plan, steps: 4 })).rejects.toThrow("a fake session does not run");
    const noPlan = /^"plan": expected a plan from createPlan, compensate or planFromJSON, got an object$/;
    await expect(model.sample({ ...call, plan: wrong({}), steps: 5 })).rejects.toThrow(noPlan);
    const noSteps = new TypeError('"steps": expected an integer ≥ 1, got null');
    await expect(model.sample({ ...call, steps: wrong(null) })).rejects.toThrow(noSteps);
    expect(() => model.plan({ steps: wrong(null) })).toThrow(noSteps);
  });
});

test("files may come from another realm", async () => {
  const read = async (path: string) => runInNewContext("Uint8Array.from(bytes)", { bytes: await onDisk(path) });
  const model = await loadModel({ ort: withTimestep("float32"), folder: read });
  expect(model.labels).toBe(10);
});

describe("after dispose", () => {
  test("every call says so, and a second dispose is harmless", async () => {
    const fake = withTimestep("float32");
    const model = await loadModel({ ort: fake, folder });
    await Promise.all([model.dispose(), model.dispose()]);
    await model.dispose();
    expect(fake.session.released).toBe(1);
    await expect(model.sample({ condition: [1], seed: 0 })).rejects.toThrow(/disposed/);
    const input = { x: new Float32Array(784), shape: [1, 1, 28, 28], t: 1, modelTime: 999, condition: [1] };
    await expect(model.denoiser.predict(input)).rejects.toThrow(/disposed/);
  });
});
