// The compiled module and its shared instance. What the host may call is in assembly/index.ts; WasmExports repeats it as types.
// The shared instance serves scalar mathematics and small tables (coefficients, schedules); runs borrow instances of their own.
import { compileModule } from "./compile.ts";

export interface WasmExports {
  readonly memory: WebAssembly.Memory;
  heapBase(): number;
  // kernel
  exec(program: number, n: number, block: number): void;
  dot(a: number, b: number, n: number): number;
  squaredError(a: number, b: number, n: number): number;
  sum(a: number, n: number): number;
  sumOfSquares(a: number, n: number): number;
  gram(vectors: number, count: number, n: number, out: number): void;
  absQuantile(a: number, n: number, q: number, scratch: number): number;
  clampScale(out: number, a: number, n: number, limit: number, scale: number): void;
  halfToSingle(out: number, a: number, n: number): void;
  singleToHalf(out: number, a: number, n: number): void;
  // random
  philoxNormal(out: number, n: number, keyLow: number, keyHigh: number, item: number, draw: number): void;
  cudaNormal(out: number, n: number, keyLow: number, keyHigh: number, call: number, which: number): void;
  readonly MT_STATE_BYTES: WebAssembly.Global;
  mtSeed(state: number, seed: number): void;
  torchNormal(state: number, out: number, n: number): void;
  torchNormal64(state: number, out: number, n: number): void;
  torchUniform(state: number, out: number, n: number): void;
  torchUniform64(state: number, out: number, n: number): void;
  // math
  exp(x: number): number;
  log(x: number): number;
  expm1(x: number): number;
  pow(x: number, y: number): number;
  sin(x: number): number;
  atan2(y: number, x: number): number;
  phi(k: number, z: number): number;
  betaQuantile(p: number, a: number): number;
  vpAlpha(logAlpha: number): number;
  vpSigma(logAlpha: number): number;
  vpLambda(logAlpha: number): number;
  vpLogAlpha(lambda: number): number;
  linearLogAlpha(t: number, beta0: number, beta1: number): number;
  linearTime(lambda: number, beta0: number, beta1: number): number;
  cosineLogAlpha(t: number): number;
  cosineTime(lambda: number): number;
  cosineBeta(i: number, count: number): number;
  edmLambda(t: number): number;
  edmTime(lambda: number): number;
  flowLambda(t: number): number;
  flowTime(lambda: number): number;
  accumulateLogAlpha(betas: number, count: number, out: number): void;
  interpolate(x0: number, y0: number, x1: number, y1: number, x: number): number;
  lagrangeWeights(nodes: number, count: number, x: number, out: number): void;
  solve(matrix: number, rhs: number, n: number): number;
  leastSquares(matrix: number, rhs: number, rows: number, columns: number, work: number, tolerance: number): number;
  leastSquaresWork(rows: number, columns: number): number;
  minimizePolynomial(coefficients: number, degree: number, low: number, high: number): number;
  searchBytes(maxEvaluations: number): number;
  searchInit(state: number, low: number, high: number, tolerance: number, maxEvaluations: number): void;
  searchAsk(state: number): number;
  searchTell(state: number, gram: number): void;
  searchBest(state: number): number;
  searchBestIndex(state: number): number;
}

let compiled: WebAssembly.Module | undefined;
let shared: WasmExports | undefined;

/**
 * Makes the library use a module that the caller has compiled, for places where WebAssembly cannot be compiled from bytes
 * (a page with a strict content security policy, an edge worker). Call it before anything else of the library.
 * @throws TypeError if `module` is not a WebAssembly.Module of this library.
 * @throws Error if the library has already compiled its own.
 */
export function useWasm(module: WebAssembly.Module): void {
  if (!(module instanceof WebAssembly.Module)) {
    throw new TypeError('"module": expected a WebAssembly.Module, got something else');
  }
  const names = new Set(WebAssembly.Module.exports(module).map((e) => e.name));
  if (WebAssembly.Module.imports(module).length > 0 || !names.has("exec") || !names.has("heapBase")) {
    throw new TypeError('"module": expected the module of this library (dc-solver.wasm), got another one');
  }
  if (compiled !== undefined && compiled !== module) {
    throw new Error("useWasm: the library is already running; call it before the first use");
  }
  compiled = module;
}

/** Returns a new instance of the module with a memory of its own (64 KiB until it is grown). */
export function instantiate(): WasmExports {
  compiled ??= compileModule();
  return new WebAssembly.Instance(compiled, {}).exports as unknown as WasmExports;
}

/** Returns the exports of the shared instance, instantiated at the first call. Its scratch memory is anyone's between two calls. */
export function wasm(): WasmExports {
  shared ??= instantiate();
  return shared;
}

/** Returns an 8-byte aligned address in the shared instance with room for `bytes`, valid until the next call of this function. */
export function scratch(bytes: number): number {
  const { memory, heapBase } = wasm();
  const base = (heapBase() + 7) & ~7;
  const missing = base + bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / 65536));
  return base;
}

/** Returns a view of `length` doubles at `address` of the shared instance; it dies with the next growth. */
export function doubles(address: number, length: number): Float64Array {
  return new Float64Array(wasm().memory.buffer, address, length);
}

/** Returns the Lagrange weights of `nodes` at `x`: they sum to 1, and are 0 and 1 where `x` is a node. */
export function lagrangeWeights(nodes: readonly number[], x: number): number[] {
  const count = nodes.length;
  const at = scratch(16 * count);
  doubles(at, count).set(nodes);
  wasm().lagrangeWeights(at, count, x, at + 8 * count);
  return Array.from(doubles(at + 8 * count, count));
}

/**
 * Returns the solution of a square linear system, `matrix` given by rows.
 * @throws RangeError if the matrix is singular.
 */
export function solveLinear(matrix: readonly (readonly number[])[], rhs: readonly number[]): number[] {
  const n = rhs.length;
  const at = scratch(8 * n * (n + 1));
  doubles(at, n * n).set(matrix.flat());
  doubles(at + 8 * n * n, n).set(rhs);
  if (wasm().solve(at, at + 8 * n * n, n) !== 0) throw new RangeError("a linear system of the solver is singular");
  return Array.from(doubles(at + 8 * n * n, n));
}

/**
 * Returns the minimum norm solution of a linear least squares problem, `matrix` by rows with one row for each number of `rhs`,
 * and the rank of the matrix: directions below 1e-13 of the largest count as none (rounding leaves about 1e-16 of those).
 */
export function leastSquares(matrix: Float64Array, rhs: Float64Array): { solution: Float64Array; rank: number } {
  const rows = rhs.length;
  const columns = matrix.length / rows;
  const room = 8 * Math.max(rows, columns);
  const at = scratch(8 * matrix.length + room + wasm().leastSquaresWork(rows, columns));
  const right = at + 8 * matrix.length;
  doubles(at, matrix.length).set(matrix);
  doubles(right, rows).set(rhs);
  const rank = wasm().leastSquares(at, right, rows, columns, right + room, 1e-13);
  return { solution: doubles(right, columns).slice(), rank };
}
