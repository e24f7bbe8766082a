// The checks behind every error message. One form: `"steps": expected an integer ≥ 1, got 0`, plus a remedy if there is one.
// TypeError for the wrong kind, RangeError for the wrong value. Called at the public boundary only; nothing here runs per step.

/** Returns how a value reads in an error message: short, and unmistakable about its kind. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  if (value instanceof DataView) return "a DataView";
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of length ${(value as Float32Array).length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return Object.is(value, -0) ? "-0" : String(value);
}

function message(name: string, expected: string, got: string, remedy?: string): string {
  return `"${name}": expected ${expected}, got ${got}${remedy === undefined ? "" : `; ${remedy}`}`;
}

/** Throws the TypeError of a value of the wrong kind. */
export function wrongType(name: string, expected: string, value: unknown, remedy?: string): never {
  throw new TypeError(message(name, expected, show(value), remedy));
}

/** Throws the RangeError of a value of the right kind that is not allowed. */
export function wrongValue(name: string, expected: string, value: unknown, remedy?: string): never {
  throw new RangeError(message(name, expected, show(value), remedy));
}

/** Returns `value` if it is a number that `accepts` takes; NaN never is. */
export function number(name: string, value: unknown, expected: string, accepts: (v: number) => boolean): number {
  if (typeof value !== "number") wrongType(name, expected, value);
  if (Number.isNaN(value) || !accepts(value)) wrongValue(name, expected, value);
  return value;
}

/** Returns `value` if it is a finite number. */
export function finite(name: string, value: unknown): number {
  return number(name, value, "a finite number", Number.isFinite);
}

/** Returns `value` if it is a finite number above 0. */
export function positive(name: string, value: unknown): number {
  return number(name, value, "a finite number > 0", (v) => v > 0 && v < Infinity);
}

/** Returns `value` if it is a finite number that is not below 0. */
export function notNegative(name: string, value: unknown): number {
  return number(name, value, "a finite number ≥ 0", (v) => v >= 0 && v < Infinity);
}

/** Returns `value` if it is a share, a number from 0 to 1. */
export function share(name: string, value: unknown): number {
  return number(name, value, "a number from 0 to 1", (v) => v >= 0 && v <= 1);
}

/** Returns `value` if it is an integer from `least` to `most`. */
export function integer(name: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const bounded = least === most ? `${least}` : `an integer from ${least} to ${most}`;
  const range = most === Number.MAX_SAFE_INTEGER ? `an integer ≥ ${least}` : bounded;
  return number(name, value, range, (v) => Number.isInteger(v) && v >= least && v <= most);
}

/** Returns `value` if it is true or false. */
export function boolean(name: string, value: unknown): boolean {
  if (typeof value !== "boolean") wrongType(name, "true or false", value);
  return value;
}

/** Returns `value` if it is a string among `names`; an unknown name is a RangeError that lists the valid ones. */
export function oneOf<const T extends string>(name: string, value: unknown, names: readonly T[]): T {
  const expected = `one of ${names.map((n) => JSON.stringify(n)).join(", ")}`;
  if (typeof value !== "string") wrongType(name, expected, value);
  if (!names.includes(value as T)) wrongValue(name, expected, value);
  return value as T;
}

/** Returns `value` if it is an object that is no array. */
export function object(name: string, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    wrongType(name, "an object", value);
  }
  return value as Record<string, unknown>;
}

/** Returns `value` if it is an object whose keys are all in `names`; a key with the value undefined counts as absent. */
export function options<T extends object>(name: string, value: unknown, names: readonly string[]): Partial<T> {
  for (const [key, entry] of Object.entries(object(name, value))) {
    if (entry !== undefined && !names.includes(key)) {
      throw new TypeError(`"${key}": unknown option of ${name}; expected one of ${names.join(", ")}`);
    }
  }
  return value as Partial<T>;
}

/** Returns `value` if it is a list of steps, integers from 0 to `steps` − 1. */
export function stepIndices(name: string, value: unknown, steps: number): readonly number[] {
  return Array.from(numbers(name, value), (k, i) => integer(`${name}[${i}]`, k, 0, steps - 1));
}

interface TypedArrays {
  Float32Array: Float32Array;
  Float64Array: Float64Array;
  Uint8Array: Uint8Array;
}

/** Returns whether `value` is a typed array of this name: by tag, since one of another realm (a frame, a test runner's vm) is no instance. */
export function isTypedArray<N extends keyof TypedArrays>(value: unknown, name: N): value is TypedArrays[N] {
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === `[object ${name}]`;
}

/** Returns `value` if it is array-like with numbers only; the numbers themselves are the caller's to check. */
export function numbers(name: string, value: unknown): ArrayLike<number> {
  const view = ArrayBuffer.isView(value) && !(value instanceof DataView);
  if (!Array.isArray(value) && !view) wrongType(name, "an array of numbers", value);
  const array = value as ArrayLike<number>;
  for (let i = 0; i < array.length; i++) {
    if (typeof array[i] !== "number") wrongType(`${name}[${i}]`, "a number", array[i]);
  }
  return array;
}

/** Returns `value` as a list of dimensions `[batch, ...dims]`, each an integer ≥ 1, with at most 2^30 elements. */
export function shape(name: string, value: unknown): number[] {
  const dims = numbers(name, value);
  if (dims.length === 0) wrongValue(name, "[batch, ...dims]", value);
  let length = 1;
  for (let i = 0; i < dims.length; i++) length *= integer(`${name}[${i}]`, dims[i], 1);
  // WebAssembly has 4 GiB of memory; a state of 2^30 floats would fill it alone.
  if (length >= 2 ** 30) throw new RangeError(`"${name}": expected fewer than 2^30 elements, got ${length}`);
  return Array.from(dims);
}
