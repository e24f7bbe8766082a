// Entry `dc-solver/webgpu`.
export type { DeviceLike } from "./device.ts";
export { type WebGpuEngine, webgpuEngine } from "./engine.ts";
export { DeviceLostError } from "./lost.ts";
