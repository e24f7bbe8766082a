// @ts-check
// CLIP's tokenizer from the files of a model folder, by @huggingface/tokenizers.
import { Tokenizer } from "@huggingface/tokenizers";
import { naming } from "./files.js";

/**
 * @typedef {object} Tokens
 * @property {number[]} ids as many as the network reads: start, text, end, padding
 * @property {number} length tokens with start and end, before cutting and padding; more than there are ids: the text was cut
 */

/**
 * Returns what turns a text into token ids.
 * @param {import("./files.js").Files} files
 * @param {string} folder "tokenizer", or "tokenizer_2"
 * @param {number} positions as many tokens as the text encoder reads
 */
export async function openTokenizer(files, folder, positions) {
  const config = await files.json(`${folder}/tokenizer_config.json`);
  const special = await specialTokens(files, folder, config);
  const definition =
    (await files.jsonIfThere(`${folder}/tokenizer.json`))?.values ?? (await clip(files, folder, special));
  const tokenizer = naming(`${folder}/tokenizer_config.json`, () => new Tokenizer(definition, config.values));
  const id = (/** @type {string} */ role) => {
    const found = tokenizer.token_to_id(special[role] ?? "");
    return found ?? config.wrong(role, "a token of the vocabulary");
  };
  const end = id("eos_token");
  const padding = special.pad_token === undefined ? end : id("pad_token");
  const size = Math.min(positions, config.number("model_max_length", positions));

  /**
   * Returns the tokens of a text.
   * @param {string} text
   * @returns {Tokens}
   */
  return (text) => {
    const { ids } = tokenizer.encode(text);
    const kept = ids.length > size ? [...ids.slice(0, size - 1), end] : ids;
    return { ids: [...kept, ...Array(size - kept.length).fill(padding)], length: ids.length };
  };
}

/**
 * Returns the special tokens by role. Files without "added_tokens_decoder" are older, and leave the last word to
 * special_tokens_map.json (transformers reads them so; Stable Diffusion 2 pads with "!" for this reason alone).
 * @param {import("./files.js").Files} files
 * @param {string} folder
 * @param {import("./files.js").Json} config
 * @returns {Promise<Record<string, string | undefined>>}
 */
async function specialTokens(files, folder, config) {
  const map = (await files.jsonIfThere(`${folder}/special_tokens_map.json`))?.values ?? {};
  const [first, second] = config.has("added_tokens_decoder") ? [config.values, map] : [map, config.values];
  const roles = ["bos_token", "eos_token", "unk_token", "pad_token"];
  const text = (/** @type {unknown} */ token) =>
    typeof token === "object" && token !== null && "content" in token ? token.content : token;
  return Object.fromEntries(
    roles.map((role) => {
      const token = text(first[role] ?? second[role]);
      return [role, typeof token === "string" ? token : undefined];
    }),
  );
}

/**
 * Returns the definition of CLIP's tokenizer, as tokenizer.json has it, from vocab.json and merges.txt.
 * @param {import("./files.js").Files} files
 * @param {string} folder
 * @param {Record<string, string | undefined>} special
 */
async function clip(files, folder, special) {
  const { path, values: vocab } = await files.json(`${folder}/vocab.json`);
  const lines = (await files.text(`${folder}/merges.txt`)).split(/\r?\n/);
  const merges = lines.filter((line, i) => line !== "" && !(i === 0 && line.startsWith("#version")));
  const made = new Set();
  for (const [i, merge] of merges.entries()) {
    const whole = merge.replace(" ", "");
    made.add(whole);
    if (vocab[whole] !== undefined) continue;
    throw new RangeError(`"${folder}/merges.txt": line ${i + 2} makes "${whole}", which "${path}" lacks`);
  }
  // A file that was cut off between two lines would give other tokens, and no error.
  const symbols = (/** @type {string} */ token) => Array.from(token.replace("</w>", "")).length;
  const lacking = Object.keys(vocab).find((t) => !made.has(t) && symbols(t) > 1 && !/^<\|.*\|>$/.test(t));
  if (lacking !== undefined) throw new RangeError(`"${folder}/merges.txt": cut off: no line makes "${lacking}"`);
  const token = (/** @type {string} */ role) => {
    const content = special[role] ?? "";
    const id = vocab[content];
    if (typeof id !== "number") throw new RangeError(`"${path}": expected the ${role} "${content}" in it`);
    return { id, content, special: true, normalized: true, lstrip: false, rstrip: false, single_word: false };
  };
  const [start, end] = [token("bos_token"), token("eos_token")];
  return {
    version: "1.0",
    added_tokens: [start, end],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFC" },
        { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
        { type: "Lowercase" },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        {
          type: "Split",
          pattern: {
            Regex: `${literal(start.content)}|${literal(end.content)}|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+`,
          },
          behavior: "Removed",
          invert: true,
        },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: {
      type: "RobertaProcessing",
      sep: [end.content, end.id],
      cls: [start.content, start.id],
      trim_offsets: false,
      add_prefix_space: false,
    },
    // Nothing is decoded, but the library asks for it.
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      unk_token: special.unk_token ?? end.content,
      continuing_subword_prefix: "",
      end_of_word_suffix: "</w>",
      fuse_unk: false,
      vocab,
      merges,
    },
  };
}

/** Returns a text as a regular expression that matches it. @param {string} text */
const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
