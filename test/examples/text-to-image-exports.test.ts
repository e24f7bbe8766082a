// What exports in the wild differ in, derived from tiny-sd: each variant must run, and give what the original gives.
import { gaussianNoise } from "dc-solver";
import { schedulerFromConfig } from "dc-solver/diffusers";
import { describe, expect, it, onTestFinished } from "vitest";
import { Files } from "../../examples/text-to-image/files.js";
import { openPipeline } from "../../examples/text-to-image/pipeline.js";
import { openTokenizers } from "../../examples/text-to-image/text.js";
import { fromHalf, toHalf } from "../../src/onnx/half.ts";
import { distance, openSession, ort } from "../support/networks.ts";
import { picture, read, recordingOrt, reference, type SessionCall } from "./text-to-image-support.ts";
import {
  drawnLatents,
  edit,
  externalWeights,
  folder,
  graph,
  halves,
  integerTimestep,
  json,
  shortIds,
  type,
  xlInputs,
  xlMix,
  xlOutputs,
} from "./text-to-image-variants.ts";

const wish = {
  prompt: "a red boat on a quiet lake",
  negativePrompt: "blurry",
  scheduler: "DDIMScheduler",
  steps: 2,
  guidanceScale: 7.5,
  seed: 7,
  width: 32,
  height: 48,
};

async function generate(folderRead: typeof read, changes: Partial<Parameters<Pipeline["generate"]>[0]> = {}) {
  const { ort: recording, calls, unet } = recordingOrt();
  const pipeline = await openPipeline({ ort: recording, read: folderRead });
  onTestFinished(() => pipeline.dispose());
  return { ...(await pipeline.generate({ ...wish, ...changes })), calls, unet };
}
type Pipeline = Awaited<ReturnType<typeof openPipeline>>;
let original: ReturnType<typeof generate> | undefined;

/** Returns what a call fed to an input. */
function fed(call: SessionCall | undefined, input: string) {
  const tensor = call?.feeds[input];
  if (tensor === undefined) throw new Error(`nothing fed to ${input}`);
  return tensor;
}

describe("rewriting", () => {
  it.each(["text_encoder", "unet", "vae_decoder", "vae_encoder"])(
    "keeps every byte of %s that it does not change",
    async (name) => {
      const bytes = await read(`${name}/model.onnx`);
      expect(
        Buffer.compare(
          edit(bytes, () => {}),
          bytes,
        ),
      ).toBe(0);
    },
  );
});

describe("a timestep that is", () => {
  it.each([
    ["int64, of shape [1]", type.int64, [1], "int64"],
    ["int32, of shape [1]", type.int32, [1], "int32"],
    ["int64, of shape [batch]", type.int64, ["batch_size"], "int64"],
  ] as const)("%s is told as such, and the latents have the same bits", async (_, elementType, dims, name) => {
    original ??= generate(read);
    const made = await generate(folder({ "unet/model.onnx": graph(integerTimestep(elementType, dims as [1])) }));
    const timestep = fed(made.unet()[0], "timestep");
    expect([timestep.type, timestep.dims]).toEqual([name, dims[0] === 1 ? [1] : [2]]);
    expect(made.latents).toEqual((await original).latents);
  });

  it("an integer is cut off where the scheduler's is between two", async () => {
    const changed = folder({ "unet/model.onnx": graph(integerTimestep(type.int64, [1])) });
    const made = await generate(changed, {
      scheduler: "EulerDiscreteScheduler",
      schedulerConfig: { use_karras_sigmas: true },
    });
    const told = made.unet().map((call) => fed(call, "timestep").data[0]);
    expect(made.timesteps.some((t) => !Number.isInteger(t))).toBe(true);
    expect(told).toEqual(made.timesteps.map(Math.trunc));
  });
});

it("token ids as int32 give the same latents", async () => {
  original ??= generate(read);
  const made = await generate(folder({ "text_encoder/model.onnx": graph(shortIds) }));
  expect(fed(made.calls[0], "input_ids").type).toBe("int32");
  expect(made.latents).toEqual((await original).latents);
});

