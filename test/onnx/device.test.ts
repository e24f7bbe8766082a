// The call on a GPU as the session sees it. What a GPU makes of it is in test/webgpu.
import { describe, expect, it } from "vitest";
import type { DeviceInput } from "../../src/denoisers/denoiser.ts";
import { type OnnxDenoiserOptions, onnxDenoiser } from "../../src/onnx/index.ts";
import { loadModel } from "../../src/onnx/load-model.ts";
import { wrong } from "../errors/table.ts";
import { ort } from "../support/networks.ts";
import { tinyFolder } from "../support/tiny-model.ts";

const device = { name: "the device" };
const disposed: unknown[] = [];
class Tensor {
  constructor(
    readonly type: string,
    readonly data: unknown,
    readonly dims: readonly number[],
  ) {}
  static fromGpuBuffer(buffer: unknown, { dataType, dims }: { dataType: string; dims: readonly number[] }) {
    return new Tensor(dataType, buffer, dims);
  }
  dispose() {
    disposed.push(this.data);
  }
}
const fakeOrt = { Tensor, env: { webgpu: { device: Promise.resolve(device) } } };

type Types = { sample?: string; output?: string; batch?: number | string };
function fake({ sample = "float32", output = "float32", batch = "batch" }: Types = {}) {
  const runs: Record<string, Tensor>[][] = [];
  const describe = (name: string, type: string) => ({ name, isTensor: true, type, shape: [batch, 3] });
  return {
    runs,
    inputNames: ["sample", "timestep", "class_labels"],
    outputNames: ["out_sample"],
    inputMetadata: [
      describe("sample", sample),
      { name: "timestep", isTensor: true, type: "float32", shape: ["batch"] },
      { name: "class_labels", isTensor: true, type: "int64", shape: ["batch"] },
    ],
    outputMetadata: [describe("out_sample", output)],
    async run(...given: Record<string, Tensor>[]) {
      runs.push(given);
      return { ...given[1] };
    },
  };
}

const denoiser = (session: ReturnType<typeof fake>, more: Partial<OnnxDenoiserOptions<number[]>> = {}) =>
  onnxDenoiser<number[]>({ ort: wrong(fakeOrt), session, prediction: "epsilon", webgpu: true, ...more });
const request = (part: Partial<DeviceInput<number[]>> = {}): DeviceInput<number[]> => ({
  shape: [2, 3],
  t: 0.5,
  modelTime: 7,
  condition: [1, 2],
  unconditional: [10, 10],
  guided: false,
  device,
  x: "x",
  output: "y",
  ...part,
});

