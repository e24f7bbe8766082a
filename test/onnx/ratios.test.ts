import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fitRatioModel, predictRatios, type RatioModel } from "../../src/compensation/cpr.ts";
import { searchRatios } from "../../src/compensation/ratio-search.ts";
import type { RatioSearch } from "../../src/compensation/search-json.ts";
import { settingsDifference, settingsOf } from "../../src/compensation/settings.ts";
import { mixtureDenoiser } from "../../src/denoisers/mixture.ts";
import {
  type LoadedModel,
  type LoadModelOptions,
  loadModel,
  type ModelPlanOptions,
} from "../../src/onnx/load-model.ts";
import type { SessionLike } from "../../src/onnx/ort.ts";
import { compensate } from "../../src/plan/compensate.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { ort } from "../support/networks.ts";

type Json = Record<string, unknown>;
type Files = Record<string, string | Uint8Array>;

/** A runtime whose sessions have the usual inputs and never run. */
function fakeOrt(timestep = "float32") {
  const inputs = { sample: ["float32", ["batch", 1, 2, 2]], timestep: [timestep, ["batch"]] } as const;
  const session: SessionLike = {
    inputNames: Object.keys(inputs),
    outputNames: ["out_sample"],
    inputMetadata: Object.entries(inputs).map(([name, [type, shape]]) => ({ name, isTensor: true, type, shape })),
    run: () => Promise.reject(new Error("a fake session does not run")),
  };
  return { Tensor: ort.Tensor, InferenceSession: { create: async () => session } };
}

const network = Uint8Array.of(8, 7, 6, 5);
const tiny: Files = {
  "model_index.json": JSON.stringify({
    _class_name: "DDIMPipeline",
    unet: ["diffusers", "UNet2DModel"],
    scheduler: ["diffusers", "DDIMScheduler"],
  }),
  "unet/config.json": JSON.stringify({ _class_name: "UNet2DModel", in_channels: 1, out_channels: 1, sample_size: 2 }),
  "unet/model.onnx": network,
  "scheduler/scheduler_config.json": JSON.stringify({ _class_name: "DDIMScheduler" }),
};
const bytes = (content: string | Uint8Array) =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;
const reading = (files: Files) => async (path: string) => {
  const content = files[path];
  if (content === undefined) throw new Error(`no ${path}`);
  return bytes(content);
};
const index = (...files: unknown[]) => JSON.stringify({ kind: "dc-solver/ratio-index", version: 1, files });

/** Returns the tiny model with these ratio files, all of them in the index. */
function load(ratios: Record<string, unknown>, timestep?: string): Promise<LoadedModel> {
  const files = Object.entries(ratios).map(([name, json]) => [`ratios/${name}`, JSON.stringify(json)]);
  const listed = { "ratios/index.json": index(...Object.keys(ratios)) };
  const folder = reading({ ...tiny, ...listed, ...Object.fromEntries(files) });
  return loadModel({ ort: fakeOrt(timestep), folder });
}

/** Returns ratios for a plan, searched on a mixture in the place of the network. */
function searchFor(plan: Plan, guidanceScale = 1): Promise<RatioSearch> {
  const { schedule } = plan.options;
  const denoiser = mixtureDenoiser({
    schedule,
    means: [
      [0.5, -0.5, 0.2, 0.4],
      [-0.6, 0.1, 0.3, -0.2],
    ],
    std: [0.2, 0.1],
    weights: [1, 1],
  });
  return searchRatios({
    plan,
    denoiser,
    shape: [2, 1, 2, 2],
    seed: 3,
    guidanceScale,
    condition: [0, 1],
    unconditional: [-1, -1],
    reference: { steps: 20 },
    maxEvaluations: 3,
  });
}

let bare: LoadedModel;
let five: RatioSearch;
let six: RatioSearch;
let model: RatioModel;
const off = (o: ModelPlanOptions = {}) => bare.plan({ ...o, ratios: "off" });
beforeAll(async () => {
  bare = await loadModel({ ort: fakeOrt(), folder: reading(tiny) });
  five = await searchFor(off({ steps: 5 }), 2);
  six = await searchFor(off({ steps: 6 }), 2);
  model = fitRatioModel([five, { ...six, guidanceScale: 4 }], { degrees: { step: 1, guidance: 1, steps: 1 } });
});

