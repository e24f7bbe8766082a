// The parts of examples/text-to-image one by one, against what the Python pipelines computed with the same folder.
// Tolerances of one call of a graph: its README, "What a port should reach" (1e-5, the VAE's encoder 1e-4).
import { schedulerFromConfig } from "dc-solver/diffusers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Graph } from "../../examples/text-to-image/graph.js";
import { openGraph } from "../../examples/text-to-image/graph.js";
import { fromHalf as exampleFromHalf, toHalf as exampleToHalf } from "../../examples/text-to-image/half.js";
import { fromPicture, toPicture } from "../../examples/text-to-image/pictures.js";
import { encodeTokens, openTokenizers } from "../../examples/text-to-image/text.js";
import { condition, denoiserOf } from "../../examples/text-to-image/unet.js";
import { decode, encode, readVaeConfig } from "../../examples/text-to-image/vae.js";
import { fromHalf, toHalf } from "../../src/onnx/half.ts";
import { error, files, picture, pixelError, reference, runNamed, runtime, values } from "./text-to-image-support.ts";

const graphs = {} as Record<"text_encoder" | "unet" | "vae_decoder" | "vae_encoder", Graph>;
const vae = readVaeConfig(await files.json("vae_decoder/config.json"));
const [encoder] = await openTokenizers(files, await files.json("model_index.json"));
const tokenize = (encoder as NonNullable<typeof encoder>).tokenize;

beforeAll(async () => {
  for (const name of ["text_encoder", "unet", "vae_decoder", "vae_encoder"] as const) {
    graphs[name] = await openGraph(runtime, files, `${name}/model.onnx`);
  }
});
afterAll(async () => {
  for (const graph of Object.values(graphs)) await graph.release();
});

describe("the tokenizer", () => {
  it.each(reference.tokenizer)("gives the ids of $text", ({ text, ids, length }) => {
    expect(tokenize(text)).toEqual({ ids, length });
  });
});

describe("the text encoder", () => {
  const texts = Object.keys(reference.textEmbeddings);

  it.each(texts)("gives the states of %j", async (text) => {
    const { ids, embedding } = reference.textEmbeddings[text] as (typeof reference.textEmbeddings)[string];
    const { states } = await encodeTokens(graphs.text_encoder, [tokenize(text)], false);
    expect(tokenize(text).ids).toEqual(ids);
    expect(states.dims).toEqual(embedding.shape);
    expect(error(states.data as Float32Array, embedding)).toBeLessThan(1e-5);
  });

  it("gives two texts at once what it gives each", async () => {
    const { inputs, outputs } = reference.graphs.text_encoder;
    const tokens = (inputs.input_ids as unknown as number[][]).map((ids) => ({ ids, length: ids.length }));
    const { states } = await encodeTokens(graphs.text_encoder, tokens, false);
    expect(error(states.data as Float32Array, outputs.last_hidden_state as never)).toBeLessThan(1e-5);
  });
});

describe("the UNet", () => {
  it("gives the output of one call", async () => {
    const { inputs, outputs } = reference.graphs.unet;
    const { sample, timestep, encoder_hidden_states } = inputs as Required<typeof inputs>;
    if (sample === undefined || encoder_hidden_states === undefined) throw new Error("no inputs");
    const states = { data: values(encoder_hidden_states), dims: encoder_hidden_states.shape };
    const output = await denoiserOf(graphs.unet, "epsilon").predict({
      x: values(sample),
      shape: sample.shape,
      t: 0.5,
      modelTime: timestep as unknown as number,
      condition: condition(graphs.unet, { states }, { width: 64, height: 48 }),
    });
    expect(error(output, outputs.out_sample as never)).toBeLessThan(1e-5);
  });

  it("gives both outputs of a guided pair, told every time of a run, from the recorded states", async () => {
    const run = runNamed("pndm-guided");
    const embed = async (text: string) => {
      const { states } = await encodeTokens(graphs.text_encoder, [tokenize(text)], false);
      return condition(graphs.unet, { states }, run);
    };
    const network = denoiserOf(graphs.unet, "epsilon");
    let x = values(run.initialLatents);
    for (const { timestep, modelOutput, latents } of run.trajectory.slice(0, 3)) {
      const pair = await network.predictGuided?.({
        x,
        shape: [1, 4, 32, 32],
        t: 0.5,
        modelTime: timestep,
        condition: await embed(run.prompt as string),
        unconditional: await embed(run.negativePrompt as string),
      });
      // Recorded as it went through the network: all without the prompt first.
      const recorded = new Float32Array(2 * x.length);
      recorded.set(pair?.unconditional ?? []);
      recorded.set(pair?.conditional ?? [], x.length);
      expect(error(recorded, modelOutput as never)).toBeLessThan(1e-5);
      x = values(latents);
    }
  });
});

describe("the scheduler", () => {
  // The runs whose outputs are kept whole. 1e-5: the reference's README, "Scheduler alone".
  it.each(["pndm-guided", "euler-ancestral-guided", "dpmpp-2m-karras-guided", "unipc-guided"])(
    "takes the recorded outputs of %s to the recorded latents, with noise of the recorded draws",
    async (id) => {
      const run = runNamed(id);
      const scheduler = schedulerFromConfig(await files.text("scheduler/scheduler_config.json"), {
        className: run.scheduler,
        overrides: run.arguments,
      });
      const loop = scheduler.start({ steps: run.steps });
      expect(loop.timesteps).toEqual(run.timesteps);
      let x: Float32Array = values(run.noise.initial).map((v) => v * loop.initNoiseSigma);
      for (const { modelOutput, noise, latents } of run.trajectory) {
        const both = values(modelOutput as NonNullable<typeof modelOutput>);
        const [u, c] = [both.subarray(0, x.length), both.subarray(x.length)];
        const guided = u.map((v, i) => v + run.guidanceScale * ((c[i] as number) - v));
        x = loop.step(guided, x, noise === undefined ? undefined : values(noise)).x;
        expect(error(x, latents)).toBeLessThan(1e-5);
      }
    },
  );
});

