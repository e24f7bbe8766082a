// The pipeline around its parts: phases, memory, aborts, previews, options.
import { describe, expect, it, onTestFinished } from "vitest";
import type { Options } from "../../examples/text-to-image/options.js";
import { openPipeline } from "../../examples/text-to-image/pipeline.js";
import { picture, read, recordingOrt, reference } from "./text-to-image-support.ts";

const wish: Options = { prompt: "a red boat", scheduler: "DDIMScheduler", steps: 4, width: 32, height: 32, seed: 3 };

async function open(release: "never" | "phase" = "never") {
  const { ort, lives, unet, calls } = recordingOrt();
  const pipeline = await openPipeline({ ort, read, release });
  onTestFinished(() => pipeline.dispose());
  return { pipeline, lives, unet, calls };
}

const names = {
  text: "input_ids → last_hidden_state",
  unet: "sample, timestep, encoder_hidden_states → out_sample",
  decoder: "latent_sample → sample",
  encoder: "sample → latent_parameters",
};

describe("graphs", () => {
  it("are loaded when their phase begins, stay for the next run, and go with the pipeline", async () => {
    const { pipeline, lives } = await open();
    const first = await pipeline.generate(wish);
    const second = await pipeline.generate(wish);
    const opened = [`open ${names.text}`, `open ${names.unet}`, `open ${names.decoder}`];
    expect(lives).toEqual(opened);
    expect(second.latents).toEqual(first.latents);
    await pipeline.dispose();
    expect(lives.slice(3).sort()).toEqual(opened.map((life) => life.replace("open", "release")).sort());
  });

  it("are one at a time in memory where that is asked for, with the same latents", async () => {
    const { pipeline, lives } = await open("phase");
    const image = picture(reference.inputPicture.file);
    const options = { ...wish, image, strength: 0.5, width: image.width, height: image.height };
    const made = await pipeline.generate(options);
    expect(lives).toEqual(
      [names.text, names.encoder, names.unet, names.decoder].flatMap((name) => [`open ${name}`, `release ${name}`]),
    );
    const { pipeline: other } = await open();
    expect((await other.generate(options)).latents).toEqual(made.latents);
  });

  it("are released when their phase fails", async () => {
    const { pipeline, lives } = await open("phase");
    const controller = new AbortController();
    const onProgress: Options["onProgress"] = ({ phase, step }) => {
      if (phase === "denoise" && step === 2) controller.abort();
    };
    await expect(pipeline.generate({ ...wish, signal: controller.signal, onProgress })).rejects.toThrow(/abort/i);
    expect(lives.filter((life) => life.startsWith("open")).length).toBe(2);
    expect(lives.filter((life) => life.startsWith("release")).length).toBe(2);
  });
});

describe("guidance", () => {
  it("doubles the batch, only between the noise levels that are given", async () => {
    const { pipeline, unet } = await open();
    const items = () => unet().map(({ feeds }) => feeds.sample?.dims[0]);
    const whole = await pipeline.generate(wish);
    expect(items()).toEqual([2, 2, 2, 2]);
    // Timesteps 751, 501, 251 and 1 are at sigma/alpha of about 4.9, 1.6, 0.6 and 0.04.
    const within = await pipeline.generate({ ...wish, guidanceInterval: [0.3, 3] });
    expect(items().slice(4)).toEqual([1, 2, 2, 1]);
    expect(within.latents).not.toEqual(whole.latents);
  });

  it("is rescaled where that is asked for: what is asked reaches the library", async () => {
    const { pipeline } = await open();
    const { latents } = await pipeline.generate(wish);
    expect((await pipeline.generate({ ...wish, guidanceRescale: 0 })).latents).toEqual(latents);
    expect((await pipeline.generate({ ...wish, guidanceRescale: 0.7 })).latents).not.toEqual(latents);
    await expect(pipeline.generate({ ...wish, guidanceRescale: 2 })).rejects.toThrow('"guidanceRescale": expected');
  });
});

describe("progress", () => {
  it("names phases, loads, and calls of the network, in order", async () => {
    const { pipeline } = await open();
    const heard: string[] = [];
    const onProgress: Options["onProgress"] = ({ phase, doing, step, steps }) =>
      heard.push(`${phase} ${doing}${step === undefined ? "" : ` ${step}/${steps}`}`);
    await pipeline.generate({ ...wish, onProgress });
    const run = ["denoise run 1/4", "denoise run 2/4", "denoise run 3/4", "denoise run 4/4"];
    expect(heard).toEqual(["text load", "text run 1/1", "denoise load", ...run, "decode load", "decode run 1/1"]);
    heard.length = 0;
    await pipeline.generate({ ...wish, onProgress });
    expect(heard).toEqual(["text run 1/1", ...run, "decode run 1/1"]);
  });
});