it("a UNet in float16 is fed rounded numbers, and its rounded output is read", async () => {
  const made = await generate(
    folder({ "unet/model.onnx": graph(halves(["sample", "encoder_hidden_states", "timestep"])) }),
  );
  const session = await openSession("test/fixtures/tiny-sd/model/unet/model.onnx");
  const plan = schedulerFromConfig(new TextDecoder().decode(await read("scheduler/scheduler_config.json")), {
    className: wish.scheduler,
  }).start({ steps: wish.steps });
  const round = (numbers: ArrayLike<number>) => fromHalf(toHalf(Float32Array.from(numbers)));
  let x = gaussianNoise(wish.seed, [1, 4, 24, 16], "torch");
  for (const [i, call] of made.unet().entries()) {
    const sample = fed(call, "sample");
    const states = fed(call, "encoder_hidden_states");
    expect([sample.type, states.type]).toEqual(["float16", "float16"]);
    // What was fed are bit patterns, both halves of the pair alike.
    const given = fromHalf(Uint16Array.from(sample.data));
    // Where a last bit of float32 decides, the neighbour: 2^-11 of a number.
    expect(distance(given, [...round(x), ...round(x)])).toBeLessThan(2 ** -11);
    const { out_sample: output } = await session.run({
      sample: new ort.Tensor("float32", given, sample.dims),
      timestep: new ort.Tensor("float32", [made.timesteps[i] as number], []),
      encoder_hidden_states: new ort.Tensor("float32", fromHalf(Uint16Array.from(states.data)), states.dims),
    });
    const raw = round(output?.data as Float32Array);
    const [c, u] = [raw.subarray(0, x.length), raw.subarray(x.length)];
    const guided = x.map((_, k) => (u[k] as number) + wish.guidanceScale * ((c[k] as number) - (u[k] as number)));
    x = plan.step(guided, x).x;
  }
  await session.release();
  // Between the two: one rounding of guidance to float32, amplified by it.
  expect(distance(made.latents, x)).toBeLessThan(1e-5);
});

it("a text encoder and a VAE in float16 are read", async () => {
  original ??= generate(read);
  const made = await generate(
    folder({
      "text_encoder/model.onnx": graph(halves([])),
      "vae_decoder/model.onnx": graph(halves(["latent_sample"])),
    }),
  );
  // The states are rounded by 2^-11 of a number at most, and guidance multiplies what that does to the outputs by up to 7.5 + 6.5.
  const [tolerance, { latents, decoded }] = [14 * 2 ** -11, await original];
  expect(distance(made.latents, latents)).toBeLessThan(tolerance);
  expect(distance(made.decoded[0] as Float32Array, decoded[0] as Float32Array)).toBeLessThan(tolerance);
});

it("weights in model.onnx_data, of every graph, give the same bits", async () => {
  original ??= generate(read);
  const changes: Parameters<typeof folder>[0] = {};
  for (const name of ["text_encoder", "unet", "vae_decoder"]) {
    const { model, weights } = externalWeights(await read(`${name}/model.onnx`), "model.onnx_data");
    changes[`${name}/model.onnx`] = model;
    changes[`${name}/model.onnx_data`] = weights;
  }
  const made = await generate(folder(changes));
  expect(made.latents).toEqual((await original).latents);
  expect(made.decoded).toEqual((await original).decoded);
});

it("a folder of diffusers' own exporter has no config.json: it is taken for Stable Diffusion 1", async () => {
  const changes = {
    "model_index.json": json({ _class_name: "OnnxStableDiffusionPipeline" }),
    "unet/config.json": null,
    "vae_decoder/config.json": null,
    "text_encoder/config.json": null,
  };
  const made = await generate(folder(changes), { width: 256, height: 192 });
  // Eight pixels a latent; tiny-sd's own decoder makes two of one.
  expect(fed(made.unet()[0], "sample").dims).toEqual([2, 4, 24, 32]);
  expect(fed(made.calls[0], "input_ids").dims).toEqual([2, 77]);
  await expect(generate(folder(changes), { width: 256, height: 200 })).rejects.toThrow(
    '"height": expected a multiple of 64',
  );
});

describe("the pad token", () => {
  const { ids, length } = reference.tokenizer.find(
    ({ text }) => text === "blurry",
  ) as (typeof reference.tokenizer)[number];
  const padded = ids.map((id, i) => (i < length ? id : 0));
  const tokens = async (changes: Parameters<typeof folder>[0]) => {
    const files = new Files(folder(changes));
    const [encoder] = await openTokenizers(files, await files.json("model_index.json"));
    return encoder?.tokenize("blurry").ids;
  };

  it("is what tokenizer_config.json says: !, of id 0", async () => {
    expect(await tokens({ "tokenizer/tokenizer_config.json": json({ pad_token: "!" }) })).toEqual(padded);
  });

  it("is what special_tokens_map.json says where the configuration is of the older form, without added_tokens_decoder", async () => {
    const map = { "tokenizer/special_tokens_map.json": json({ pad_token: "!" }) };
    expect(await tokens(map)).toEqual(ids);
    const older = { "tokenizer/tokenizer_config.json": json({ added_tokens_decoder: undefined }) };
    expect(await tokens({ ...map, ...older })).toEqual(padded);
  });

  it("is the configuration's where there is no special_tokens_map.json", async () => {
    expect(await tokens({ "tokenizer/special_tokens_map.json": null })).toEqual(ids);
  });

  it("changes what the network is told", async () => {
    original ??= generate(read);
    const made = await generate(folder({ "tokenizer/tokenizer_config.json": json({ pad_token: "!" }) }));
    expect(fed(made.calls[0], "input_ids").data.slice(9, 77)).toEqual(Array(68).fill(0));
    expect(distance(made.latents, (await original).latents)).toBeGreaterThan(0.1);
  });
});