describe("ratios auto", () => {
  test("takes the search whose settings, steps and guidance are the plan's", async () => {
    const loaded = await load({ "five.json": five, "six.json": six });
    for (const [search, steps] of [[five, 5] as const, [six, 6] as const]) {
      const plan = loaded.plan({ steps, guidanceScale: 2 });
      expect(plan.options.ratios).toEqual(search.ratios);
      expect(plan.toJSON()).toEqual(compensate(off({ steps }), search.ratios).toJSON());
    }
    expect(loaded.plan({ guidanceScale: 2, ratios: "off" }).options.ratios).toBeUndefined();
    expect(loaded.plan({ guidanceScale: 2, ratios: [1, 1, 1, 0.5, 1] }).options.ratios).toEqual([1, 1, 1, 0.5, 1]);
  });

  test.each<[string, ModelPlanOptions]>([
    ["other steps", { steps: 7 }],
    ["another guidance", { guidanceScale: 2.5 }],
    ["no guidance", { guidanceScale: 1 }],
    ["another solver", { solver: "dpmpp" }],
    ["another order", { order: 3 }],
    ["another variant", { variant: "bh1" }],
    ["another spacing", { spacing: "logSNR" }],
    ["a grid of its own", { grid: [1, 0.8, 0.6, 0.4, 0.2, 0.001] }],
    ["another space", { predict: "epsilon" }],
    ["no corrector", { corrector: false }],
    ["thresholding", { thresholding: {} }],
    ["another degree of the interpolation", { dcOrder: 1 }],
  ])("takes none for %s", async (_, options) => {
    const loaded = await load({ "five.json": five });
    const plan = loaded.plan({ guidanceScale: 2, ...options });
    expect(plan.options.ratios).toBeUndefined();
    expect(plan.toJSON()).toEqual(off(withoutGuidance(options)).toJSON());
  });

  test("takes a search whatever the order of the keys in its file, and with the degree that it was made with", async () => {
    const turned = reverseKeys(JSON.parse(JSON.stringify(five)));
    expect((await load({ "five.json": turned })).plan({ guidanceScale: 2 }).options.ratios).toEqual(five.ratios);
    const linear = await searchFor(off({ steps: 5, dcOrder: 1 }), 2);
    const loaded = await load({ "linear.json": linear, "five.json": five });
    expect(loaded.plan({ guidanceScale: 2 }).options).toMatchObject({ ratios: linear.ratios, dcOrder: 1 });
    expect(loaded.plan({ guidanceScale: 2, dcOrder: 2 }).options).toMatchObject({ ratios: five.ratios, dcOrder: 2 });
  });

  test("prefers a search to a model, and takes the model's prediction inside its range only", async () => {
    const loaded = await load({ "model.json": model, "five.json": five });
    expect(loaded.ratioModel?.coefficients).toEqual(model.coefficients);
    expect(loaded.plan({ guidanceScale: 2 }).options.ratios).toEqual(five.ratios);
    const predicted = predictRatios(model, { steps: 6, guidanceScale: 3 });
    expect(loaded.plan({ steps: 6, guidanceScale: 3 }).options.ratios).toEqual(predicted);
    for (const o of [{ steps: 7, guidanceScale: 3 }, { steps: 4, guidanceScale: 3 }, { guidanceScale: 4.5 }, {}]) {
      expect(loaded.plan(o).options.ratios).toBeUndefined();
    }
    expect(loaded.plan({ guidanceScale: 3, variant: "bh1" }).options.ratios).toBeUndefined();
  });

  test("a model that does not say where it holds is there for predictRatios, and used by no plan", async () => {
    const { settings: _, ...silent } = model.toJSON() as Json;
    const loaded = await load({ "model.json": silent });
    expect(loaded.ratioModel?.rank).toBe(model.rank);
    expect(loaded.plan({ guidanceScale: 3 }).options.ratios).toBeUndefined();
  });

  test("for a network with integer timesteps compares the rule of the grid, and that it is moved to integers", async () => {
    const plan = (await load({}, "int64")).plan({ ratios: "off" });
    expect(settingsOf(plan)).toMatchObject({ spacing: "time_uniform", options: { integerTimesteps: true } });
    // One rule for all numbers of steps, so that one ratio model can hold for them.
    const longer = (await load({}, "int64")).plan({ steps: 8, ratios: "off" });
    expect(settingsDifference(settingsOf(plan), settingsOf(longer))).toBeUndefined();
    const search = await searchFor(plan, 2);
    const loaded = await load({ "search.json": search, "five.json": five }, "int64");
    expect(loaded.plan({ guidanceScale: 2 }).options.ratios).toEqual(search.ratios);
    expect(loaded.plan({ guidanceScale: 2, spacing: "logSNR" }).options.ratios).toBeUndefined();
    expect((await load({ "search.json": search })).plan({ guidanceScale: 2 }).options.ratios).toBeUndefined();
  });
});

