// @ts-check
// The VAE: pictures to latents and back. Its two halves are graphs of their own.
import { openGraph } from "./graph.js";
import { fromPicture, toPicture } from "./pictures.js";
import { turn } from "./turn.js";

/**
 * @typedef {import("./pictures.js").Picture} Picture
 * @typedef {import("./graph.js").Graph} Graph
 *
 * @typedef {object} VaeConfig
 * @property {number} factor pixels a latent is wide
 * @property {number} channels of the latents
 * @property {number} scale latents = scale · (what the VAE has − shift)
 * @property {number} shift
 */

/**
 * Returns what config.json says of the VAE.
 * @param {import("./files.js").Json} config
 * @returns {VaeConfig}
 */
export function readVaeConfig(config) {
  for (const key of ["latents_mean", "latents_std"]) {
    if (config.has(key)) config.wrong(key, "null: normalisation by channel is not supported");
  }
  return {
    factor: 2 ** (config.list("block_out_channels").length - 1),
    channels: config.number("latent_channels", 4),
    scale: config.number("scaling_factor", 0.18215),
    shift: config.number("shift_factor", 0),
  };
}

/**
 * Returns one half of the VAE.
 * @param {import("./graph.js").Runtime} runtime
 * @param {import("./files.js").Files} files
 * @param {"vae_decoder" | "vae_encoder"} half
 */
export const openVae = (runtime, files, half) => openGraph(runtime, files, `${half}/model.onnx`);

/**
 * Returns decoded latents. Items go one by one: the decoder needs more memory than all else.
 * @param {Graph} decoder
 * @param {VaeConfig} config
 * @param {Float32Array} latents
 * @param {readonly number[]} shape [batch, channels, height, width]
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ values: Float32Array, picture: Picture }[]>} values [3, height, width]
 */
export async function decode(decoder, { scale, shift }, latents, [batch = 0, ...item], signal) {
  const size = latents.length / batch;
  const decoded = [];
  for (let i = 0; i < batch; i++) {
    if (i > 0) await turn();
    signal?.throwIfAborted();
    const data = latents.slice(i * size, (i + 1) * size).map((value) => value / scale + shift);
    const [output] = await decoder.run({ latent_sample: { data, dims: [1, ...item] } }, ["sample"]);
    const { data: values, dims } = /** @type {{ data: Float32Array, dims: number[] }} */ (output);
    decoded.push({ values, picture: toPicture(values, dims[3] ?? 0, dims[2] ?? 0) });
  }
  return decoded;
}

/**
 * Returns the latents of a picture.
 * @param {Graph} encoder
 * @param {VaeConfig} config
 * @param {Picture} picture
 * @param {number} count how many, each with noise of its own
 * @param {(shape: number[]) => Float32Array} draw standard normals; called once, not at all where the graph draws by itself
 * @returns {Promise<Float32Array>} [count, channels, height, width]
 */
export async function encode(encoder, { channels, scale, shift }, picture, count, draw) {
  const sample = fromPicture(picture);
  const drawn = encoder.session.outputNames.includes("latent_sample");
  const [output] = await encoder.run({ sample }, [drawn ? "latent_sample" : "latent_parameters"]);
  const { data, dims } = /** @type {{ data: Float32Array, dims: number[] }} */ (output);
  const [, , height = 0, width = 0] = dims;
  const size = channels * height * width;
  const latents = new Float32Array(count * size);
  if (drawn) {
    for (let i = 0; i < count; i++)
      latents.set(
        data.subarray(0, size).map((z) => scale * (z - shift)),
        i * size,
      );
    return latents;
  }
  if (data.length !== 2 * size) {
    throw new RangeError(`"${encoder.path}": expected ${2 * channels} channels of "latent_parameters", got ${dims[1]}`);
  }
  const noise = draw([count, channels, height, width]);
  for (let i = 0; i < latents.length; i++) {
    const at = i % size;
    const logVariance = Math.min(Math.max(data[size + at] ?? 0, -30), 20);
    const z = (data[at] ?? 0) + Math.exp(logVariance / 2) * (noise[i] ?? 0);
    latents[i] = scale * (z - shift);
  }
  return latents;
}
