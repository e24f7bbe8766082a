// @ts-check
// Prompts to what the UNet is told: one text encoder (Stable Diffusion), or one or two whose states are put side by side (SDXL).
import { openGraph } from "./graph.js";
import { openTokenizer } from "./tokenizer.js";

/**
 * @typedef {import("./graph.js").Values} Values
 * @typedef {import("./tokenizer.js").Tokens} Tokens
 *
 * @typedef {object} Embedding
 * @property {Values} states [texts, tokens, width]
 * @property {Values} [pooled] [texts, width], with SDXL
 *
 * @typedef {object} TextEncoder
 * @property {string} folder
 * @property {(text: string) => Tokens} tokenize
 */

/**
 * Returns the tokenizers of the folder, one for each text encoder it has.
 * @param {import("./files.js").Files} files
 * @param {import("./files.js").Json} index
 * @returns {Promise<TextEncoder[]>}
 */
export async function openTokenizers(files, index) {
  const there = (/** @type {string} */ part) => index.has(part) && index.list(part).every((name) => name !== null);
  const parts = ["", "_2"].filter((suffix) => there(`text_encoder${suffix}`));
  if (parts.length === 0) index.wrong("text_encoder", "a text encoder");
  return Promise.all(
    parts.map(async (suffix) => {
      const folder = `text_encoder${suffix}`;
      // Not in folders of diffusers' own exporter. CLIP's text encoders read 77 tokens.
      const config = await files.jsonIfThere(`${folder}/config.json`);
      const positions = config?.number("max_position_embeddings", 77) ?? 77;
      return { folder, tokenize: await openTokenizer(files, `tokenizer${suffix}`, positions) };
    }),
  );
}

/** Returns the graph of a text encoder. @param {import("./graph.js").Runtime} runtime @param {import("./files.js").Files} files @param {string} folder */
export const openTextEncoder = (runtime, files, folder) => openGraph(runtime, files, `${folder}/model.onnx`);

/**
 * Returns the states of one text encoder.
 * @param {import("./graph.js").Graph} graph
 * @param {readonly Tokens[]} tokens of each text
 * @param {boolean} xl SDXL takes the states before the last layer, and the pooled ones of its last encoder
 * @returns {Promise<Embedding>}
 */
export async function encodeTokens(graph, tokens, xl) {
  const { outputNames } = graph.session;
  const hidden = outputNames.filter((name) => /^hidden_states\.\d+$/.test(name));
  hidden.sort((a, b) => Number(a.slice(14)) - Number(b.slice(14)));
  if (xl && hidden.length < 2) {
    throw new TypeError(`"${graph.path}": SDXL needs the outputs hidden_states.0, …; export with output_hidden_states`);
  }
  const states = xl ? /** @type {string} */ (hidden.at(-2)) : "last_hidden_state";
  const pooled = xl && outputNames.includes("text_embeds") ? ["text_embeds"] : [];
  const input_ids = { data: tokens.flatMap(({ ids }) => ids), dims: [tokens.length, tokens[0]?.ids.length ?? 0] };
  const [first, second] = await graph.run({ input_ids }, [states, ...pooled]);
  return { states: /** @type {Values} */ (first), ...(second === undefined ? {} : { pooled: second }) };
}

/**
 * Returns the states of several encoders side by side, with the pooled ones of the last that has some.
 * @param {readonly Embedding[]} embeddings
 * @returns {Embedding}
 */
export function beside(embeddings) {
  const [first] = embeddings;
  if (first === undefined || embeddings.length === 1) return /** @type {Embedding} */ (first);
  const widths = embeddings.map(({ states }) => states.dims[2] ?? 0);
  const width = widths.reduce((a, b) => a + b);
  const [texts = 0, tokens = 0] = first.states.dims;
  const data = new Float32Array(texts * tokens * width);
  let column = 0;
  for (const [i, { states }] of embeddings.entries()) {
    const own = widths[i] ?? 0;
    for (let row = 0; row < texts * tokens; row++) {
      data.set(states.data.slice(row * own, (row + 1) * own), row * width + column);
    }
    column += own;
  }
  const pooled = embeddings.findLast((embedding) => embedding.pooled !== undefined)?.pooled;
  return { states: { data, dims: [texts, tokens, width] }, ...(pooled === undefined ? {} : { pooled }) };
}

/**
 * Returns rows of an embedding, by their index.
 * @param {Embedding} embedding
 * @param {readonly number[]} rows
 * @param {number} [factor] 0: zeros in their place
 * @returns {Embedding}
 */
export function pick({ states, pooled }, rows, factor = 1) {
  const take = (/** @type {Values} */ { data, dims }) => {
    const size = data.length / (dims[0] ?? 1);
    const taken = new Float32Array(rows.length * size);
    if (factor !== 0)
      for (const [i, row] of rows.entries()) taken.set(data.slice(row * size, (row + 1) * size), i * size);
    return { data: taken, dims: [rows.length, ...dims.slice(1)] };
  };
  return { states: take(states), ...(pooled === undefined ? {} : { pooled: take(pooled) }) };
}
