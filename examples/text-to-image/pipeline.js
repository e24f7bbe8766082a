// @ts-check
// Text to image, and image to image, with a folder of graphs that were exported from diffusers. Four phases: text, image, denoise,
// decode. A graph is loaded when its phase begins; with `release: "phase"` it goes when the phase ends.
import { sampleSteps } from "dc-solver";
import { randnTensor, schedulerFromConfig, torchGenerator } from "dc-solver/diffusers";
import { Files, Json, naming } from "./files.js";
import { check } from "./options.js";
import { beside, encodeTokens, openTextEncoder, openTokenizers, pick } from "./text.js";
import { turn } from "./turn.js";
import { condition, denoiserOf, openUnet } from "./unet.js";
import { decode, encode, openVae, readVaeConfig } from "./vae.js";

const schedulerPath = "scheduler/scheduler_config.json";

/**
 * @typedef {import("./graph.js").Graph} Graph
 * @typedef {import("./pictures.js").Picture} Picture
 *
 * @typedef {object} Result
 * @property {Picture[]} pictures
 * @property {Float32Array[]} decoded [3, height, width] each, −1 is black
 * @property {Float32Array} latents
 * @property {number[]} shape of the latents
 * @property {number[]} timesteps what the network was told, one for each call
 * @property {string[]} warnings
 *
 * @typedef {object} Run what the phases of a run share
 * @property {ReturnType<typeof check>} o
 * @property {import("dc-solver/diffusers").Scheduler} scheduler
 * @property {import("dc-solver").Plan} plan
 * @property {number[]} shape of the latents
 * @property {(shape: number[]) => Float32Array} draw standard normals
 * @property {(progress: import("./options.js").Progress) => void} tell
 * @property {string[]} warnings
 */

/**
 * Returns the pipeline of a model folder.
 * @param {object} o
 * @param {import("./graph.js").Ort} o.ort
 * @param {import("./files.js").Read} o.read returns the bytes of a path inside the folder
 * @param {string[]} [o.executionProviders]
 * @param {"never" | "phase"} [o.release] "phase": one graph in memory at a time
 * @throws (rejects) an error that names the file, if one is missing, cut off, or says what this example does not do.
 */
