// @ts-check
// Text to image, and image to image, with a folder of graphs that were exported from diffusers. Four phases: text, image, denoise,
// decode. A graph is loaded when its phase begins; with `release: "phase"` it goes when the phase ends.
import { sampleSteps } from "dc-solver";
import { randnTensor, schedulerFromConfig, torchGenerator } from "dc-solver/diffusers";
import { Files, naming } from "./files.js";
import { check } from "./options.js";
import { beside, encodeTokens, openTextEncoder, openTokenizers, pick } from "./text.js";
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
  const kind = /^(?:Onnx|ORT)?StableDiffusion(XL)?(?:Img2Img)?Pipeline$/.exec(index.text("_class_name"));
  if (kind === null) index.wrong("_class_name", "StableDiffusionPipeline or StableDiffusionXLPipeline");
  if (index.values.requires_aesthetics_score === true)
    index.wrong("requires_aesthetics_score", "false: refiners are not supported");
  const xl = kind?.[1] !== undefined;
  // Stable Diffusion XL was trained with zeros where no negative prompt is given, not with the states of an empty text.
  const zeros = xl && index.values.force_zeros_for_empty_prompt !== false;
  const unet = await files.json("unet/config.json");
  const vae = readVaeConfig(await files.json("vae_decoder/config.json"));
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
      return await work(graph);
    } finally {
      if (release === "phase") await close(name);
    }
  }
  async function close(/** @type {string} */ name) {
    const graph = graphs.get(name);
    graphs.delete(name);
    await graph?.release();
  }

  /** @param {import("./options.js").Options} options @returns {Promise<Result>} */
  async function run(options) {
    const o = check(options, size);
    const { prompts, negative, guided, guidanceScale, steps, eta, seeds, width, height, image, signal } = o;
    signal?.throwIfAborted();
    const tell = (/** @type {import("./options.js").Progress} */ progress) => o.onProgress?.(progress);
    const scheduler = naming(schedulerPath, () =>
      schedulerFromConfig(schedulerText, {
        ...(o.scheduler === undefined ? {} : { className: o.scheduler }),
        ...(o.schedulerConfig === undefined ? {} : { overrides: o.schedulerConfig }),
      }),
    );
    const strength = image === undefined ? {} : { strength: o.strength };
    const plan = naming(schedulerPath, () => scheduler.plan({ steps, ...strength, ...(eta === 0 ? {} : { eta }) }));

    // One random stream for the run, or one for each picture; drawn from in the order of diffusers: encoder, start, steps.
    const generators = typeof seeds === "number" ? [torchGenerator(seeds)] : seeds.map((seed) => torchGenerator(seed));
    const draw = (/** @type {number[]} */ shape) => randnTensor(shape, generators);
    const shape = [prompts.length, vae.channels, height / vae.factor, width / vae.factor];

    // Text. Each text is encoded once, whatever number of pictures it is for.
    const texts = [...new Set([...prompts, ...(guided ? (negative ?? (zeros ? [] : [""])) : [])])];
    const warnings = scheduler.ignored.map((name) => `${scheduler.className} ignores "${name}"`);
    const embeddings = [];
    for (const [i, { folder, tokenize }] of encoders.entries()) {
      const tokens = texts.map(tokenize);
      for (const [k, { ids, length }] of tokens.entries()) {
        const cut = `only ${ids.length} of ${length} tokens are read of ${JSON.stringify(texts[k])}`;
        if (length > ids.length && i === 0) warnings.push(cut);
      }
      if (!graphs.has(folder)) tell({ phase: "text", doing: "load" });
      embeddings.push(
        await using(
          folder,
          () => openTextEncoder(runtime, files, folder),
          (graph) => {
            tell({ phase: "text", doing: "run", step: i + 1, steps: encoders.length });
            return encodeTokens(graph, tokens, xl);
          },
        ),
      );
      signal?.throwIfAborted();
    }
    const embedding = beside(embeddings);
    const row = (/** @type {string} */ text) => texts.indexOf(text);
    const conditional = pick(embedding, prompts.map(row));
    const without = negative ?? prompts.map(() => "");
    const unconditional =
      negative === undefined && zeros ? pick(embedding, prompts.map(row), 0) : pick(embedding, without.map(row));

    // Image.
    let start;
    if (image !== undefined) {
      if (!graphs.has("vae_encoder")) tell({ phase: "image", doing: "load" });
      const latents = await using(
        "vae_encoder",
        () => openVae(runtime, files, "vae_encoder"),
        (graph) => {
          tell({ phase: "image", doing: "run", step: 1, steps: 1 });
          return encode(graph, vae, image, generators.length, draw);
        },
      );
      signal?.throwIfAborted();
      start = repeat(latents, prompts.length / generators.length);
    }

    // Denoise. For image to image the state begins as the latents with as much noise as the first time has.
    if (!graphs.has("unet")) tell({ phase: "denoise", doing: "load" });
    const noise = draw(shape);
    const begin =
      start === undefined ? { noise } : { initial: scheduler.start({ steps, ...strength }).addNoise(start, noise) };
    const openDecoder = () => openVae(runtime, files, "vae_decoder");
    /** @type {number[]} */
    const timesteps = [];
    const latents = await using(
      "unet",
      () => openUnet(runtime, files),
      async (graph) => {
        const network = denoiserOf(graph, scheduler.prediction);
        const pixels = { width, height };
        const events = sampleSteps({
          plan,
          denoiser: told(network, (time) => {
            timesteps.push(time);
            tell({ phase: "denoise", doing: "run", step: timesteps.length, steps: plan.nfe });
          }),
          shape,
          ...begin,
          ...(plan.draws === 0 ? {} : { stepNoise: () => draw(shape) }),
          condition: condition(graph, conditional, pixels),
          ...(guided ? { unconditional: condition(graph, unconditional, pixels), guidanceScale } : {}),
          ...(signal === undefined ? {} : { signal }),
        });
        for (;;) {
          const { done, value } = await events.next();
          if (done) return value.data;
          const due = o.previewEvery > 0 && (value.step + 1) % o.previewEvery === 0 && value.step + 1 < value.steps;
          if (!due) continue;
          await using("vae_decoder", openDecoder, async (decoder) => {
            const decoded = await decode(decoder, vae, value.denoised, shape, signal);
            o.onPreview?.({ step: value.step, pictures: decoded.map(({ picture }) => picture) });
          });
        }
      },
    );

    // Decode.
    if (!graphs.has("vae_decoder")) tell({ phase: "decode", doing: "load" });
    const decoded = await using("vae_decoder", openDecoder, (graph) => {
      tell({ phase: "decode", doing: "run", step: 1, steps: 1 });
      return decode(graph, vae, latents, shape, signal);
    });
    return {
      pictures: decoded.map(({ picture }) => picture),
      decoded: decoded.map(({ values }) => values),
      latents,
      shape,
      timesteps,
      warnings,
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
    generate: (options) => queue(() => run(options)),
    /** Releases all graphs, after the runs that are under way. */
    dispose: () =>
      queue(async () => {
        for (const name of [...graphs.keys()]) await close(name);
      }),
  };
}

/**
 * Returns a denoiser that reports each call before it is made.
 * @template C
 * @param {import("dc-solver").Denoiser<C>} network
 * @param {(time: number) => void} report
 * @returns {import("dc-solver").Denoiser<C>}
 */
function told(network, report) {
  return {
    prediction: network.prediction,
    predict(request) {
      report(request.modelTime);
      return network.predict(request);
    },
    predictGuided(request) {
      report(request.modelTime);
      return /** @type {NonNullable<typeof network.predictGuided>} */ (network.predictGuided)(request);
    },
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