describe("the hash of the network", () => {
  const marked = (hash: string) => ({ ...(five.toJSON() as Json), settings: { ...five.settings, model: hash } });

  test("is the same for the same bytes, and another for others", async () => {
    const other = reading({ ...tiny, "unet/model.onnx": Uint8Array.of(8, 7, 6, 4) });
    expect(bare.hash()).toMatch(/^[0-9a-f]{16}$/);
    expect((await load({ "five.json": five })).hash()).toBe(bare.hash());
    expect((await loadModel({ ort: fakeOrt(), folder: other })).hash()).not.toBe(bare.hash());
  });

  test("in a file is compared when the folder is loaded", async () => {
    const loaded = await load({ "five.json": marked(bare.hash()) });
    expect(loaded.plan({ guidanceScale: 2 }).options.ratios).toEqual(five.ratios);
    const wrong = load({ "five.json": marked("0123456789abcdef") });
    await expect(wrong).rejects.toThrow(
      `"ratios/five.json": "settings.model": expected "${bare.hash()}", the hash of this network, got "0123456789abcdef"; search`,
    );
    await expect(wrong).rejects.toThrow(RangeError);
  });

  test("is known too where the runtime takes the bytes away", async () => {
    const fake = fakeOrt();
    const takes = async (given: Uint8Array) => {
      structuredClone(given, { transfer: [given.buffer] });
      return fake.InferenceSession.create();
    };
    const folder = reading({ ...tiny, "unet/model.onnx": network.slice() });
    const runtime = { Tensor: ort.Tensor, InferenceSession: { create: takes }, env: { wasm: { proxy: true } } };
    expect((await loadModel({ ort: runtime, folder })).hash()).toBe(bare.hash());
  });
});

describe("where the files are", () => {
  const work = mkdtempSync(join(tmpdir(), "dc-solver-ratios-"));
  afterAll(() => rmSync(work, { recursive: true, force: true }));
  const found = async (folder: LoadModelOptions["folder"]) =>
    (await loadModel({ ort: fakeOrt(), folder })).plan({ guidanceScale: 2 }).options.ratios;
  const indexed = (): Files => ({
    ...tiny,
    "ratios/index.json": index("five.json"),
    "ratios/five.json": JSON.stringify(five),
  });
  async function onDisk(name: string, files: Files): Promise<string> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(work, name, path)), { recursive: true });
      await writeFile(join(work, name, path), content);
    }
    return join(work, name);
  }

  test("those that the index lists, from a path, a URL, a server and a function", async () => {
    const path = await onDisk("indexed", indexed());
    await writeFile(join(path, "ratios/ignored.json"), "{");
    expect(await found(path)).toEqual(five.ratios);
    expect(await found(pathToFileURL(path))).toEqual(five.ratios);
    expect(await found(reading(indexed()))).toEqual(five.ratios);
    await served(path, async (url) => expect(await found(url)).toEqual(five.ratios));
  });

  test("all that are there, where a folder without an index can be listed", async () => {
    const { "ratios/index.json": _, ...files } = indexed();
    const path = await onDisk("listed", { ...files, "ratios/notes.txt": "no ratios" });
    expect(await found(path)).toEqual(five.ratios);
    expect(await found(pathToFileURL(path))).toEqual(five.ratios);
    expect(await found(reading(files))).toBeUndefined();
    await served(path, async (url) => expect(await found(url)).toBeUndefined());
  });

  test("none, where there is neither index nor folder", async () => {
    const path = await onDisk("none", tiny);
    expect(await found(path)).toBeUndefined();
    await served(path, async (url) => expect(await found(url)).toBeUndefined());
    expect(await found(async (name) => (tiny[name] && bytes(tiny[name])) as Uint8Array)).toBeUndefined();
    // A server of a web application has a page for everything.
    const page = async (name: string) => bytes(tiny[name] ?? "<!doctype html>");
    expect(await found(page)).toBeUndefined();
  });

  test("a server that fails is no server without the file", async () => {
    const path = await onDisk("failing", tiny);
    await served(
      path,
      async (url) => expect(found(url)).rejects.toThrow(/"ratios\/index.json": cannot be read: .*HTTP 500/),
      500,
    );
  });
});