export async function openPipeline({ ort, read, executionProviders = ["wasm"], release = "never" }) {
  const files = new Files(read);
  const runtime = { ort, executionProviders };
  const index = await files.json("model_index.json");
  const kind = /^(Onnx|ORT)?StableDiffusion(XL)?(?:Img2Img)?Pipeline$/.exec(index.text("_class_name"));
  if (kind === null) index.wrong("_class_name", "StableDiffusionPipeline or StableDiffusionXLPipeline");
  if (index.values.requires_aesthetics_score === true)
    index.wrong("requires_aesthetics_score", "false: refiners are not supported");
  const [, exporter, extra] = /** @type {RegExpExecArray} */ (kind);
  const xl = extra !== undefined;
  // Stable Diffusion XL was trained with zeros where no negative prompt is given, not with the states of an empty text.
  const zeros = xl && index.values.force_zeros_for_empty_prompt !== false;
  // Folders of diffusers' own exporter have no config.json beside the graphs; all are of Stable Diffusion 1 or 2.
  const plain = { block_out_channels: [128, 256, 512, 512] };
  const config = async (/** @type {string} */ path) =>
    exporter === "Onnx" ? ((await files.jsonIfThere(path)) ?? new Json(path, plain)) : await files.json(path);
  const unet = await config("unet/config.json");
  const vae = readVaeConfig(await config("vae_decoder/config.json"));
  if (unet.number("in_channels", 4) !== vae.channels) unet.wrong("in_channels", `${vae.channels}, as the latents have`);
  const schedulerText = await files.text(schedulerPath);
  const encoders = await openTokenizers(files, index);
  const size = {
    side: unet.number("sample_size", 64) * vae.factor,
    multiple: vae.factor * 2 ** (unet.list("block_out_channels").length - 1),
  };

  /** @type {Map<string, Graph>} */
  const graphs = new Map();
  /**
   * Returns what `work` makes of a graph.
   * @template T
   * @param {string} name
   * @param {() => Promise<Graph>} open
   * @param {(graph: Graph) => Promise<T>} work
   */
  async function using(name, open, work) {
    const graph = graphs.get(name) ?? (await open());
    graphs.set(name, graph);
    try {
      await turn();
      const made = await work(graph);
      // Before the next graph is loaded, which may take long.
      await turn();
      return made;
    } finally {
      if (release === "phase") await close(name);
    }
  }
  async function close(/** @type {string} */ name) {
    const graph = graphs.get(name);
    graphs.delete(name);
    await graph?.release();
  }

  /**
   * Returns what the texts are to the UNet, with the prompts and (guided) without them. Each text is encoded once.
   * @param {Run} run
   */
  async function text({ o, tell, warnings }) {
    const { prompts, guided, negative, signal } = o;
    const zeroed = guided && negative === undefined && zeros;
    const opposed = guided && !zeroed ? (negative ?? prompts.map(() => "")) : [];
    const texts = [...new Set([...prompts, ...opposed])];
    const embeddings = [];
    for (const [i, { folder, tokenize }] of encoders.entries()) {
      const tokens = texts.map(tokenize);
      for (const [k, { ids, length }] of tokens.entries()) {
        if (length <= ids.length || i > 0) continue;
        warnings.push(`only ${ids.length} of ${length} tokens are read of ${JSON.stringify(texts[k])}`);
      }
      if (!graphs.has(folder)) tell({ phase: "text", doing: "load" });
      const open = () => openTextEncoder(runtime, files, folder);
      const embedding = await using(folder, open, (graph) => {
        tell({ phase: "text", doing: "run", step: i + 1, steps: encoders.length });
        return encodeTokens(graph, tokens, xl);
      });
      embeddings.push(embedding);
      signal?.throwIfAborted();
    }
    const embedding = beside(embeddings);
    const rows = (/** @type {string[]} */ list) => list.map((text) => texts.indexOf(text));
    const conditional = pick(embedding, rows(prompts));
    return { conditional, unconditional: zeroed ? pick(embedding, rows(prompts), 0) : pick(embedding, rows(opposed)) };
  }

  /**
   * Returns the latents of the image that a run starts from, one for each picture.
   * @param {Run} run
   * @param {Picture} image
   */
  async function imageLatents({ o, tell, draw }, image) {
    const { prompts, seeds, signal } = o;
    // With one seed there is one draw, as there is one image; with a list there is one for each picture.
    const count = typeof seeds === "number" ? 1 : seeds.length;
    if (!graphs.has("vae_encoder")) tell({ phase: "image", doing: "load" });
    const open = () => openVae(runtime, files, "vae_encoder");
    const latents = await using("vae_encoder", open, (graph) => {
      tell({ phase: "image", doing: "run", step: 1, steps: 1 });
      return encode(graph, vae, image, count, draw);
    });
    signal?.throwIfAborted();
    return repeat(latents, prompts.length / count);
  }

  const openDecoder = () => openVae(runtime, files, "vae_decoder");

  /**
   * Returns the latents of the pictures, and what the network was told.
   * @param {Run} run
   * @param {Awaited<ReturnType<typeof text>>} embeddings
   * @param {Pick<import("dc-solver").SampleOptions<unknown>, "noise" | "initial">} begin
   */
  async function denoise({ o, tell, draw, scheduler, plan, shape }, { conditional, unconditional }, begin) {
    const { guided, guidanceScale, guidanceRescale, guidanceInterval, previewEvery, signal } = o;
    /** @type {number[]} */
    const timesteps = [];
    if (!graphs.has("unet")) tell({ phase: "denoise", doing: "load" });
    const latents = await using(
      "unet",
      () => openUnet(runtime, files),
      async (graph) => {
        const denoiser = denoiserOf(graph, scheduler.prediction, (time) => {
          timesteps.push(time);
          tell({ phase: "denoise", doing: "run", step: timesteps.length, steps: plan.nfe });
        });
        const events = sampleSteps({
          plan,
          denoiser,
          shape,
          ...begin,
          ...(plan.draws === 0 ? {} : { stepNoise: () => draw(shape) }),
          condition: condition(graph, conditional, o),
          ...(guided ? { unconditional: condition(graph, unconditional, o), guidanceScale } : {}),
          ...(guidanceRescale === undefined ? {} : { guidanceRescale }),
          ...(guidanceInterval === undefined ? {} : { guidanceInterval }),
          ...(signal === undefined ? {} : { signal }),
        });
        for (;;) {
          const { done, value } = await events.next();
          if (done) return value.data;
          const { step, steps, denoised } = value;
          if (previewEvery === 0 || (step + 1) % previewEvery !== 0 || step + 1 === steps) continue;
          await using("vae_decoder", openDecoder, async (decoder) => {
            const decoded = await decode(decoder, vae, denoised, shape, signal);
            o.onPreview?.({ step, pictures: decoded.map(({ picture }) => picture) });
          });
        }
      },
    );
    return { latents, timesteps };
  }

  /** @param {import("./options.js").Options} options @returns {Promise<Result>} */
  async function generate(options) {
    const o = check(options, size);
    const { prompts, steps, eta, seeds, width, height, image, signal } = o;
    signal?.throwIfAborted();
    const scheduler = naming(schedulerPath, () =>
      schedulerFromConfig(schedulerText, {
        ...(o.scheduler === undefined ? {} : { className: o.scheduler }),
        ...(o.schedulerConfig === undefined ? {} : { overrides: o.schedulerConfig }),
      }),
    );
    const place = { steps, ...(image === undefined ? {} : { strength: o.strength }), ...(eta === 0 ? {} : { eta }) };
    const plan = naming(schedulerPath, () => scheduler.plan(place));
    // One stream of random numbers, or one for each picture; drawn from in the order of diffusers: encoder, start, steps.
    const generators = (typeof seeds === "number" ? [seeds] : seeds).map((seed) => torchGenerator(seed));
    const run = {
      o,
      scheduler,
      plan,
      shape: [prompts.length, vae.channels, height / vae.factor, width / vae.factor],
      draw: (/** @type {number[]} */ shape) => randnTensor(shape, generators),
      tell: (/** @type {import("./options.js").Progress} */ progress) => o.onProgress?.(progress),
      warnings: [
        ...scheduler.ignored.map((name) => `${scheduler.className} ignores "${name}"`),
        // diffusers drops what is no argument of the class, and says nothing.
        ...Object.keys(o.schedulerConfig ?? {})
          .filter((name) => !Object.hasOwn(scheduler.config, name))
          .map((name) => `${scheduler.className} has no argument "${name}"`),
      ],
    };
    const embeddings = await text(run);
    const clean = image === undefined ? undefined : await imageLatents(run, image);
    const noise = run.draw(run.shape);
    // From an image the state begins as its latents, with as much noise as there is at the first time.
    const begin = clean === undefined ? { noise } : { initial: scheduler.start(place).addNoise(clean, noise) };
    const { latents, timesteps } = await denoise(run, embeddings, begin);
    if (!graphs.has("vae_decoder")) run.tell({ phase: "decode", doing: "load" });
    const decoded = await using("vae_decoder", openDecoder, (graph) => {
      run.tell({ phase: "decode", doing: "run", step: 1, steps: 1 });
      return decode(graph, vae, latents, run.shape, signal);
    });
    return {
      pictures: decoded.map(({ picture }) => picture),
      decoded: decoded.map(({ values }) => values),
      latents,
      shape: run.shape,
      timesteps,
      warnings: run.warnings,
    };
  }

  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  /**
   * Returns what `work` returns, once all that was asked before has ended.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  function queue(work) {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  }

  return {
    size,
    /**
     * Returns pictures. Runs of one pipeline wait for each other.
     * @param {import("./options.js").Options} options
     * @throws (rejects) TypeError, RangeError for an option; an error that names the file; `signal.reason` on abort.
     */
    generate: (options) => queue(() => generate(options)),
    /** Releases all graphs, after the runs that are under way. */
    dispose: () =>
      queue(async () => {
        for (const name of [...graphs.keys()]) await close(name);
      }),
  };
}

/**
 * Returns numbers so many times, one after the other.
 * @param {Float32Array} numbers
 * @param {number} times
 */
function repeat(numbers, times) {
  const all = new Float32Array(numbers.length * times);
  for (let i = 0; i < times; i++) all.set(numbers, i * numbers.length);
  return all;
}
