// The worker: the network, and the jobs that the page gives it. Nothing here touches the page.
import * as ort from "onnxruntime-web/wasm";
import { type LoadedModel, loadModel } from "../src/onnx/index.ts";
import { solverBits } from "./bits.ts";
import { compare } from "./compare-job.ts";
import { folderOf } from "./model-folder.ts";
import type { CompareInput, FromWorker, Jobs, ModelInfo, Source, ToWorker } from "./protocol.ts";
import { drawPictures } from "./sample-job.ts";
import { search } from "./search-job.ts";
import type { Setting } from "./setting.ts";

/** Set by the build: the name of ONNX Runtime's module beside this file. */
declare const ORT_WASM: string;

/** The worker's own scope, which the types of a page do not have. */
const scope = globalThis as unknown as {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
};

// Without cross-origin isolation there is one thread, and two bring little here.
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: new URL(ORT_WASM, location.href).href };
// What goes wrong is thrown, and shown on the page.
ort.env.logLevel = "fatal";

// The runtime is fetched and compiled while the network is on its way: ready for a model, it refuses this one.
ort.InferenceSession.create(new Uint8Array(1)).catch(() => {});

const load = (source: Source) => loadModel({ ort, folder: folderOf(source) });
let known: Promise<LoadedModel> | undefined;

/** Returns the bundled network, which stays: the visitor may go back to it. A load that failed is tried again. */
function bundled(): Promise<LoadedModel> {
  known ??= load({ kind: "bundled" });
  known.catch(() => {
    known = undefined;
  });
  return known;
}
// It starts to load before the page asks for it.
void bundled();

let current: LoadedModel | undefined;
let currentIsBundled = false;

/** Networks that were replaced; what runs in them ends before they go. */
const retired = new Set<LoadedModel>();

/** Takes another network; if it is no good, or another was asked for meanwhile, the one before stays. */
async function change(source: Source, signal: AbortSignal): Promise<ModelInfo> {
  const isBundled = source.kind === "bundled";
  const model = await (isBundled ? bundled() : load(source));
  const { shape, labels } = model;
  const isPicture = shape.length === 3 && (shape[0] === 1 || shape[0] === 3);
  if (!isPicture || signal.aborted) {
    if (!isBundled) await model.dispose();
    signal.throwIfAborted();
    throw new RangeError(`samples of shape [${shape.join(", ")}] are no pictures of 1 or 3 channels`);
  }
  if (current !== undefined && !currentIsBundled) retired.add(current);
  current = model;
  currentIsBundled = isBundled;
  return { shape, labels, hash: model.hash() };
}

function network(): LoadedModel {
  if (current === undefined) throw new Error("there is no network yet");
  return current;
}

type Tell = (event: unknown) => void;

const jobs: { [K in keyof Jobs]: (input: never, tell: Tell, signal: AbortSignal) => Promise<Jobs[K]["output"]> } = {
  load: (source: Source, _, signal) => change(source, signal),
  bits: solverBits,
  sample: async (setting: Setting, tell, signal) => drawPictures(network(), setting, tell, signal),
  compare: async (input: CompareInput, tell, signal) => compare(network(), input, tell, signal),
  search: async (input: Jobs["search"]["input"], tell, signal) => search(network(), input, tell, signal),
};

const running = new Map<number, AbortController>();

async function run({ id, kind, input }: Exclude<ToWorker, { kind: "abort" }>): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const output = await jobs[kind](input as never, (event) => scope.postMessage({ id, event }), controller.signal);
    scope.postMessage({ id, output });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    scope.postMessage({ id, failure: { name, message } });
  } finally {
    running.delete(id);
    if (running.size === 0) {
      for (const model of retired) void model.dispose();
      retired.clear();
    }
  }
}

scope.addEventListener("message", ({ data }) => {
  if (data.kind === "abort") running.get(data.id)?.abort();
  else void run(data as Exclude<ToWorker, { kind: "abort" }>);
});
