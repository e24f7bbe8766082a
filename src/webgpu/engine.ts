// The engine on a GPU: the same programs as shaders, for `sample` and `sampleSteps`. What holds for every run of an engine is here.
import * as check from "../check.ts";
import type { Engine } from "../wasm/engine.ts";
import type { DeviceLike } from "./device.ts";
import { DeviceLostError } from "./lost.ts";
import { type Context, openMachine } from "./machine.ts";

/** What `sample` and `sampleSteps` take as `engine`. */
export interface WebGpuEngine {
  /** Ends the engine; runs that are under way go on to their end. The device stays its owner's. */
  dispose(): void;
}

/**
 * Returns an engine whose runs are on a GPU: float32 as on the default engine, within rounding of its numbers, with the same noise.
 * With a denoiser of `dc-solver/onnx` on WebGPU the state stays on the device from the first step to the last; `device` must then be
 * ONNX Runtime's, `await ort.env.webgpu.device`. Other denoisers work too, through a copy each way at every call. A network's or a
 * step's NaN is found on the device and reported when the run ends, or with the next event if steps are watched.
 * @throws (rejects) TypeError if `device` is no GPUDevice; DeviceLostError if it has been lost.
 */
export async function webgpuEngine(o: { device: DeviceLike }): Promise<WebGpuEngine> {
  check.options("webgpuEngine", o, ["device"]);
  const given = o.device as DeviceLike | null | undefined;
  if (typeof given?.createBuffer !== "function" || typeof given.lost?.then !== "function" || !given.queue) {
    check.wrongType("device", "a GPUDevice", given);
  }
  const device = given as GPUDevice;
  const listeners: Context["listeners"] = new Set();
  let end: string | undefined;
  device.lost.then(({ reason, message }) => {
    end = message || reason;
    for (const listener of listeners) listener(end);
    listeners.clear();
  });
  const layout = device.createBindGroupLayout({
    entries: [
      { binding: 0, visibility: 4, buffer: { type: "storage" } },
      { binding: 1, visibility: 4, buffer: { type: "read-only-storage", hasDynamicOffset: true } },
      { binding: 2, visibility: 4, buffer: { type: "storage" } },
    ],
  });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
  const pipelines = new Map<string, GPUComputePipeline>();
  const pipeline = (code: string) => {
    const known = pipelines.get(code);
    if (known !== undefined) return known;
    const module = device.createShaderModule({ code });
    const made = device.createComputePipeline({ layout: pipelineLayout, compute: { module, entryPoint: "main" } });
    pipelines.set(code, made);
    return made;
  };
  // A device that has gone before says so by now.
  await Promise.resolve();
  const alive = () => {
    if (end !== undefined) throw new DeviceLostError(0, end);
  };
  alive();
  let disposed = false;
  const engine: WebGpuEngine & Engine = {
    device,
    open(program, items, itemLength) {
      if (disposed) throw new Error("the engine has been disposed of; make a new one");
      alive();
      return openMachine({ device, layout, pipeline, listeners }, program, items, itemLength);
    },
    dispose() {
      disposed = true;
      pipelines.clear();
    },
  };
  return engine;
}
