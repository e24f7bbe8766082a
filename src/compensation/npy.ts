// NumPy's .npy files, as far as one flat array of doubles goes.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
import * as check from "../check.ts";

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // "\x93NUMPY"

/** Returns one entry of the header, a Python dictionary; undefined where it is missing or of a kind that this file does not know. */
function field(header: string, key: string, value: string): string | undefined {
  return new RegExp(`['"]${key}['"]\\s*:\\s*${value}`).exec(header)?.[1];
}

/**
 * Returns the numbers of a .npy file that holds `count` little-endian doubles in one axis.
 * @throws TypeError for what is no .npy file, RangeError for one with other content.
 */
export function npyDoubles(name: string, value: unknown, count: number): Float64Array {
  if (!check.isTypedArray(value, "Uint8Array")) {
    check.wrongType(name, "the bytes of a .npy file as a Uint8Array", value);
  }
  const bytes = value;
  if (magic.some((byte, i) => bytes[i] !== byte)) {
    throw new TypeError(`"${name}": expected a .npy file, got bytes without its magic number`);
  }
  const refuse = (expected: string, got: string): never => {
    throw new RangeError(`"${name}": expected ${expected}, got ${got}`);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = bytes[6] ?? 0;
  if (major < 1 || major > 3) refuse("a .npy file of version 1, 2 or 3", `version ${bytes[6] ?? "nothing"}`);
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start) refuse("a whole header", `a file of ${bytes.length} bytes`);
  const end = start + (major === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  // NumPy's own limit.
  if (end - start > 10_000) refuse("a header of at most 10000 bytes", `${end - start}`);
  if (end > bytes.length) refuse(`a header of ${end - start} bytes`, `a file that ends after ${bytes.length - start}`);

  const header = String.fromCharCode(...bytes.subarray(start, end));
  const type = field(header, "descr", "['\"]([^'\"]*)['\"]");
  if (type !== "<f8") refuse('the type "<f8"', type === undefined ? "none, or a structure" : JSON.stringify(type));
  const order = field(header, "fortran_order", "(True|False)");
  if (order !== "False") refuse("fortran_order False", order ?? "none");
  const shape = field(header, "shape", "\\(([^()]*)\\)")?.replaceAll(" ", "");
  if (shape !== `${count},`) refuse(`the shape (${count},)`, shape === undefined ? "none" : `(${shape})`);
  if (bytes.length - end !== 8 * count) refuse(`${8 * count} bytes of numbers`, `${bytes.length - end}`);
  return Float64Array.from({ length: count }, (_, i) =>
    check.finite(`${name}[${i}]`, view.getFloat64(end + 8 * i, true)),
  );
}
