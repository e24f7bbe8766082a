// JSON as Python's json module writes it: NaN, Infinity and -Infinity are numbers there, and a strict parser refuses the text.
import { object, wrongType } from "../check.ts";
import type { Json } from "./defaults.ts";

/** A string, to its end or to the end of the text; or one of Python's three literals. */
const stringOrLiteral = /"[^"\\]*(?:\\[\s\S][^"\\]*)*(?:"|$)|-?Infinity|NaN/g;

/** Returns `text` with Python's literals replaced. The blanks keep `1Infinity` from becoming a number; 1e999 is read as infinity. */
function rewritten(text: string, nan: string): string {
  return text.replace(stringOrLiteral, (part) => {
    if (part.startsWith('"')) return part;
    return part === "NaN" ? ` ${nan} ` : ` ${part.replace("Infinity", "1e999")} `;
  });
}

/**
 * Returns the value of a JSON text in which `NaN`, `Infinity` and `-Infinity` may stand for numbers.
 * @throws TypeError that names `name` if the text is not JSON.
 */
export function parseJson(name: string, text: string): unknown {
  try {
    const strings = new Set<string>();
    const value: unknown = JSON.parse(rewritten(text, "[null]"), (_, entry: unknown) => {
      if (typeof entry === "string") strings.add(entry);
      return entry;
    });
    if (!text.includes("NaN")) return value;
    // A list of a string that the text has nowhere: it cannot be a key, and no other list is equal to it.
    let mark = "NaN";
    while (strings.has(mark)) mark += "'";
    return JSON.parse(rewritten(text, JSON.stringify([mark])), (_, entry: unknown) =>
      Array.isArray(entry) && entry.length === 1 && entry[0] === mark ? Number.NaN : entry,
    );
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    return wrongType(name, "JSON", text, cause.message);
  }
}

/** Returns a deep frozen copy of `value`, with typed arrays as lists. */
export function plain(name: string, value: unknown): Json {
  if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "string") {
    return value;
  }
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return Object.freeze(Array.from(value as unknown as ArrayLike<unknown>, (v, i) => plain(`${name}[${i}]`, v)));
  }
  if (Array.isArray(value)) return Object.freeze(value.map((entry, i) => plain(`${name}[${i}]`, entry)));
  if (typeof value !== "object") wrongType(name, "null, true, false, a number, text, a list or an object", value);
  const entries = Object.entries(object(name, value)).filter(([, entry]) => entry !== undefined);
  return Object.freeze(Object.fromEntries(entries.map(([key, entry]) => [key, plain(`${name}.${key}`, entry)])));
}