it("a VAE encoder whose output is latent_sample takes no random numbers", async () => {
  const image = picture(reference.inputPicture.file);
  const size = { width: image.width, height: image.height };
  const made = await generate(folder({ "vae_encoder/model.onnx": graph(drawnLatents) }), {
    image,
    strength: 0.5,
    ...size,
  });
  const session = await openSession("test/fixtures/tiny-sd/model/vae_encoder/model.onnx");
  const parameters = (await session.run({ sample: pixels(image) })).latent_parameters?.data as Float32Array;
  await session.release();
  const means = parameters.slice(0, 4 * 32 * 32).map((mean) => reference.scalingFactor * mean);
  const scheduler = schedulerFromConfig(new TextDecoder().decode(await read("scheduler/scheduler_config.json")), {
    className: wish.scheduler,
  });
  // The first draw of the run's stream is the start's.
  const noise = gaussianNoise(wish.seed, [1, 4, 32, 32], "torch");
  const x = scheduler.start({ steps: wish.steps, strength: 0.5 }).addNoise(means, noise);
  const first = fed(made.unet()[0], "sample").data.slice(0, x.length);
  // Rounding of the means' scale to float32, once here and once there.
  expect(distance(first, x)).toBeLessThan(1e-6);
});

/** Returns a picture as the encoder's input, by the formula of the pipelines: pixel/255 · 2 − 1, channels first. */
function pixels({ width, height, data }: ReturnType<typeof picture>): ort.Tensor {
  const planes = [0, 1, 2].flatMap((c) =>
    Array.from({ length: width * height }, (_, i) => ((data[3 * i + c] as number) / 255) * 2 - 1),
  );
  return new ort.Tensor("float32", planes, [1, 3, height, width]);
}

