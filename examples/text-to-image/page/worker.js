// @ts-check
// The worker: ONNX Runtime and the pipeline. One model at a time; one run at a time, which "stop" ends.
import * as ort from "onnxruntime-web/wasm";
import { openPipeline } from "../pipeline.js";

/**
 * @typedef {{ address: string } | { files: Map<string, Blob> }} Source
 * @typedef {Omit<import("../options.js").Options, "image"> & { image?: Blob }} Wish
 * @typedef {{ kind: "run", source: Source, options: Wish, lowMemory: boolean }} RunMessage
 */

// build.mjs puts it beside this file.
ort.env.wasm.wasmPaths = { wasm: new URL("ort-wasm-simd-threaded.wasm", import.meta.url).href };
// More than one thread needs a page that is isolated from others (COOP and COEP).
ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;

/**
 * Returns what reads a folder.
 * @param {Source} source
 * @returns {import("../files.js").Read}
 */
function reader(source) {
  if ("address" in source) {
    return async (path) => {
      const response = await fetch(new URL(path, source.address));
      if (!response.ok) throw new Error(`HTTP ${response.status} ${response.statusText}`.trimEnd());
      return new Uint8Array(await response.arrayBuffer());
    };
  }
  return async (path) => {
    const file = source.files.get(path);
    if (file === undefined) throw new Error("there is no such file in the folder");
    return new Uint8Array(await file.arrayBuffer());
  };
}

/** What tells two models apart. @param {RunMessage} message */
function nameOf({ source, lowMemory }) {
  const files =
    "files" in source ? Array.from(source.files, ([path, { size }]) => `${path} ${size}`) : [source.address];
  return `${lowMemory} ${files.sort().join("\n")}`;
}

/**
 * Returns the picture in a file of any format that the browser reads, in its own size unless another is asked for.
 * @param {Blob} file
 * @param {{ width?: number, height?: number }} size
 * @returns {Promise<import("../pictures.js").Picture>}
 */
async function pictureOf(file, { width, height }) {
  const resize = {
    ...(width === undefined ? {} : { resizeWidth: width }),
    ...(height === undefined ? {} : { resizeHeight: height }),
  };
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", ...resize });
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  if (context === null) throw new Error("no canvas to read the image with");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return { width: bitmap.width, height: bitmap.height, data: Uint8Array.from(data.filter((_, at) => at % 4 < 3)) };
}

/** @type {{ name: string, pipeline: ReturnType<typeof openPipeline> } | undefined} */
let model;
let controller = new AbortController();

/** @param {RunMessage} message */
async function run(message) {
  const name = nameOf(message);
  if (model?.name !== name) {
    const before = model;
    model = undefined;
    await before?.pipeline.then((pipeline) => pipeline.dispose());
    const release = message.lowMemory ? "phase" : "never";
    const pipeline = openPipeline({ ort, read: reader(message.source), release });
    await pipeline;
    model = { name, pipeline };
  }
  const began = performance.now();
  const pipeline = await model.pipeline;
  const { image: file, ...options } = message.options;
  const image = file === undefined ? {} : { image: await pictureOf(file, options) };
  const { pictures, warnings } = await pipeline.generate({
    ...options,
    ...image,
    signal: controller.signal,
    onProgress: (progress) => postMessage({ kind: "progress", progress }),
    onPreview: (preview) => postMessage({ kind: "pictures", pictures: preview.pictures }),
  });
  postMessage({ kind: "pictures", pictures, warnings, seconds: (performance.now() - began) / 1000 });
}

addEventListener("message", async ({ data }) => {
  if (data.kind === "stop") return controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  try {
    await run(data);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    postMessage(signal.aborted ? { kind: "stopped", message: "Stopped" } : { kind: "failed", message });
  }
});
