// @ts-check
// What a run takes, checked before anything is loaded.

/**
 * @typedef {object} Options
 * @property {string | readonly string[]} prompt one text for each picture
 * @property {string | readonly string[]} [negativePrompt] one text for each picture, or one for all; needs guidance
 * @property {number} [steps] default 25
 * @property {number} [guidanceScale] default 7.5; at 1 and below the network is not guided
 * @property {number} [guidanceRescale] share, 0 to 1, by which a guided output gets its standard deviation back; default 0
 * @property {readonly [number, number]} [guidanceInterval] noise levels sigma/alpha between which the network is guided; default: all
 * @property {number} [width] pixels; default: what the network was trained with, or the image's width
 * @property {number} [height]
 * @property {number | readonly number[]} [seed] of all random numbers, those of torch on the CPU; or one for each picture. Default 0
 * @property {string} [scheduler] class of diffusers; default: that of the folder
 * @property {Record<string, unknown>} [schedulerConfig] arguments of the scheduler beside those of the folder
 * @property {number} [eta] default 0; for schedulers that know it
 * @property {import("./pictures.js").Picture} [image] to start from
 * @property {number} [strength] how much of the run is made from the image: 1 leaves nothing of it; default 0.8
 * @property {AbortSignal} [signal]
 * @property {(progress: Progress) => void} [onProgress]
 * @property {number} [previewEvery] decode what the network expects after every so many calls; default 0: never
 * @property {(preview: { step: number, pictures: import("./pictures.js").Picture[] }) => void} [onPreview]
 *
 * @typedef {object} Progress
 * @property {"text" | "image" | "denoise" | "decode"} phase
 * @property {"load" | "run"} doing
 * @property {number} [step] of the phase, from 1; while it runs
 * @property {number} [steps]
 */

const known =
  `prompt negativePrompt steps guidanceScale guidanceRescale guidanceInterval width height seed scheduler schedulerConfig
  eta image strength signal onProgress previewEvery onPreview`.split(/\s+/);

/**
 * Returns the options with defaults filled in, and texts and seeds as lists.
 * @param {Options} options
 * @param {{ side: number, multiple: number }} size the usual side of a picture, and what a side must be a multiple of
 */
export function check(options, { side, multiple }) {
  if (typeof options !== "object" || options === null) throw new TypeError('"options": expected an object');
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`"${name}": unknown option; known: ${known.join(", ")}`);
  }
  const { steps = 25, guidanceScale = 7.5, eta = 0, previewEvery = 0, seed = 0 } = options;
  const image = options.image ?? undefined;
  const { guidanceRescale = 0, guidanceInterval = [0, Infinity] } = options;
  const prompts = texts("prompt", options.prompt);
  const guided = guidanceScale > 1;
  const given = options.negativePrompt === undefined ? undefined : texts("negativePrompt", options.negativePrompt);
  if (given !== undefined && !guided)
    throw new TypeError('"negativePrompt": without use where "guidanceScale" is 1 or less');
  const negative = given?.length === 1 ? prompts.map(() => /** @type {string} */ (given[0])) : given;
  if (negative !== undefined && negative.length !== prompts.length) {
    throw new RangeError(`"negativePrompt": expected one text, or one for each of ${prompts.length} prompts`);
  }
  number("steps", steps, "an integer ≥ 1", (v) => Number.isInteger(v) && v >= 1);
  number("guidanceScale", guidanceScale, "a finite number", Number.isFinite);
  number("eta", eta, "a number from 0 to 1", (v) => v >= 0 && v <= 1);
  number("guidanceRescale", guidanceRescale, "a number from 0 to 1", (v) => v >= 0 && v <= 1);
  const [low, high] = guidanceInterval;
  if (guidanceInterval.length !== 2 || !(low >= 0 && high > low))
    throw new RangeError('"guidanceInterval": expected two noise levels sigma/alpha, 0 ≤ low < high');
  number("previewEvery", previewEvery, "an integer ≥ 0", (v) => Number.isInteger(v) && v >= 0);
  if (typeof seed !== "number" && !Array.isArray(seed))
    throw new TypeError('"seed": expected a number, or a list of numbers');
  const seeds = typeof seed === "number" ? seed : Array.from(seed);
  if (typeof seeds !== "number" && seeds.length !== prompts.length) {
    throw new RangeError(`"seed": expected one, or one for each of ${prompts.length} prompts, got ${seeds.length}`);
  }
  const { width = image?.width ?? side, height = image?.height ?? side } = options;
  for (const [name, value] of Object.entries({ width, height })) {
    number(name, value, `a multiple of ${multiple}`, (v) => Number.isInteger(v) && v > 0 && v % multiple === 0);
  }
  if (image !== undefined && (image.width !== width || image.height !== height)) {
    throw new RangeError(`"image": expected ${width} × ${height} pixels, got ${image.width} × ${image.height}`);
  }
  if (image !== undefined && image.data?.length !== 3 * width * height) {
    const got = image.data === undefined ? "none" : image.data.length;
    throw new RangeError(`"image.data": expected ${3 * width * height} bytes, got ${got}`);
  }
  if (image === undefined && options.strength !== undefined) {
    throw new TypeError('"strength": without use where no "image" is given');
  }
  const { strength = 0.8 } = options;
  number("strength", strength, "a number > 0, at most 1", (v) => v > 0 && v <= 1);
  return {
    ...options,
    prompts,
    negative,
    guided,
    guidanceScale,
    steps,
    eta,
    seeds,
    width,
    height,
    strength,
    previewEvery,
  };
}

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {string[]}
 */
function texts(name, value) {
  const list = Array.isArray(value) ? Array.from(value) : [value];
  if (list.length > 0 && list.every((text) => typeof text === "string")) return list;
  throw new TypeError(`"${name}": expected a text, or a list of texts`);
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {string} expected
 * @param {(value: number) => boolean} accepts
 */
function number(name, value, expected, accepts) {
  if (typeof value !== "number") throw new TypeError(`"${name}": expected ${expected}, got ${value}`);
  if (!accepts(value)) throw new RangeError(`"${name}": expected ${expected}, got ${value}`);
}
