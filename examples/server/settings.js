// @ts-check
// What a client asks for, and what it gets: shared by the server and the edge worker.
import { encode } from "fast-png";

/**
 * @typedef {{ class?: unknown, steps?: unknown, guidance?: unknown, seed?: unknown, solver?: unknown, order?: unknown, format?: unknown }} Wishes
 */

const names = ["class", "steps", "guidance", "seed", "solver", "order", "format"];
const texts = ["solver", "format"];
const formats = ["png", "float32"];

/** An answer that is an error. */
export class HttpError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {Record<string, string>} [headers]
   */
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** @param {string} name */
function known(name) {
  if (!names.includes(name)) throw new HttpError(400, `"${name}": unknown; known: ${names.join(", ")}`);
}

/**
 * Returns what a query says: `class=3&steps=5&guidance=7.5&seed=1`; `class` and `seed` may be lists, `3,1,4`.
 * @param {URLSearchParams} query
 * @returns {Wishes}
 */
export function readQuery(query) {
  /** @type {Record<string, unknown>} */
  const wishes = {};
  for (const [name, text] of query) {
    known(name);
    if (wishes[name] !== undefined) throw new HttpError(400, `"${name}": given twice`);
    const numbers = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
    wishes[name] = texts.includes(name) ? text : numbers.length === 1 ? numbers[0] : numbers;
  }
  return wishes;
}

/**
 * Returns what a body says: the JSON of an object with the same names.
 * @param {Request} request
 * @param {number} limit bytes that are read at most
 * @param {AbortSignal} [signal]
 * @returns {Promise<Wishes>}
 */
export async function readBody(request, limit, signal) {
  const text = new TextDecoder().decode(await readBytes(request, limit, signal));
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HttpError(400, `the body is not JSON: ${/** @type {Error} */ (error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError(400, "the body: expected a JSON object");
  }
  // Own names only, `__proto__` among them: none but the known ones go further.
  Object.keys(value).forEach(known);
  return value;
}

/**
 * @param {Request} request
 * @param {number} limit
 * @param {AbortSignal} [signal]
 */
async function readBytes(request, limit, signal) {
  const tooLarge = new HttpError(413, `the body: expected at most ${limit} bytes`, { connection: "close" });
  if (Number(request.headers.get("content-length")) > limit) throw tooLarge;
  const reader = request.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  // Waits no longer than the signal allows, however slowly the body comes.
  const stop = () => void reader.cancel().catch(() => {});
  signal?.addEventListener("abort", stop, { once: true });
  const bytes = new Uint8Array(limit);
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) return bytes.subarray(0, length);
      if (length + value.length > limit) throw tooLarge;
      bytes.set(value, length);
      length += value.length;
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error === tooLarge) stop();
    throw error === tooLarge ? error : new HttpError(400, "the body ended early");
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * Returns what a sampler takes, for a network with so many labels. The library checks what it takes itself.
 * @param {Wishes} wishes
 * @param {{ labels: number, maxSteps?: number }} limits
 */
export function check({ class: wanted, steps = 5, guidance = 1, seed = 0, solver, order, format = "png" }, limits) {
  const { labels, maxSteps = 100 } = limits;
  const classes = Array.isArray(wanted) ? wanted : [wanted];
  const valid = classes.every((label) => Number.isInteger(label) && label >= -1 && label < labels);
  if (!valid || classes.length === 0) {
    throw new HttpError(400, `"class": expected integers from -1 to ${labels - 1}, got ${JSON.stringify(wanted)}`);
  }
  if (typeof steps === "number" && steps > maxSteps) {
    throw new HttpError(400, `"steps": expected at most ${maxSteps}, got ${steps}`);
  }
  // Beyond any use a guided output overflows: the client's mistake, not the network's.
  if (typeof guidance === "number" && !(Math.abs(guidance) <= 100)) {
    throw new HttpError(400, `"guidance": expected a number from -100 to 100, got ${guidance}`);
  }
  if (!formats.includes(/** @type {string} */ (format))) {
    throw new HttpError(400, `"format": expected one of ${formats.join(", ")}, got ${JSON.stringify(format)}`);
  }
  const plan = {
    steps: /** @type {number} */ (steps),
    guidanceScale: /** @type {number} */ (guidance),
    ...(solver === undefined ? {} : { solver: /** @type {string} */ (solver) }),
    ...(order === undefined ? {} : { order: /** @type {number} */ (order) }),
  };
  const kind = format === "png" ? png : float32;
  return {
    labels: /** @type {number[]} */ (classes),
    seed: /** @type {number | number[]} */ (seed),
    guidanceScale: plan.guidanceScale,
    plan,
    respond: kind,
  };
}

/**
 * Returns grey samples [count, 1, height, width] side by side; −1 is black, 1 is white.
 * @param {{ data: Float32Array, shape: readonly number[] }} sample
 */
function png({ data, shape }) {
  const [count = 0, , height = 0, wide = 0] = shape;
  const width = count * wide;
  const pixels = new Uint8Array(width * height);
  for (const [i, value] of data.entries()) {
    const row = Math.floor(i / wide) % height;
    const column = Math.floor(i / (wide * height)) * wide + (i % wide);
    pixels[row * width + column] = Math.round(Math.min(Math.max((value + 1) / 2, 0), 1) * 255);
  }
  const bytes = encode({ width, height, channels: 1, depth: 8, data: pixels });
  return new Response(/** @type {BodyInit} */ (bytes), { headers: { "content-type": "image/png" } });
}

/**
 * Returns the numbers themselves, in the byte order of this machine (little-endian on all that are in use).
 * @param {{ data: Float32Array, shape: readonly number[] }} sample
 */
function float32({ data, shape }) {
  const headers = { "content-type": "application/octet-stream", "x-shape": shape.join(",") };
  return new Response(/** @type {BodyInit} */ (data), { headers });
}

/**
 * Returns an error as JSON.
 * @param {HttpError} error
 */
export function refuse({ status, message, headers }) {
  return Response.json({ error: message }, { status, headers: { ...headers } });
}