describe("a session on WebGPU", () => {
  it("reads the state's buffer and writes the output's, both with the dimensions of the request", async () => {
    const session = fake();
    expect(await denoiser(session).predictOnDevice?.(request())).toBe(true);
    const [feeds, fetches] = session.runs[0] as [Record<string, Tensor>, Record<string, Tensor>];
    expect(feeds.sample).toEqual(new Tensor("float32", "x", [2, 3]));
    expect(feeds.timestep).toEqual(new Tensor("float32", Float32Array.of(7, 7), [2]));
    expect(feeds.class_labels).toEqual(new Tensor("int64", BigInt64Array.of(1n, 2n), [2]));
    expect(fetches).toEqual({ out_sample: new Tensor("float32", "y", [2, 3]) });
  });

  it("gets a guided pair as one batch, the conditional half first", async () => {
    const session = fake();
    expect(await denoiser(session).predictOnDevice?.(request({ guided: true }))).toBe(true);
    const [feeds, fetches] = session.runs[0] as [Record<string, Tensor>, Record<string, Tensor>];
    expect([feeds.sample?.dims, fetches.out_sample?.dims]).toEqual([
      [4, 3],
      [4, 3],
    ]);
    expect(feeds.class_labels?.data).toEqual(BigInt64Array.of(1n, 2n, 10n, 10n));
    expect(session.runs.length).toBe(1);
  });

  it("of one batch size declines a pair, and takes a single request", async () => {
    const session = fake({ batch: 2 });
    expect(await denoiser(session).predictOnDevice?.(request({ guided: true }))).toBe(false);
    expect(session.runs).toEqual([]);
    expect(await denoiser(session).predictOnDevice?.(request())).toBe(true);
  });

  it("gets back the tensors that were made for the call, well or badly ended, and none of the caller's", async () => {
    disposed.length = 0;
    const session = fake();
    await denoiser(session).predictOnDevice?.(request());
    expect(disposed.splice(0)).toEqual([Float32Array.of(7, 7), BigInt64Array.of(1n, 2n), "y"]);
    session.run = () => Promise.reject(new Error("no"));
    await expect(denoiser(session).predictOnDevice?.(request())).rejects.toThrow("no");
    expect(disposed.splice(0)).toEqual([Float32Array.of(7, 7), BigInt64Array.of(1n, 2n)]);
    const own = new Tensor("int64", "the caller's", [2]);
    const encodeCondition = () => ({ class_labels: wrong(own) });
    await denoiser(fake(), { encodeCondition }).predictOnDevice?.(request());
    expect(disposed.splice(0)).toEqual([Float32Array.of(7, 7), "y"]);
  });

  it("on another device than the engine's is an error, and no run", async () => {
    const session = fake();
    const message =
      '"engine": expected one on the device of the network\'s ONNX Runtime; make it by webgpuEngine({ device: await ort.env.webgpu.device }) once the session exists';
    await expect(denoiser(session).predictOnDevice?.(request({ device: {} }))).rejects.toThrow(new TypeError(message));
    const without = denoiser(session, { ort: wrong({ Tensor }) });
    await expect(without.predictOnDevice?.(request())).rejects.toThrow(new TypeError(message));
    expect(session.runs).toEqual([]);
  });
});

it("the call is offered where it is said and both ends are float32", () => {
  const offered = (types: Types, more = {}) => denoiser(fake(types), more).predictOnDevice !== undefined;
  expect(offered({})).toBe(true);
  expect(offered({}, { webgpu: false })).toBe(false);
  expect(offered({}, { webgpu: undefined })).toBe(false);
  expect(offered({ sample: "float16" })).toBe(false);
  expect(offered({ output: "float16" })).toBe(false);
  expect(() => denoiser(fake(), { webgpu: wrong("yes") })).toThrow(
    new TypeError('"webgpu": expected true or false, got "yes"'),
  );
});

describe("loadModel", () => {
  const files = tinyFolder();
  const folder = async (path: string) => {
    const file = files[path];
    if (file === undefined) throw new Error(`no ${path}`);
    return typeof file === "string" ? new TextEncoder().encode(file) : file;
  };

  it("offers the call where webgpu is the first provider", async () => {
    // Every provider is the CPU here: what is tested is what the library makes of their names.
    const create = (bytes: Uint8Array) => ort.InferenceSession.create(bytes);
    const anywhere = wrong({ ...ort, InferenceSession: { create } });
    const offered = async (executionProviders?: string[]) => {
      const model = await loadModel({ ort: anywhere, folder, ...(executionProviders && { executionProviders }) });
      await model.dispose();
      return model.denoiser.predictOnDevice !== undefined;
    };
    expect(await offered()).toBe(false);
    expect(await offered(["webgpu"])).toBe(true);
    expect(await offered(["webgpu", "wasm"])).toBe(true);
    expect(await offered(["wasm", "webgpu"])).toBe(false);
  });

  it("says what webgpu needs where it is missing, and falls back to nothing", async () => {
    await expect(loadModel({ ort, folder, executionProviders: ["webgpu"] })).rejects.toThrow(
      /cannot load it with webgpu: .*; webgpu needs a runtime with a GPU adapter \(navigator\.gpu\) and the build onnxruntime-web\/webgpu$/s,
    );
  });
});
