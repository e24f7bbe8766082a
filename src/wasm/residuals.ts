// Memory of a one-dimensional search over a vector-valued objective: residual vectors, their inner products, and the state of the
// ask/tell machine of assembly/math/search, in an instance of its own for as long as the search of one run lasts.
import { borrow } from "./arena.ts";
import { doubles, scratch, wasm } from "./module.ts";

export interface Residuals {
  /** Forgets all vectors and starts a search over [low, high] with at most `most` evaluations. */
  begin(low: number, high: number, tolerance: number, most: number): void;
  /** Stores state − reference and returns its mean products with every vector so far; the last is its own mean square. */
  add(state: Float32Array, reference: Float32Array): number[];
  /** Returns the next ratio to evaluate, or undefined when the search has ended. */
  ask(): number | undefined;
  /** Tells the search what `add` returned for the ratio that it asked for. */
  tell(products: readonly number[]): void;
  /** Returns the index of the best evaluation and its ratio. */
  best(): { index: number; ratio: number };
  release(): void;
}

/** Returns room for `capacity` residual vectors of `length` floats. */
export function residuals(length: number, capacity: number): Residuals {
  const stateBytes = (wasm().searchBytes(capacity) + 15) & ~15;
  const rowBytes = 8 * (capacity + 1);
  const stride = 16 * Math.ceil(length / 4);
  const arena = borrow(stateBytes + rowBytes + 16 + capacity * stride);
  const { exports, base } = arena;
  const row = base + stateBytes;
  const vectors = (row + rowBytes + 15) & ~15;
  const floats = new Float32Array(exports.memory.buffer);
  const numbers = new Float64Array(exports.memory.buffer, row, capacity);
  let count = 0;
  return {
    begin(low, high, tolerance, most) {
      count = 0;
      exports.searchInit(base, low, high, tolerance, most);
    },
    add(state, reference) {
      if (count === capacity) throw new Error("residuals: no room for another evaluation");
      const at = vectors + count++ * stride;
      const first = at >>> 2;
      for (let i = 0; i < length; i++) floats[first + i] = (state[i] as number) - (reference[i] as number);
      return Array.from({ length: count }, (_, j) => exports.dot(at, vectors + j * stride, length) / length);
    },
    ask() {
      const ratio = exports.searchAsk(base);
      return Number.isNaN(ratio) ? undefined : ratio;
    },
    tell(products) {
      numbers.set(products);
      exports.searchTell(base, row);
    },
    best: () => ({ index: exports.searchBestIndex(base), ratio: exports.searchBest(base) }),
    release: () => arena.release(),
  };
}

/** Returns where on [low, high] a polynomial of ascending coefficients is smallest; nearest to 0 where it is flat. */
export function minimizePolynomial(coefficients: readonly number[], low: number, high: number): number {
  const at = scratch(8 * coefficients.length);
  doubles(at, coefficients.length).set(coefficients);
  return wasm().minimizePolynomial(at, coefficients.length - 1, low, high);
}
