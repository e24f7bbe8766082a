// Instances of the module by size. A run borrows one: its memory is sized before the first step and never grows during the run.
// An instance costs 0.1 ms untouched and 1 ms with a megabyte touched, against microseconds a step, so returned ones are kept.
import { instantiate, type WasmExports } from "./module.ts";

/** A borrowed instance: `base` is the first free address, 16-byte aligned, with at least the bytes that were asked for behind it. */
export interface Arena {
  readonly exports: WasmExports;
  readonly base: number;
  /** Gives the instance back. Every view of its memory has length 0 from here on. */
  release(): void;
}

const pageBytes = 65536;
/** Idle memory that is kept for the next run, in pages: 256 MiB. */
const maxIdlePages = 4096;

const idle = new Map<number, WasmExports[]>();
let idlePages = 0;

/**
 * Returns an instance with `bytes` of free memory, of unknown content.
 * @throws RangeError if a 32-bit memory cannot hold them.
 */
export function borrow(bytes: number): Arena {
  // One page stays unused at the top: a buffer that ends at 4 GiB has an end pointer of 0.
  const needed = Math.ceil(bytes / pageBytes) + 2;
  let pages = 1;
  while (pages < needed) pages *= 2;
  if (pages > 1024) pages = Math.ceil(needed / 1024) * 1024;
  const kept = idle.get(pages)?.pop();
  if (kept !== undefined) idlePages -= pages;
  const exports = kept ?? create(pages, bytes);
  const base = (exports.heapBase() + 15) & ~15;
  let released = false;
  return {
    exports,
    base,
    release() {
      if (released) return;
      released = true;
      exports.memory.grow(0);
      if (pages > maxIdlePages) return;
      // What lies idle has other sizes than what is used now; it makes room at once.
      if (idlePages + pages > maxIdlePages) {
        idle.clear();
        idlePages = 0;
      }
      idlePages += pages;
      const list = idle.get(pages);
      if (list === undefined) idle.set(pages, [exports]);
      else list.push(exports);
    },
  };
}

function create(pages: number, bytes: number): WasmExports {
  const exports = instantiate();
  const missing = pages - exports.memory.buffer.byteLength / pageBytes;
  try {
    if (pages > 65536) throw new RangeError("above 4 GiB");
    if (missing > 0) exports.memory.grow(missing);
  } catch (cause) {
    throw new RangeError(
      `this run needs ${Math.ceil(bytes / 2 ** 20)} MiB of WebAssembly memory, which are not to be had`,
      { cause },
    );
  }
  return exports;
}
