// What the CLI finds outside itself: the bundled model and ONNX Runtime.
import { fileURLToPath } from "node:url";
import type { OrtLike } from "../onnx/ort.ts";

/** Returns the folder of the bundled model, beside the folder of the bundled CLI. */
export function bundledModel(): string {
  return fileURLToPath(new URL("../models/digits", import.meta.url));
}

/** Returns what a --model text means: a URL as it is, anything else is a path. */
export function modelFolder(text: string | undefined): string {
  return text === undefined || text === "" ? bundledModel() : text;
}

export const providers = ["wasm", "webgpu"] as const;
export type Provider = (typeof providers)[number];

/** Whether this runtime has WebGPU. */
export function hasWebGpu(): boolean {
  return (globalThis as { navigator?: { gpu?: unknown } }).navigator?.gpu !== undefined;
}

type Ort = OrtLike & {
  readonly env: { readonly versions: { readonly web?: string }; readonly wasm: { numThreads?: number } };
};

/**
 * Returns onnxruntime-web with the build that has `provider`.
 * @throws Error with the install command if the package is missing.
 */
export async function loadOrt(provider: Provider): Promise<Ort> {
  if (provider === "webgpu" && !hasWebGpu()) {
    throw new Error("--provider webgpu: this runtime has no WebGPU (no navigator.gpu); take --provider wasm");
  }
  let ort: Ort;
  try {
    // The main entry has Node's build; it lacks WebGPU.
    ort = (await (provider === "webgpu" ? import("onnxruntime-web/webgpu") : import("onnxruntime-web"))) as Ort;
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new Error("onnxruntime-web is not installed; install it with: npm install onnxruntime-web", { cause });
  }
  // More threads bring nothing for networks this small, and cost a second to start.
  ort.env.wasm.numThreads = 1;
  return ort;
}