describe("SDXL: two text encoders, text_embeds and time_ids", () => {
  const changes = {
    "model_index.json": json({
      _class_name: "StableDiffusionXLPipeline",
      text_encoder_2: ["transformers", "CLIPTextModelWithProjection"],
      tokenizer_2: ["transformers", "CLIPTokenizer"],
    }),
    "unet/model.onnx": graph(xlInputs),
    "text_encoder/model.onnx": graph(xlOutputs(1)),
    "text_encoder_2/config.json": async () => read("text_encoder/config.json"),
    "text_encoder_2/model.onnx": async () => edit(await read("text_encoder/model.onnx"), xlOutputs(-0.5)),
    "tokenizer_2/vocab.json": async () => read("tokenizer/vocab.json"),
    "tokenizer_2/merges.txt": async () => read("tokenizer/merges.txt"),
    "tokenizer_2/special_tokens_map.json": async () => read("tokenizer/special_tokens_map.json"),
    "tokenizer_2/tokenizer_config.json": async () =>
      json({ pad_token: "!" })(await read("tokenizer/tokenizer_config.json")),
  };
  // The files of the second encoder have no original to change.
  const base = folder(changes);
  const xl = async (path: string) => {
    const second = (changes as Record<string, unknown>)[path];
    if (!path.includes("_2/") || typeof second !== "function") return base(path);
    const content = await second();
    return content instanceof Uint8Array ? content : new TextEncoder().encode(JSON.stringify(content));
  };

  /** Returns the states before the last layer and the pooled ones, from a graph, without the example's code. */
  async function encoded(path: string, ids: readonly number[]) {
    const session = await ort.InferenceSession.create(await xl(path));
    const tensor = new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, 77]);
    const { "hidden_states.2": states, text_embeds } = await session.run({ input_ids: tensor });
    await session.release();
    return { states: states?.data as Float32Array, pooled: text_embeds?.data as Float32Array };
  }
  const idsOf = (text: string) => (reference.textEmbeddings[text] as { ids: number[] }).ids;
  const zeroPadded = (ids: number[]) => ids.map((id, i) => (i > ids.indexOf(999) ? 0 : id));

  async function expected(text: string) {
    const first = await encoded("text_encoder/model.onnx", idsOf(text));
    const second = await encoded("text_encoder_2/model.onnx", zeroPadded(idsOf(text)));
    const states = Array.from({ length: 77 }, (_, i) => [
      ...first.states.slice(32 * i, 32 * i + 32),
      ...second.states.slice(32 * i, 32 * i + 32),
    ]).flat();
    return { states, pooled: Array.from(second.pooled) };
  }

  it("are told the states of both before their last layers, the second's pooled ones, and the size", async () => {
    const made = await generate(xl);
    const [call] = made.unet();
    const [c, u] = [await expected(wish.prompt), await expected(wish.negativePrompt)];
    const states = fed(call, "encoder_hidden_states");
    expect(states.dims).toEqual([2, 77, 64]);
    expect(distance(states.data, [...c.states, ...u.states])).toBeLessThan(1e-5);
    expect(distance(fed(call, "text_embeds").data, [...c.pooled, ...u.pooled])).toBeLessThan(1e-5);
    expect(fed(call, "time_ids")).toEqual({
      type: "float32",
      dims: [2, 6],
      data: [48, 32, 0, 0, 48, 32, 48, 32, 0, 0, 48, 32],
    });
  });

  it("make the picture that the original makes of what the variant mixes", async () => {
    const made = await generate(xl);
    const session = await openSession("test/fixtures/tiny-sd/model/unet/model.onnx");
    const scheduler = schedulerFromConfig(new TextDecoder().decode(await read("scheduler/scheduler_config.json")), {
      className: wish.scheduler,
    }).start({ steps: wish.steps });
    const ids = [48, 32, 0, 0, 48, 32].reduce((sum, v, i) => sum + v * (i + 1), 0);
    const mixed = async (text: string) => {
      const { states, pooled } = await expected(text);
      return Array.from({ length: 77 * 32 }, (_, k) => {
        const [row, column] = [Math.floor(k / 32), k % 32];
        const [a, b] = [states[64 * row + column] as number, states[64 * row + 32 + column] as number];
        return xlMix.first * a + xlMix.second * b + xlMix.pooled * (pooled[column] as number) + xlMix.ids * ids;
      });
    };
    const pair = [...(await mixed(wish.prompt)), ...(await mixed(wish.negativePrompt))];
    let x = gaussianNoise(wish.seed, [1, 4, 24, 16], "torch");
    for (const t of scheduler.timesteps) {
      const { out_sample } = await session.run({
        sample: new ort.Tensor("float32", [...x, ...x], [2, 4, 24, 16]),
        timestep: new ort.Tensor("float32", [t], []),
        encoder_hidden_states: new ort.Tensor("float32", pair, [2, 77, 32]),
      });
      const raw = out_sample?.data as Float32Array;
      const [c, u] = [raw.subarray(0, x.length), raw.subarray(x.length)];
      const guided = x.map((_, k) => (u[k] as number) + wish.guidanceScale * ((c[k] as number) - (u[k] as number)));
      x = scheduler.step(guided, x).x;
    }
    await session.release();
    // The graphs' own rounding under guidance, as the tolerances of guided runs in the reference: 1e-4.
    expect(distance(made.latents, x)).toBeLessThan(1e-4);
  });

  it("are told zeros without a negative prompt, or the empty text where model_index.json says so", async () => {
    const { negativePrompt: _, ...rest } = wish;
    const withoutText = async (folderRead: typeof read) => {
      const { ort: recording, unet } = recordingOrt();
      const pipeline = await openPipeline({ ort: recording, read: folderRead });
      onTestFinished(() => pipeline.dispose());
      await pipeline.generate({ ...rest, steps: 1 });
      const states = fed(unet()[0], "encoder_hidden_states").data;
      return { states: states.slice(states.length / 2), pooled: fed(unet()[0], "text_embeds").data.slice(32) };
    };
    const zeros = await withoutText(xl);
    expect([...zeros.states, ...zeros.pooled].every((v) => v === 0)).toBe(true);
    const index = JSON.parse(new TextDecoder().decode(await xl("model_index.json")));
    const honest = new TextEncoder().encode(JSON.stringify({ ...index, force_zeros_for_empty_prompt: false }));
    const empty = await withoutText((path) => (path === "model_index.json" ? Promise.resolve(honest) : xl(path)));
    const { states, pooled } = await expected("");
    expect(distance(empty.states, states)).toBeLessThan(1e-5);
    expect(distance(empty.pooled, pooled)).toBeLessThan(1e-5);
  });
});
