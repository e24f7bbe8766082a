// An edge worker (Cloudflare's workerd and its like) that samples digits: GET /?class=3&steps=5&guidance=7.5&seed=1. Nothing may be
// compiled from bytes there, so every .wasm file is imported, and so is the model folder: there are no files to read.
import { loadModel } from "dc-solver/onnx";
import { installOrtWasm } from "dc-solver/workerd";
import ortModule from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
import * as ort from "onnxruntime-web/wasm";
import index from "../../models/digits/model_index.json";
import scheduler from "../../models/digits/scheduler/scheduler_config.json";
import unet from "../../models/digits/unet/config.json";
import network from "../../models/digits/unet/model.onnx";
import { check, HttpError, readQuery, refuse } from "../server/settings.js";

const text = (json) => new TextEncoder().encode(JSON.stringify(json));
// Compensation ratios, where a model folder has some, would be further entries, `ratios/index.json` among them.
const files = new Map([
  ["model_index.json", text(index)],
  ["scheduler/scheduler_config.json", text(scheduler)],
  ["unet/config.json", text(unet)],
  ["unet/model.onnx", new Uint8Array(network)],
]);

async function folder(path) {
  const bytes = files.get(path);
  if (bytes === undefined) throw new Error(`no ${path} here`);
  return bytes;
}

installOrtWasm(ort, ortModule);
let loading;

/** Returns the model, loaded by the first request: at its start a worker has little time, and may not wait for anything. */
async function load() {
  loading ??= loadModel({ ort, folder });
  try {
    return await loading;
  } catch (error) {
    loading = undefined;
    throw error;
  }
}

/** Returns the answer to a request. */
async function answer(request, model) {
  const { searchParams } = new URL(request.url);
  const limits = { labels: model.labels, maxSteps: 25 };
  const { labels, seed, guidanceScale, plan, respond } = check(readQuery(searchParams), limits);
  if (labels.length > 10) throw new HttpError(400, `"class": expected at most 10 labels, got ${labels.length}`);
  try {
    return respond(await model.sample({ plan: model.plan(plan), condition: labels, seed, guidanceScale }));
  } catch (error) {
    // The library's own words for a value that is wrong.
    const wrong = error instanceof TypeError || error instanceof RangeError;
    throw wrong ? new HttpError(400, error.message) : error;
  }
}

export default {
  async fetch(request) {
    try {
      return await answer(request, await load());
    } catch (error) {
      if (error instanceof HttpError) return refuse(error);
      console.error(error);
      return refuse(new HttpError(500, "sampling failed"));
    }
  },
};
