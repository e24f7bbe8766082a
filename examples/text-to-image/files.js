// @ts-check
// The files of a model folder. Where they come from is the caller's: a function that returns the bytes of a path inside the folder.

/** @typedef {(path: string) => Promise<Uint8Array>} Read */

/** @param {unknown} error */
const detail = (error) => (error instanceof Error ? error.message : String(error));

/** Returns what a value is, for messages. @param {unknown} value */
const show = (value) => (value === undefined ? "nothing" : JSON.stringify(value));

/** The files of a folder; every failure names the file. */
export class Files {
  #read;

  /** @param {Read} read */
  constructor(read) {
    this.#read = read;
  }

  /**
   * Returns the bytes of a file.
   * @param {string} path
   */
  async bytes(path) {
    let bytes;
    try {
      bytes = await this.#read(path);
    } catch (cause) {
      throw new Error(`"${path}": cannot be read: ${detail(cause)}`, { cause });
    }
    if (bytes.length === 0) throw new RangeError(`"${path}": the file is empty`);
    // What a clone without Git LFS leaves in place of a large file.
    if (bytes.length < 1024 && new TextDecoder().decode(bytes).startsWith("version https://git-lfs")) {
      throw new RangeError(`"${path}": a Git LFS pointer, not the file itself; fetch it: git lfs pull`);
    }
    return bytes;
  }

  /** Returns the text of a file. @param {string} path */
  async text(path) {
    return new TextDecoder().decode(await this.bytes(path));
  }

  /**
   * Returns the object in a JSON file.
   * @param {string} path
   * @returns {Promise<Json>}
   */
  async json(path) {
    return parse(path, await this.text(path));
  }

  /**
   * Returns the object in a JSON file that need not be there.
   * @param {string} path
   * @returns {Promise<Json | undefined>}
   */
  async jsonIfThere(path) {
    let text;
    try {
      text = new TextDecoder().decode(await this.#read(path));
    } catch {
      return undefined;
    }
    // Servers of web applications give a page, and no error, for what is not there.
    return text.startsWith("<") ? undefined : parse(path, text);
  }
}

/**
 * @param {string} path
 * @param {string} text
 */
function parse(path, text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(`"${path}": not JSON, or cut off: ${detail(cause)}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`"${path}": expected a JSON object, got ${show(value)}`);
  }
  return new Json(path, value);
}

/** An object from a JSON file; messages read `"unet/config.json": "sample_size": expected …, got …`. */
export class Json {
  /**
   * @param {string} path
   * @param {Record<string, unknown>} values
   */
  constructor(path, values) {
    this.path = path;
    this.values = values;
  }

  /**
   * @param {string} key
   * @param {string} expected
   * @returns {never}
   */
  wrong(key, expected) {
    throw new RangeError(`"${this.path}": "${key}": expected ${expected}, got ${show(this.values[key])}`);
  }

  /** @param {string} key */
  has(key) {
    return this.values[key] !== undefined && this.values[key] !== null;
  }

  /**
   * Returns a number, `fallback` where the file has none.
   * @param {string} key
   * @param {number} [fallback]
   */
  number(key, fallback) {
    if (!this.has(key) && fallback !== undefined) return fallback;
    const value = this.values[key];
    return typeof value === "number" ? value : this.wrong(key, "a number");
  }

  /** Returns a list. @param {string} key */
  list(key) {
    const value = this.values[key];
    return Array.isArray(value) ? value : this.wrong(key, "a list");
  }

  /** Returns a text. @param {string} key */
  text(key) {
    const value = this.values[key];
    return typeof value === "string" ? value : this.wrong(key, "a text");
  }
}

/**
 * Runs `work`; what it throws then begins with the file's name.
 * @template T
 * @param {string} path
 * @param {() => T} work
 * @returns {T}
 */
export function naming(path, work) {
  try {
    return work();
  } catch (cause) {
    const Kind = [TypeError, RangeError, SyntaxError].find((kind) => cause instanceof kind) ?? Error;
    throw new Kind(`"${path}": ${detail(cause)}`, { cause });
  }
}