describe("files that are broken", () => {
  const at = (files: Files) => loadModel({ ort: fakeOrt(), folder: reading({ ...tiny, ...files }) });

  test.each<[string, string, string]>([
    ["cut off", '{"kind": "dc', '"ratios/index.json": not JSON, or cut off'],
    ["empty", "", '"ratios/index.json": the file is empty'],
    ["an array", "[]", '"ratios/index.json": expected a JSON object, got an array'],
    ["of another kind", "{}", '"ratios/index.json": "kind": expected "dc-solver/ratio-index", got undefined'],
    [
      "of another version",
      '{"kind": "dc-solver/ratio-index", "version": 2}',
      '"ratios/index.json": "version": expected 1, got 2',
    ],
    [
      "without files",
      '{"kind": "dc-solver/ratio-index", "version": 1}',
      '"ratios/index.json": "files": expected an array of file names, got undefined',
    ],
    ["with a number", index(3), '"ratios/index.json": "files[0]": expected a file name, got 3'],
    ["with a path", index("../a.json"), '"ratios/index.json": "files[0]": expected the name of a .json file'],
    ["with another file", index("a.npy"), '"ratios/index.json": "files[0]": expected the name of a .json file'],
    ["with a file that is not there", index("a.json"), '"ratios/a.json": cannot be read: no ratios/a.json'],
  ])("an index that is %s", async (_, content, message) => {
    await expect(at({ "ratios/index.json": content })).rejects.toThrow(message);
  });

  const changed = (changes: Json) => JSON.stringify({ ...(five.toJSON() as Json), ...changes });
  const progress = { finished: false, found: [] };
  test.each<[string, () => string, string]>([
    ["cut off", () => changed({}).slice(0, 100), '"ratios/a.json": not JSON, or cut off'],
    ["empty", () => "", '"ratios/a.json": the file is empty'],
    [
      "of another kind",
      () => "{}",
      '"ratios/a.json": "kind": expected "dc-solver/ratios" or "dc-solver/ratio-model", got undefined',
    ],
    ["of another version", () => changed({ version: 2 }), '"ratios/a.json": "version": expected 1, got 2'],
    ["unfinished", () => changed(progress), '"ratios/a.json": "json": expected a finished search'],
    [
      "short of ratios",
      () => changed({ ratios: [1, 1] }),
      '"ratios/a.json": "ratios": expected one number per step, 5',
    ],
    ["without settings", () => changed({ settings: undefined }), '"ratios/a.json": "settings": expected an object'],
    [
      "a model without numbers",
      () => JSON.stringify({ ...(model.toJSON() as Json), coefficients: [] }),
      '"ratios/a.json": "coefficients": expected 8 numbers',
    ],
  ])("ratios that are %s", async (_, content, message) => {
    const files = { "ratios/index.json": index("a.json"), "ratios/a.json": content() };
    await expect(at(files)).rejects.toThrow(message);
  });
});

function withoutGuidance({ guidanceScale: _, ...rest }: ModelPlanOptions): ModelPlanOptions {
  return rest;
}

function reverseKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reverseKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, entry]) => [key, reverseKeys(entry)]),
  );
}

/** Serves a folder; what is not there is answered with `absent`. */
async function served(folder: string, use: (url: string) => Promise<unknown>, absent = 404): Promise<void> {
  const server = createServer((request, response) => {
    readFile(join(folder, request.url ?? "")).then(
      (content) => response.end(content),
      () => response.writeHead(absent).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}
