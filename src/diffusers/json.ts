// JSON as Python's json module writes it: NaN, Infinity and -Infinity are numbers there, and a strict parser refuses the text.
import { object, wrongType, wrongValue } from "../check.ts";
import type { Json } from "./defaults.ts";

/** Far above any configuration: a thousand betas are 20 KB. */
const longest = 2 ** 20;

/** What may stand in a text beside Python's literals and hides them: an escaped sign, and the quotes of strings. */
const quoteOrLiteral = /\\[\s\S]|"|-?Infinity|NaN/g;

/** Returns `text` with Python's literals replaced. The blanks keep `1Infinity` from becoming a number; 1e999 is read as infinity. */
function rewritten(text: string, nan: string): string {
  let quoted = false;
  return text.replace(quoteOrLiteral, (part) => {
    if (part === '"') quoted = !quoted;
    if (quoted || part === '"' || part.startsWith("\\")) return part;
    return part === "NaN" ? ` ${nan} ` : ` ${part.replace("Infinity", "1e999")} `;
  });
}

/**
 * Returns the value of a JSON text in which `NaN`, `Infinity` and `-Infinity` may stand for numbers.
 * @throws TypeError that names `name` if the text is not JSON, RangeError if it is far too long or nested too deep.
 */
export function parseJson(name: string, text: string): unknown {
  if (text.length > longest) wrongValue(name, `a text of at most ${longest} characters`, text);
  try {
    if (!text.includes("NaN")) return JSON.parse(rewritten(text, ""));
    const strings = new Set<string>();
    JSON.parse(rewritten(text, "[null]"), (_, entry: unknown) => {
      if (typeof entry === "string") strings.add(entry);
      return entry;
    });
    // A list of a string that the text has nowhere: it cannot be a key, and no other list is equal to it.
    let mark = "NaN";
    while (strings.has(mark)) mark += "'";
    return JSON.parse(rewritten(text, JSON.stringify([mark])), (_, entry: unknown) =>
      Array.isArray(entry) && entry.length === 1 && entry[0] === mark ? Number.NaN : entry,
    );
  } catch (cause) {
    // JSON.parse calls itself for what a value holds.
    if (cause instanceof RangeError) wrongValue(name, "JSON that is nested less deep", text);
    if (!(cause instanceof SyntaxError)) throw cause;
    return wrongType(name, "JSON", text, cause.message);
  }
}

/** Configurations are flat, but for lists of numbers; what is deeper is a mistake, or holds itself. */
const deepest = 100;

/** Returns a deep frozen copy of `value`, with typed arrays as lists. @throws TypeError, RangeError; also for what holds itself. */
export function plain(name: string, value: unknown, depth = 0): Json {
  if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "string") {
    return value;
  }
  if (typeof value !== "object") wrongType(name, "null, true, false, a number, text, a list or an object", value);
  if (depth > deepest) wrongValue(name, `at most ${deepest} lists or objects in each other`, value);
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    // Lists can be long: their numbers need no names.
    const inner = (entry: unknown, i: number) =>
      typeof entry === "number" ? entry : plain(`${name}[${i}]`, entry, depth + 1);
    return Object.freeze(Array.from(value as ArrayLike<unknown>, inner));
  }
  const entries = Object.entries(object(name, value)).filter(([, entry]) => entry !== undefined);
  return Object.freeze(
    Object.fromEntries(entries.map(([key, entry]) => [key, plain(`${name}.${key}`, entry, depth + 1)])),
  );
}
