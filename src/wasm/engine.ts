// The engine: slots in linear memory, block programs over them, thresholding, a check for NaN. It knows no solver and no network.
// `open` allocates once for a run; afterwards nothing is allocated but what is copied out. The run object (sampling/run) drives it;
// the reference engine of the tests and engines on other devices have the same interface.
import { borrow } from "./arena.ts";

/** A buffer of the arena: ≥ 0 holds a whole tensor; −1, −2, … is a scratch block that lives within one block program. */
export type Slot = number;

/** out = Σ coefficients[term.coefficient] · from, summed left to right. At most 8 terms. */
export interface LinearOperation {
  readonly out: Slot;
  readonly terms: readonly { readonly coefficient: number; readonly from: Slot }[];
}

/** What an engine must know of a program before it runs. */
export interface EngineProgram {
  readonly slots: number;
  readonly scratch: number;
  readonly coefficients: Float64Array;
  readonly instructions: readonly (
    | { readonly kind: "exec"; readonly operations: readonly LinearOperation[] }
    | { readonly kind: string }
  )[];
}

/** The element type of an engine's tensors at its border; float32 everywhere but in the tests' exact arithmetic. */
export type Tensor = Float32Array | Float64Array;

/** One run's memory on an engine. Lengths are those of the whole tensor, items × itemLength. */
export interface Machine {
  /** Returns an empty tensor of the element type. */
  allocate(length: number): Tensor;
  write(slot: Slot, data: Tensor): void;
  /** Returns a copy. */
  read(slot: Slot): Tensor;
  /** Runs the block program at this index of the instructions. */
  exec(instruction: number): void;
  /** slot = factor · slot */
  scale(slot: Slot, factor: number): void;
  /** Thresholding, item by item: s = min(max(quantile(|from|, ratio), maxValue), limit), to = clamp(from, −s, s)·maxValue/s. */
  clip(to: Slot, from: Slot, ratio: number, maxValue: number, limit: number): void;
  /**
   * Guidance rescale, item by item: slot = (share·d + 1 − share)·slot, where d is the standard deviation of `like` over that of `slot`.
   * Source: Lin et al. 2024 (arXiv 2305.08891), equations 15 and 16.
   */
  rescale(slot: Slot, like: Slot, share: number): void;
  /** Returns whether every element is finite. `instruction` is the one that asks; only a device, which answers later, needs it. */
  isFinite(slot: Slot, instruction?: number): boolean;
  /** Overwrites an entry of the coefficient table, between two block programs. */
  setCoefficient(index: number, value: number): void;
  /** Returns a copy of all slots. */
  save(): Tensor;
  /** Puts back what `save` returned. */
  restore(saved: Tensor): void;
  release(): void;
}

/** Buffers of a device that one model call works on; float32 from byte 0, both outputs of a guided pair one after the other. */
export interface DeviceBuffers {
  readonly device: unknown;
  /** The network's input, once for each output that is wanted. */
  readonly x: unknown;
  /** To be filled. */
  readonly output: unknown;
}

/**
 * A machine whose work is only queued. What `read` returns is filled once `settle` has resolved, `isFinite` says no at once for data
 * of the host alone, and `save` and `restore` are refused.
 */
export interface DeviceMachine extends Machine {
  /** Waits for what has been read. Returns the first instruction that asked `isFinite` and should have heard no, if there is one. */
  settle(): Promise<number | undefined>;
  /** Lets `ask` fill the output slots on the device. Returns what it does: false if it has left them alone. */
  call(x: Slot, outputs: readonly Slot[], ask: (buffers: DeviceBuffers) => Promise<boolean>): Promise<boolean>;
  /** Rejects when the device is lost, and is pending until then. */
  readonly lost: Promise<never>;
}

export interface Engine {
  open(program: EngineProgram, items: number, itemLength: number): Machine;
  /** There on engines whose machines are on a device. */
  readonly device?: unknown;
}

/** Floats a block while the slots fit the caches: 4 KiB of each stream. 512 to 16384 measure alike, 256 takes 1.05 of the time. */
const block = 1024;
/**
 * Floats a block beyond: 1 KiB of each stream takes half the time of 4 KiB from 0.5 M floats a slot on, and half that of a copy.
 * Presumably prefetchers, which stop at the ends of 4 KiB pages, run on while the other streams have their turn.
 */
const blockBeyond = 256;
/** Bytes of all slots from which the short blocks win: measured 0.95 at 7 MiB, 1.2 to 1.5 at 11 MiB, 2 at 15 MiB (32 MiB of cache). */
const cached = 8 * 2 ** 20;
/** Between buffers, so that streams of one operation do not share cache sets: 1.3 to 1.4 times faster at 8 streams. */
const stagger = 320;
/** Histogram of the quantile's radix select. */
const histogramBytes = 8192;

