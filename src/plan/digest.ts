// A fingerprint of plain data: tells whether a file was altered and whether a search is resumed with what it began with.

/** No data of this library is as deep; a recursion without an end would exhaust the stack. */
const deepest = 100;

/** Returns 64 bits, as 16 hex digits, over all names, strings and number bits of plain data, whatever the order of keys (FNV-1a, Noll 1991). */
export function digest(data: unknown): string {
  // The prime 2^40 + 0x1b3 times (high, low), in 32-bit halves: exact in doubles and free of BigInt's cost.
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  const bits = new DataView(new ArrayBuffer(8));
  const byte = (b: number) => {
    low = (low ^ b) >>> 0;
    const product = low * 0x1b3;
    const carried = Math.floor(product / 2 ** 32);
    high = (Math.imul(high, 0x1b3) + carried + (low << 8)) >>> 0;
    low = product >>> 0;
  };
  const bytes = (list: Uint8Array) => {
    // The same as `byte` with each of them; in local variables it takes 7 ns a byte in place of 70.
    let h = high;
    let l = low;
    for (let i = 0; i < list.length; i++) {
      l = (l ^ (list[i] as number)) >>> 0;
      const product = l * 0x1b3;
      h = (Math.imul(h, 0x1b3) + Math.floor(product / 2 ** 32) + (l << 8)) >>> 0;
      l = product >>> 0;
    }
    high = h;
    low = l;
  };
  const text = (s: string) => {
    for (let i = 0; i < s.length; i++) {
      byte(s.charCodeAt(i) & 255);
      byte(s.charCodeAt(i) >> 8);
    }
    byte(0);
  };
  const walk = (value: unknown, depth: number): void => {
    if (depth > deepest) throw new RangeError(`"json": expected data of at most ${deepest} levels, got more`);
    if (typeof value === "number") {
      byte(1);
      bits.setFloat64(0, value + 0); // JSON does not keep the sign of −0
      for (let i = 0; i < 8; i++) byte(bits.getUint8(i));
    } else if (typeof value === "string") {
      byte(2);
      text(value);
    } else if (ArrayBuffer.isView(value)) {
      byte(10);
      bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else if (Array.isArray(value)) {
      byte(3);
      for (const entry of value) walk(entry, depth + 1);
      byte(4);
    } else if (typeof value === "object" && value !== null) {
      byte(5);
      for (const [key, entry] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (entry === undefined) continue;
        text(key);
        walk(entry, depth + 1);
      }
      byte(6);
    } else byte(value === true ? 7 : value === false ? 8 : 9);
  };
  walk(data, 0);
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}
