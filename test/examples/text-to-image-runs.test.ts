// Whole runs of examples/text-to-image from prompt and seed to picture, against those of the Python pipelines. Two of them, and all
// twenty with RUNS=all (147 calls of the network, a minute or two), as `npm run test:examples` runs it.
// Tolerances: the reference's own for each run, three times the largest distance that onnxruntime has from PyTorch on it.
import { afterAll, describe, expect, it } from "vitest";
import { openPipeline } from "../../examples/text-to-image/pipeline.js";
import { error, picture, pixelError, read, recordingOrt, reference, values } from "./text-to-image-support.ts";

const all = process.env.RUNS === "all";
const runs = reference.runs.filter(({ id }) => all || ["ddim", "unipc-guided"].includes(id));

const { ort, calls, unet } = recordingOrt();
const pipeline = await openPipeline({ ort, read });
afterAll(() => pipeline.dispose());

describe.each(runs)("$id", (run) => {
  const guided = run.guidanceScale > 1;
  const image = run.strength === undefined ? undefined : picture(reference.inputPicture.file);
  const made = () =>
    pipeline.generate({
      prompt: run.prompt,
      ...(run.negativePrompt === null ? {} : { negativePrompt: run.negativePrompt }),
      scheduler: run.scheduler,
      schedulerConfig: run.arguments,
      guidanceScale: run.guidanceScale,
      steps: run.steps,
      seed: run.seed,
      width: run.width,
      height: run.height,
      ...(run.eta === undefined ? {} : { eta: run.eta }),
      ...(image === undefined ? {} : { image, strength: run.strength as number }),
    });
  let result: Awaited<ReturnType<typeof made>>;

  it("gives the network the latents of every step, and tells it the same times", async () => {
    calls.length = 0;
    result = await made();
    expect(result.timesteps).toEqual(run.timesteps);
    const size = run.initialLatents.shape.reduce((a, b) => a * b, 1);
    const [batch = 0, ...item] = run.initialLatents.shape;
    for (const [i, { feeds }] of unet().entries()) {
      const { sample, timestep } = feeds;
      expect(timestep?.data).toEqual([Math.fround(run.timesteps[i] as number)]);
      expect(sample?.dims).toEqual([(guided ? 2 : 1) * batch, ...item]);
      const state = i === 0 ? run.initialLatents : (run.trajectory[i - 1] as (typeof run.trajectory)[number]).latents;
      for (const half of guided ? [0, 1] : [0]) {
        const x = sample?.data.slice(half * size, (half + 1) * size).map((v) => v / inputScale(i));
        expect(error(x as number[], state), `call ${i}`).toBeLessThan(run.tolerance.latents);
      }
    }
    expect(error(result.latents, (run.trajectory.at(-1) as (typeof run.trajectory)[number]).latents)).toBeLessThan(
      run.tolerance.latents,
    );
  });

  it("starts from torch's numbers, bit for bit", () => {
    // With an image the encoder's rounding comes before them.
    if (image !== undefined) return;
    const scale = inputScale(0);
    const initial = values(run.initialLatents);
    const first = unet()[0]?.feeds.sample?.data.slice(0, initial.length) as number[];
    if (scale === 1) expect(first).toEqual(Array.from(initial));
    else
      expect(
        error(
          first.map((v) => v / scale),
          run.initialLatents,
        ),
      ).toBeLessThan(1e-6);
  });

  it("decodes to the same pictures", () => {
    const decoded = new Float32Array(result.decoded.reduce((n, d) => n + d.length, 0));
    for (const [i, d] of result.decoded.entries()) decoded.set(d, i * d.length);
    expect(error(decoded, run.decoded)).toBeLessThan(run.tolerance.decoded);
    for (const [i, { file }] of run.pictures.entries()) {
      expect(pixelError(result.pictures[i]?.data as Uint8Array, picture(file).data)).toBeLessThanOrEqual(
        run.tolerance.pixels,
      );
    }
  });

  /** Returns what the Euler classes scale the network's input with: 1/√(sigma² + 1). */
  function inputScale(call: number): number {
    if (!run.scheduler.startsWith("Euler")) return 1;
    const sigmas = run.sigmas as number[];
    const sigma = sigmas[sigmas.length - 1 - run.timesteps.length + call] as number;
    return 1 / Math.sqrt(sigma * sigma + 1);
  }
});
