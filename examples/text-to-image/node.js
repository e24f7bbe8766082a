#!/usr/bin/env node
// @ts-check
// Text to image on the command line. node examples/text-to-image/node.js --help
import { open, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { decode, encode } from "fast-png";
import { naming } from "./files.js";
import { openPipeline } from "./pipeline.js";

const help = `node examples/text-to-image/node.js --model FOLDER --prompt TEXT [options]

  --model FOLDER        exported from diffusers: model_index.json, unet/model.onnx, …
  --prompt TEXT         once for each picture
  --negative TEXT       once, or once for each picture
  --steps 25            --guidance 7.5           --width, --height (pixels; default: the model's)
  --guidance-rescale 0  --guidance-interval LOW,HIGH (noise levels between which the network is guided)
  --seed 0              or one for each picture: 1,2,3
  --scheduler CLASS     of diffusers; default: the folder's. --set NAME=JSON: an argument of it, as often as you like
  --eta 0               for the schedulers that know it
  --image FILE.png      to start from; --strength 0.8
  --out picture.png     picture-0.png, picture-1.png, … where there are several
  --preview N           writes what the network expects into the files of --out after every N calls
  --low-memory          one graph in memory at a time
  --ort onnxruntime-web --provider wasm          another build of ONNX Runtime
  --threads 1           of onnxruntime-web`;

class UsageError extends Error {}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        model: { type: "string" },
        prompt: { type: "string", multiple: true },
        negative: { type: "string", multiple: true },
        steps: { type: "string" },
        guidance: { type: "string" },
        "guidance-rescale": { type: "string" },
        "guidance-interval": { type: "string" },
        width: { type: "string" },
        height: { type: "string" },
        seed: { type: "string" },
        scheduler: { type: "string" },
        set: { type: "string", multiple: true },
        eta: { type: "string" },
        image: { type: "string" },
        strength: { type: "string" },
        out: { type: "string", default: "picture.png" },
        preview: { type: "string" },
        "low-memory": { type: "boolean", default: false },
        ort: { type: "string", default: "onnxruntime-web" },
        provider: { type: "string", default: "wasm" },
        threads: { type: "string", default: "1" },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** @param {string} name @param {string} text */
function number(name, text) {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isNaN(value)) throw new UsageError(`--${name}: expected a number, got ${JSON.stringify(text)}`);
  return value;
}

/** Returns an argument of the scheduler; what is no JSON is a text. @param {string} text */
function argument(text) {
  const at = text.indexOf("=");
  if (at < 1) throw new UsageError(`--set: expected NAME=JSON, got ${JSON.stringify(text)}`);
  const value = text.slice(at + 1);
  try {
    return [text.slice(0, at), JSON.parse(value)];
  } catch {
    return [text.slice(0, at), value];
  }
}

/** Returns the bytes of a file of any size: readFile ends at 2 GiB. @param {string} path */
async function readWhole(path) {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 2 ** 30));
      if (bytesRead === 0) throw new Error("the file became shorter while it was read");
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/** Returns the picture in a PNG file, without its alpha channel. @param {string} path */
async function readPicture(path) {
  const bytes = await readFile(path);
  const png = naming(path, () => decode(bytes));
  if (png.depth !== 8 || png.palette !== undefined) throw new Error(`"${path}": expected 8 bits a channel, no palette`);
  const { width, height, channels } = png;
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[3 * i + c] = png.data[channels * i + (channels < 3 ? 0 : c)] ?? 0;
  }
  return { width, height, data };
}

/** Refuses a file that could not be written after the run. @param {string} out */
async function checkOut(out) {
  const isFolder = async (/** @type {string} */ path) =>
    (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  if (await isFolder(out)) throw new UsageError(`--out: expected a file, got the folder ${JSON.stringify(out)}`);
  if (!(await isFolder(dirname(out))))
    throw new UsageError(`--out: there is no folder ${JSON.stringify(dirname(out))}`);
}

/** @param {string} out @param {import("./pictures.js").Picture[]} pictures */
async function writePictures(out, pictures) {
  for (const [i, { width, height, data }] of pictures.entries()) {
    const path = pictures.length === 1 ? out : out.replace(/(\.png)?$/i, `-${i}$1`);
    await writeFile(path, encode({ width, height, data, channels: 3, depth: 8 }));
  }
}

/** @param {AbortSignal} signal */
async function main(signal) {
  const args = parse(process.argv.slice(2));
  if (args.help) return console.log(help);
  const { model, prompt, negative, out } = args;
  if (model === undefined || prompt === undefined) throw new UsageError("--model and --prompt are needed; see --help");
  await checkOut(out);
  const ort = await import(args.ort);
  if (args.ort.startsWith("onnxruntime-web")) ort.env.wasm.numThreads = number("threads", args.threads);
  const pipeline = await openPipeline({
    ort,
    read: (path) => readWhole(join(model, path)),
    executionProviders: [args.provider],
    release: args["low-memory"] ? "phase" : "never",
  });
  const optional = Object.entries({
    negativePrompt: negative,
    scheduler: args.scheduler,
    schedulerConfig: args.set && Object.fromEntries(args.set.map(argument)),
    image: args.image && (await readPicture(args.image)),
    steps: args.steps && number("steps", args.steps),
    guidanceScale: args.guidance && number("guidance", args.guidance),
    guidanceRescale: args["guidance-rescale"] && number("guidance-rescale", args["guidance-rescale"]),
    guidanceInterval: args["guidance-interval"]?.split(",").map((level) => number("guidance-interval", level)),
    width: args.width && number("width", args.width),
    height: args.height && number("height", args.height),
    eta: args.eta && number("eta", args.eta),
    strength: args.strength && number("strength", args.strength),
    previewEvery: args.preview && number("preview", args.preview),
  }).filter(([, value]) => value !== undefined);
  const seeds = (args.seed ?? "0").split(",").map((seed) => number("seed", seed));
  const began = performance.now();
  const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
  /** @type {Promise<void>} */
  let previews = Promise.resolve();
  const { pictures, warnings } = await pipeline.generate({
    ...Object.fromEntries(optional),
    prompt,
    seed: seeds.length === 1 ? (seeds[0] ?? 0) : seeds,
    signal,
    onProgress: ({ phase, doing, step, steps }) =>
      console.error(`${seconds()} s  ${phase}: ${doing}${step === undefined ? "" : ` ${step} of ${steps}`}`),
    onPreview: (preview) => {
      previews = previews.then(() => writePictures(out, preview.pictures));
    },
  });
  await previews;
  await writePictures(out, pictures);
  await pipeline.dispose();
  for (const warning of warnings) console.error(`warning: ${warning}`);
  console.error(`${seconds()} s  done`);
}

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());
try {
  await main(interrupted.signal);
} catch (error) {
  if (interrupted.signal.aborted) process.exit(130);
  console.error(error instanceof Error ? error.message : error);
  process.exit(error instanceof UsageError ? 2 : 1);
}