describe("an abort", () => {
  it("before the run makes no call, and rejects with its reason", async () => {
    const { pipeline, calls } = await open();
    const reason = new Error("changed my mind");
    await expect(pipeline.generate({ ...wish, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(calls).toEqual([]);
  });

  it("while the image is encoded is heard before the next graph is loaded", async () => {
    const { pipeline, lives } = await open();
    const controller = new AbortController();
    const onProgress: Options["onProgress"] = ({ phase, doing }) => {
      // As a signal of the process: heard in the next turn of the event loop.
      if (phase === "image" && doing === "run") setImmediate(() => controller.abort());
    };
    const image = picture(reference.inputPicture.file);
    const { width, height } = image;
    const options = { ...wish, image, width, height, signal: controller.signal, onProgress };
    await expect(pipeline.generate(options)).rejects.toThrow(/abort/i);
    expect(lives).toEqual([`open ${names.text}`, `open ${names.encoder}`]);
  });

  it("in the run makes no further call, and leaves the pipeline usable", async () => {
    const { pipeline, unet } = await open();
    const controller = new AbortController();
    const reason = new Error("enough");
    const onProgress: Options["onProgress"] = ({ phase, step }) => {
      if (phase === "denoise" && step === 2) controller.abort(reason);
    };
    await expect(pipeline.generate({ ...wish, signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(unet().length).toBeLessThanOrEqual(2);
    const after = await pipeline.generate(wish);
    const { pipeline: other } = await open();
    expect(after.latents).toEqual((await other.generate(wish)).latents);
  });
});

describe("previews", () => {
  it("are pictures of what the network expects, after every second call but the last, and do not change the result", async () => {
    const { pipeline } = await open();
    const seen: { step: number; sizes: number[][] }[] = [];
    const made = await pipeline.generate({
      ...wish,
      steps: 6,
      prompt: ["a red boat", "night city"],
      previewEvery: 2,
      onPreview: ({ step, pictures }) => {
        seen.push({ step, sizes: pictures.map(({ width, height, data }) => [width, height, data.length]) });
      },
    });
    const sizes = [0, 1].map(() => [32, 32, 3 * 32 * 32]);
    expect(seen).toEqual([
      { step: 1, sizes },
      { step: 3, sizes },
    ]);
    const plain = await pipeline.generate({ ...wish, steps: 6, prompt: ["a red boat", "night city"] });
    expect(made.latents).toEqual(plain.latents);
  });
});

describe("runs", () => {
  it("asked for at once wait for each other, and a failed one does not stop the next", async () => {
    const { pipeline, unet } = await open();
    const [a, failed, b] = await Promise.allSettled([
      pipeline.generate(wish),
      pipeline.generate({ ...wish, steps: 0 }),
      pipeline.generate({ ...wish, seed: 4 }),
    ]);
    expect([a.status, failed.status, b.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(unet().length).toBe(8);
  });

  it("of several seeds give each picture what it is alone, and of one seed one stream for all", async () => {
    const { pipeline } = await open();
    const prompt = ["a red boat", "night city"];
    const both = await pipeline.generate({ ...wish, prompt, seed: [3, 4] });
    const alone = await pipeline.generate({ ...wish, prompt: "night city", seed: 4 });
    expect(both.latents.slice(alone.latents.length)).toEqual(alone.latents);
    const shared = await pipeline.generate({ ...wish, prompt, seed: 3 });
    expect(shared.latents.slice(0, alone.latents.length)).toEqual(both.latents.slice(0, alone.latents.length));
    expect(shared.latents).not.toEqual(both.latents);
  });

  it("say when a text was cut", async () => {
    const { pipeline } = await open();
    const { warnings } = await pipeline.generate({ ...wish, prompt: "lake ".repeat(90) });
    expect(warnings).toEqual([expect.stringMatching(/^only 77 of 92 tokens are read of "lake lake/)]);
    expect((await pipeline.generate(wish)).warnings).toEqual([]);
  });

  it("say which arguments the scheduler does not have, which diffusers drops in silence", async () => {
    const { pipeline } = await open();
    const { warnings } = await pipeline.generate({ ...wish, schedulerConfig: { use_karas_sigmas: true } });
    expect(warnings).toEqual(['DDIMScheduler has no argument "use_karas_sigmas"']);
  });
});

describe("options", () => {
  it.each([
    [{ promt: "a" }, /^"promt": unknown option; known: prompt, /],
    [{ prompt: 3 }, '"prompt": expected a text, or a list of texts'],
    [{ prompt: [] }, '"prompt": expected a text, or a list of texts'],
    [{ steps: 0 }, '"steps": expected an integer ≥ 1, got 0'],
    [{ steps: "5" }, '"steps": expected an integer ≥ 1, got 5'],
    [{ guidanceScale: Number.NaN }, '"guidanceScale": expected a finite number, got NaN'],
    [{ width: 30 }, '"width": expected a multiple of 4, got 30'],
    [{ guidanceScale: 1, negativePrompt: "b" }, '"negativePrompt": without use where "guidanceScale" is 1 or less'],
    [{ negativePrompt: ["a", "b"] }, '"negativePrompt": expected one text, or one for each of 1 prompts'],
    [{ seed: "7" }, '"seed": expected a number, or a list of numbers'],
    [{ guidanceRescale: 3 }, '"guidanceRescale": expected a number from 0 to 1, got 3'],
    [{ guidanceInterval: [1] }, '"guidanceInterval": expected two noise levels sigma/alpha, 0 ≤ low < high'],
    [{ guidanceInterval: [3, 1] }, '"guidanceInterval": expected two noise levels sigma/alpha, 0 ≤ low < high'],
    [{ image: { width: 32, height: 32, data: new Uint8Array(5) } }, '"image.data": expected 3072 bytes, got 5'],
    [{ seed: [1, 2] }, '"seed": expected one, or one for each of 1 prompts, got 2'],
    [{ strength: 0.5 }, '"strength": without use where no "image" is given'],
    [
      { image: { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64) } },
      '"image": expected 32 × 32 pixels, got 64 × 64',
    ],
  ])("%o are refused before anything is loaded", async (changes, message) => {
    const { pipeline, lives } = await open();
    await expect(pipeline.generate({ ...wish, ...changes } as Options)).rejects.toThrow(message);
    expect(lives).toEqual([]);
  });
});
