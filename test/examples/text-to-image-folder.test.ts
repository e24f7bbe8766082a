// Folders that are not whole, or that ask for what there is not: each ends in an error that names the file.
import { describe, expect, it, onTestFinished } from "vitest";
import { openPipeline } from "../../examples/text-to-image/pipeline.js";
import { ort } from "../support/networks.ts";
import { picture, read, reference } from "./text-to-image-support.ts";
import { externalWeights, folder, graph, json, xlInputs } from "./text-to-image-variants.ts";

/** Returns how a run with a folder ends, image to image: all files are needed. */
async function outcome(changes: Parameters<typeof folder>[0]): Promise<string> {
  try {
    const pipeline = await openPipeline({ ort, read: folder(changes) });
    onTestFinished(() => pipeline.dispose());
    const image = picture(reference.inputPicture.file);
    await pipeline.generate({ prompt: "night city, rain", scheduler: "DDIMScheduler", steps: 2, strength: 0.5, image });
    return "pictures";
  } catch (error) {
    return (error as Error).message;
  }
}

const needed = [
  "model_index.json",
  "scheduler/scheduler_config.json",
  "tokenizer/tokenizer_config.json",
  "tokenizer/vocab.json",
  "tokenizer/merges.txt",
  "text_encoder/model.onnx",
  "unet/config.json",
  "unet/model.onnx",
  "vae_encoder/model.onnx",
  "vae_decoder/config.json",
  "vae_decoder/model.onnx",
];

it("a whole folder gives pictures", async () => {
  expect(await outcome({})).toBe("pictures");
});

describe.each(needed)("%s", (path) => {
  it("is named when it is missing", async () => {
    expect(await outcome({ [path]: null })).toMatch(new RegExp(`^"${path}": cannot be read: `));
  });

  it("is named when it is empty", async () => {
    expect(await outcome({ [path]: new Uint8Array() })).toBe(`"${path}": the file is empty`);
  });

  it("is named when it is cut off in the middle", async () => {
    expect(await outcome({ [path]: (bytes) => bytes.slice(0, bytes.length / 2) })).toMatch(
      new RegExp(`^"${path}": .*(cut off|expected JSON)`),
    );
  });

  it("is named when it is a pointer of Git LFS", async () => {
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4192522\n";
    expect(await outcome({ [path]: pointer })).toMatch(new RegExp(`^"${path}": a Git LFS pointer`));
  });
});

it.each(["text_encoder/config.json", "tokenizer/special_tokens_map.json"])(
  "%s may be missing, but is named when it is cut off",
  async (path) => {
    expect(await outcome({ [path]: null })).toBe("pictures");
    expect(await outcome({ [path]: (bytes) => bytes.slice(0, bytes.length / 2) })).toMatch(
      new RegExp(`^"${path}": .*cut off`),
    );
  },
);

describe("graphs", () => {
  it.each(needed.filter((path) => path.endsWith(".onnx")))("%s is named when its last byte lacks", async (path) => {
    expect(await outcome({ [path]: (bytes) => bytes.slice(0, -1) })).toBe(
      `"${path}": the file is cut off, or no ONNX model`,
    );
  });

  it("that are no graphs are named", async () => {
    expect(await outcome({ "unet/model.onnx": "<!doctype html><title>Not found</title>" })).toMatch(
      /^"unet\/model.onnx": /,
    );
  });

  it("that want what is not filled here are named, with the input", async () => {
    const rename = graph(({ input, node }) => {
      const renamed = (name: string) => (name === "input_ids" ? "tokens" : name);
      for (const value of input) value.name = renamed(value.name);
      for (const operator of node) operator.input = operator.input.map(renamed);
    });
    const asked = await outcome({ "text_encoder/model.onnx": rename });
    expect(asked).toBe('"text_encoder/model.onnx": the graph wants "tokens", which is not filled here');
    // SDXL's UNet in a folder of Stable Diffusion: there is nothing pooled to give it.
    const xl = await outcome({ "unet/model.onnx": graph(xlInputs) });
    expect(xl).toBe('"unet/model.onnx": the graph wants "text_embeds", which is not filled here');
  });
});

describe("weights beside a graph", () => {
  const weights = async (change: (bytes: Uint8Array) => Uint8Array | null) => {
    const external = externalWeights(await read("unet/model.onnx"), "model.onnx_data");
    return outcome({ "unet/model.onnx": external.model, "unet/model.onnx_data": change(external.weights) });
  };

  it("are named when they are missing", async () => {
    expect(await weights(() => null)).toMatch(/^"unet\/model.onnx_data": cannot be read/);
  });

  it("are named when they are cut off, with the bytes that there should be", async () => {
    const external = externalWeights(await read("unet/model.onnx"), "model.onnx_data");
    expect(await weights((bytes) => bytes.slice(0, 4096))).toMatch(
      /^"unet\/model.onnx_data": cut off: expected \d+ bytes or more, got 4096$/,
    );
    expect(external.weights.length).toBeGreaterThan(4096);
  });

  it("elsewhere than in the folder are refused", async () => {
    const { model } = externalWeights(await read("unet/model.onnx"), "../../secret");
    expect(await outcome({ "unet/model.onnx": model })).toBe(
      '"unet/model.onnx": weights outside of the model\'s folder: "../../secret"',
    );
  });
});

describe("what there is not", () => {
  const scheduler = "scheduler/scheduler_config.json";

  it.each(["KarrasVeScheduler", "NoSuchScheduler"])("%s is refused, and its file named", async (name) => {
    const pipeline = await openPipeline({ ort, read: folder({ [scheduler]: json({ _class_name: name }) }) });
    await expect(pipeline.generate({ prompt: "" })).rejects.toThrow(new RegExp(`^"${scheduler}": .*${name}`));
  });

  it("is named: other pipelines, refiners, networks for other latents, normalised latents", async () => {
    expect(await outcome({ "model_index.json": json({ _class_name: "StableDiffusion3Pipeline" }) })).toMatch(
      /^"model_index.json": "_class_name": expected .*, got "StableDiffusion3Pipeline"$/,
    );
    expect(await outcome({ "model_index.json": json({ requires_aesthetics_score: true }) })).toMatch(
      /^"model_index.json": "requires_aesthetics_score"/,
    );
    expect(await outcome({ "unet/config.json": json({ in_channels: 9 }) })).toMatch(
      /^"unet\/config.json": "in_channels"/,
    );
    expect(await outcome({ "vae_decoder/config.json": json({ latents_mean: [0, 0, 0, 0] }) })).toMatch(
      /^"vae_decoder\/config.json": "latents_mean"/,
    );
  });

  it("is named: merges that the vocabulary lacks, tokens that no merge makes, a pad token that is none", async () => {
    expect(await outcome({ "tokenizer/merges.txt": (bytes) => `${new TextDecoder().decode(bytes)}q Z</w>\n` })).toMatch(
      /^"tokenizer\/merges.txt": line 488 makes "qZ<\/w>", which "tokenizer\/vocab.json" lacks$/,
    );
    const lines = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trimEnd().split("\n");
    expect(await outcome({ "tokenizer/merges.txt": (bytes) => lines(bytes).slice(0, -1).join("\n") })).toMatch(
      /^"tokenizer\/merges.txt": cut off: no line makes /,
    );
    expect(await outcome({ "tokenizer/tokenizer_config.json": json({ pad_token: "<pad>" }) })).toMatch(
      /^"tokenizer\/tokenizer_config.json": "pad_token": expected a token of the vocabulary/,
    );
  });
});