// No bitwise and: it is signed, and would turn a slot of 2 GiB into a negative stride.
const stride = (floats: number) => 16 * Math.ceil(floats / 4) + stagger;

/** Returns the factor of guidance rescale from two sums of squared deviations; what does not vary is left as it is. */
export function rescaleFactor(own: number, like: number, share: number): number {
  return own > 0 ? share * Math.sqrt(Math.max(like, 0) / own) + (1 - share) : 1;
}

/** The engine of this library: SIMD WebAssembly, float32, the same bits on every runtime. */
export const wasmEngine: Engine = {
  open(program, items, itemLength) {
    const length = items * itemLength;
    let tableBytes = 0;
    for (const instruction of program.instructions) {
      if (!("operations" in instruction)) continue;
      tableBytes += 4 + instruction.operations.reduce((sum, o) => sum + 8 + 8 * o.terms.length, 0);
    }
    const scratchStride = stride(block);
    const slotStride = stride(length);
    const blockLength = program.slots * slotStride > cached ? blockBeyond : block;
    const total = tableBytes + 16 + histogramBytes + program.scratch * scratchStride + program.slots * slotStride;
    const arena = borrow(total);
    const { exports, base: tables } = arena;
    const histogram = (tables + tableBytes + 15) & ~15;
    const scratch = histogram + histogramBytes;
    const slots = scratch + program.scratch * scratchStride;
    const address = (slot: Slot) => (slot < 0 ? scratch - (1 + slot) * scratchStride : slots + slot * slotStride);
    // Bit 0 marks a scratch block, whose address does not advance with the block.
    const pointer = (slot: Slot) => (slot < 0 ? address(slot) | 1 : address(slot));
    const words = new Uint32Array(exports.memory.buffer);
    const floats = new Float32Array(exports.memory.buffer);

    const entries: number[] = [];
    const coefficientWords: number[] = [];
    let word = tables >>> 2;
    for (const instruction of program.instructions) {
      entries.push(4 * word);
      if (!("operations" in instruction)) continue;
      words[word++] = instruction.operations.length;
      for (const { out, terms } of instruction.operations) {
        words[word++] = pointer(out);
        words[word++] = terms.length;
        for (const { coefficient, from } of terms) {
          coefficientWords[coefficient] = word;
          floats[word++] = program.coefficients[coefficient] as number;
          words[word++] = pointer(from);
        }
      }
    }
    const views: Float32Array[] = [];
    const view = (slot: Slot) => {
      const first = address(slot) >>> 2;
      views[slot] ??= floats.subarray(first, first + length);
      return views[slot];
    };
    const allSlots = () => floats.subarray(slots >>> 2, (slots + program.slots * slotStride) >>> 2);
    return {
      allocate: (length) => new Float32Array(length),
      write: (slot, data) => view(slot).set(data),
      read: (slot) => view(slot).slice(),
      exec: (instruction) => exports.exec(entries[instruction] as number, length, blockLength),
      scale: (slot, factor) => exports.clampScale(address(slot), address(slot), length, Infinity, factor),
      clip(to, from, ratio, maxValue, limit) {
        for (let item = 0; item < items; item++) {
          const offset = 4 * item * itemLength;
          const source = address(from) + offset;
          const quantile = limit > maxValue ? exports.absQuantile(source, itemLength, ratio, histogram) : 0;
          const bound = Math.min(Math.max(quantile, maxValue), limit);
          exports.clampScale(address(to) + offset, source, itemLength, bound, maxValue / bound);
        }
      },
      rescale(slot, like, share) {
        // Σ (x − mean)², in f64 from sums: a mean that is not large against the deviation costs no digits that matter here.
        const scatter = (source: number) => {
          const sum = exports.sum(source, itemLength);
          const squares = exports.sumOfSquares(source, itemLength);
          const rest = squares - (sum * sum) / itemLength;
          // What rounding leaves of an item that does not vary counts as nothing.
          return rest > 1e-12 * squares ? rest : 0;
        };
        for (let item = 0; item < items; item++) {
          const offset = 4 * item * itemLength;
          const at = address(slot) + offset;
          exports.clampScale(
            at,
            at,
            itemLength,
            Infinity,
            rescaleFactor(scatter(at), scatter(address(like) + offset), share),
          );
        }
      },
      isFinite: (slot) => Number.isFinite(exports.sumOfSquares(address(slot), length)),
      setCoefficient: (index, value) => {
        floats[coefficientWords[index] as number] = value;
      },
      save: () => allSlots().slice(),
      restore: (saved) => allSlots().set(saved),
      release: () => arena.release(),
    };
  },
};