describe("the VAE", () => {
  it("decodes latents that are not square", async () => {
    const { inputs, outputs } = reference.graphs.vae_decoder;
    const { latent_sample } = inputs;
    if (latent_sample === undefined) throw new Error("no input");
    const [, , height = 0, width = 0] = latent_sample.shape;
    const latents = values(latent_sample).map((z) => z * vae.scale);
    const decoded = await decode(graphs.vae_decoder, vae, latents, latent_sample.shape);
    expect(decoded.map((d) => [d.picture.width, d.picture.height])).toEqual([[2 * width, 2 * height]]);
    const all = new Float32Array(decoded.flatMap((d) => Array.from(d.values)));
    expect(error(all, outputs.sample as never)).toBeLessThan(1e-5);
  });

  // Runs whose final latents are kept whole.
  it.each(["pndm-guided", "unipc-guided", "euler-ancestral-guided"])("gives the picture of %s", async (id) => {
    const run = runNamed(id);
    const { latents } = run.trajectory.at(-1) as (typeof run.trajectory)[number];
    const [decoded] = await decode(graphs.vae_decoder, vae, values(latents), latents.shape);
    if (decoded === undefined) throw new Error("no picture");
    expect(error(decoded.values, run.decoded)).toBeLessThan(1e-5);
    const expected = picture(run.pictures[0]?.file as string);
    expect([decoded.picture.width, decoded.picture.height]).toEqual([expected.width, expected.height]);
    // 1 where a value lies within the rounding of the graphs from half a unit: the reference's own measure.
    expect(pixelError(decoded.picture.data, expected.data)).toBeLessThanOrEqual(run.tolerance.pixels);
  });

  it("encodes a picture, and draws with the noise that it is given", async () => {
    const run = runNamed("image-ddim-guided");
    const { encoder: noise, initial } = run.noise;
    if (noise === undefined || run.latentParameters === undefined) throw new Error("no noise");
    const sample = fromPicture(picture(reference.inputPicture.file));
    const [output] = await graphs.vae_encoder.run({ sample }, ["latent_parameters"]);
    expect(error(output?.data as Float32Array, run.latentParameters)).toBeLessThan(1e-4);

    const shapes: number[][] = [];
    const latents = await encode(graphs.vae_encoder, vae, picture(reference.inputPicture.file), 1, (shape) => {
      shapes.push(shape);
      return values(noise);
    });
    expect(shapes).toEqual([[1, 4, 32, 32]]);
    // x = √ab·z + √(1 − ab)·noise at the first timestep; ab from the scheduler's betas.
    let alphaBar = 1;
    for (let i = 0; i <= (run.timesteps[0] as number); i++) {
      const root = Math.sqrt(0.00085) + ((Math.sqrt(0.012) - Math.sqrt(0.00085)) * i) / 999;
      alphaBar *= 1 - root * root;
    }
    const normals = values(initial);
    const x = latents.map((z, i) => Math.sqrt(alphaBar) * z + Math.sqrt(1 - alphaBar) * (normals[i] as number));
    expect(error(x, run.initialLatents)).toBeLessThan(1e-4);
  });
});

describe("pictures", () => {
  it("round half to even, and cut off what is too dark or too bright", () => {
    // (v/2 + 1/2)·255 is 64.5, 65.5, 66.5 and 67.5 in float32.
    const halves = [64.5, 65.5, 66.5, 67.5].map((p) => (2 * p) / 255 - 1);
    const reds = Float32Array.of(...halves, -1.5, 1.5);
    const { data } = toPicture(Float32Array.of(...reds, ...reds, ...reds), 6, 1);
    expect(Array.from(data).filter((_, i) => i % 3 === 0)).toEqual([64, 66, 66, 68, 0, 255]);
  });

  it("come back from the numbers that they are for the network", () => {
    const data = Uint8Array.from({ length: 3 * 256 }, (_, i) => i % 256);
    const { data: numbers, dims } = fromPicture({ width: 16, height: 16, data });
    expect(dims).toEqual([1, 3, 16, 16]);
    expect(toPicture(numbers, 16, 16).data).toEqual(data);
  });
});

describe("float16", () => {
  it("has the bits of the library's own conversion, both ways", () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const singles = fromHalf(patterns);
    expect(exampleFromHalf(patterns)).toEqual(singles);
    // Each float16 number, the middle to the next one, and a hair beside that.
    const finite = Array.from(singles).filter(Number.isFinite);
    finite.sort((a, b) => a - b);
    const middles = finite.slice(1).map((v, i) => (v + (finite[i] as number)) / 2);
    const beside = middles.flatMap((v) => [v * (1 + 2 ** -20), v * (1 - 2 ** -20)]);
    const all = Float32Array.from([
      ...finite,
      ...middles,
      ...beside,
      65519.99,
      65520,
      1e30,
      -1e30,
      2 ** -25,
      2 ** -26,
      -0,
    ]);
    expect(exampleToHalf(all)).toEqual(toHalf(all));
  });
});
