import { searchAsk, searchBest, searchBestIndex, searchBytes, searchCount, searchInit, searchTell } from "../search";

/** Elements of a residual. */
const SIZE = 4;
const residuals = memory.data(8 * 4 * 64);
const asked = memory.data(8 * 64);
const gram = memory.data(8 * 64);
const state = memory.data(8 * 2200);

function put(base: usize, i: i32, value: f64): void {
  store<f64>(base + ((<usize>i) << 3), value);
}

function get(base: usize, i: i32): f64 {
  return load<f64>(base + ((<usize>i) << 3));
}

/** Residuals to search: element `i` of problem `which` at a ratio. */
function residual(which: i32, i: i32, ratio: f64): f64 {
  const u = ratio - 1.0;
  const k = <f64>(i + 1);
  switch (which) {
    // Quadratic in u, minimum at ratio 0.8 with loss 0.
    case 0:
      return k * (u + 0.2) * (1.0 + 0.1 * k * u);
    // A curve (a cubic and its companion) that comes near 0 twice: wells near 0.52 and 1.53, the left one deeper.
    case 1:
      return i === 0 ? 2.0 * (u * u - 0.25) : i === 1 ? 0.15 + 0.1 * u : i === 2 ? 0.3 * u * u * u : 0.0;
    // Not polynomial, with the minimum near 1.24.
    case 2:
      return Math.exp(0.5 * k * u) - Math.exp(0.12 * k) + 0.05 * Math.sin(3.0 * u + k);
    // Does not depend on the ratio.
    case 3:
      return 0.1 * k;
    // Saturates on both sides; a steep narrow well at 1.6 beside a shallow one at 0.85, where the start is.
    case 4:
      return i === 0
        ? Math.tanh(12.0 * (u - 0.6))
        : i === 1
          ? 0.6 - 0.5 * Math.exp(-20.0 * (u + 0.15) * (u + 0.15))
          : 0.02 * u;
    // Monotone: the upper bound is best.
    case 5:
      return k * (3.0 - ratio);
    // One element at 0.9, and rounding noise of float32 in the others.
    case 6:
      return i === 0 ? u + 0.1 : 1e-7 * Math.sin(1e5 * ratio + k);
    default:
      return 0.0;
  }
}

function loss(which: i32, ratio: f64): f64 {
  let sum: f64 = 0.0;
  for (let i = 0; i < SIZE; i++) sum += residual(which, i, ratio) ** 2.0;
  return sum / <f64>SIZE;
}

/** Runs a search; returns the number of evaluations asked for, or −1 if a ratio is outside or repeated. */
function run(which: i32, low: f64, high: f64, tolerance: f64, maxEvaluations: i32): i32 {
  searchInit(state, low, high, tolerance, maxEvaluations);
  let n = 0;
  while (n < 64) {
    const ratio = searchAsk(state);
    if (F64.isNaN(ratio)) return n;
    if (!(ratio >= low && ratio <= high)) return -1;
    for (let j = 0; j < n; j++) if (Math.abs(get(asked, j) - ratio) < tolerance) return -1;
    put(asked, n, ratio);
    for (let i = 0; i < SIZE; i++) put(residuals, n * SIZE + i, residual(which, i, ratio));
    for (let j = 0; j <= n; j++) {
      let sum: f64 = 0.0;
      for (let i = 0; i < SIZE; i++) sum += get(residuals, n * SIZE + i) * get(residuals, j * SIZE + i);
      put(gram, j, sum / <f64>SIZE);
    }
    searchTell(state, gram);
    n++;
    if (searchCount(state) !== n) return -2;
  }
  return n;
}

/** Returns the smallest loss of a scan of [low, high]. */
function scan(which: i32, low: f64, high: f64): f64 {
  let least = Infinity;
  for (let i = 0; i <= 2000; i++) least = Math.min(least, loss(which, low + ((high - low) * <f64>i) / 2000.0));
  return least;
}

describe("search", () => {
  test("asks for 1 first, then for ¾ and ⅖ of the way to both bounds", () => {
    run(0, 0.0, 2.0, 2e-3, 9);
    const first = memory.data<f64>([1, 0.25, 1.75, 0.6, 1.4]);
    for (let i = 0; i < 5; i++) expect(Math.abs(get(asked, i) - get(first, i))).toBeLessThan(1e-15);
    run(0, 0.25, 2.0, 2e-3, 9);
    expect(get(asked, 0)).toBe(1.0);
    expect(get(asked, 1)).toBe(0.4375);
    expect(get(asked, 2)).toBe(1.75);
  });

  test("is exact on a polynomial residual, with one evaluation more than there are first nodes", () => {
    expect(run(0, 0.25, 2.0, 2e-3, 9)).toBe(6);
    expect(searchBestIndex(state)).toBe(5);
    expect(Math.abs(searchBest(state) - 0.8)).toBeLessThan(1e-7);
  });

  test("finds the deeper of two wells, on whichever side", () => {
    const n = run(1, 0.25, 2.0, 2e-3, 9);
    expect(n > 0 && n <= 9).toBe(true);
    expect(Math.abs(searchBest(state) - 0.5)).toBeLessThan(0.05);
    expect(loss(1, searchBest(state))).toBeLessThan(scan(1, 0.25, 2.0) * 1.001);
    // Without the left side, the other.
    expect(run(1, 0.8, 2.0, 2e-3, 9) > 0).toBe(true);
    expect(Math.abs(searchBest(state) - 1.5)).toBeLessThan(0.05);
  });

  test("reaches the minimum of residuals that are no polynomials", () => {
    expect(run(2, 0.25, 2.0, 2e-3, 9) > 0).toBe(true);
    expect(loss(2, searchBest(state))).toBeLessThan(scan(2, 0.25, 2.0) * 1.001 + 1e-9);
  });

  test("leaves the basin of the start for a narrow deeper one", () => {
    expect(run(4, 0.25, 2.0, 2e-3, 12) > 0).toBe(true);
    expect(searchBest(state)).toBeGreaterThan(1.4);
  });

  test("takes the bound where the loss falls towards it, and never leaves the bounds", () => {
    expect(run(5, 0.25, 2.0, 2e-3, 9)).toBe(6);
    expect(searchBest(state)).toBe(2.0);
    for (let which = 0; which < 7; which++) {
      for (let low: f64 = 0.1; low < 1.3; low += 0.17) {
        for (let high = low; high < 2.5; high += 0.23) expect(run(which, low, high, 2e-3, 9) > 0).toBe(true);
      }
    }
  });

  test("returns 1 after the first nodes where the loss does not depend on the ratio", () => {
    expect(run(3, 0.25, 2.0, 2e-3, 9)).toBe(5);
    expect(searchBest(state)).toBe(1.0);
    expect(searchBestIndex(state)).toBe(0);
    expect(run(7, 0.25, 2.0, 2e-3, 9)).toBe(5);
    expect(searchBest(state)).toBe(1.0);
  });

  test("of equal losses takes the ratio nearest 1", () => {
    searchInit(state, 0.0, 2.0, 2e-3, 3);
    const losses = memory.data<f64>([2, 1, 1]);
    for (let n = 0; n < 3; n++) {
      for (let j = 0; j < n; j++) put(gram, j, 0.0);
      put(gram, n, get(losses, n));
      searchTell(state, gram);
    }
    // 0.25 and 1.75 are equally near: the earlier.
    expect(searchBestIndex(state)).toBe(1);
    expect(searchAsk(state)).toBeNaN();
  });

  test("is not led astray by the rounding of float32 residuals", () => {
    expect(run(6, 0.25, 2.0, 2e-3, 9) > 0).toBe(true);
    expect(Math.abs(searchBest(state) - 0.9)).toBeLessThan(2e-3);
  });

  test("never asks for more evaluations than it was given, and asks nothing twice", () => {
    for (let which = 0; which < 7; which++) {
      for (let limit = 1; limit <= 40; limit++) {
        const n = run(which, 0.25, 2.0, 1e-6, limit);
        expect(n >= 1 && n <= limit).toBe(true);
        expect(searchAsk(state)).toBeNaN();
        // Of all evaluated, the best: up to what counts as equal.
        for (let j = 0; j < n; j++) {
          expect(loss(which, searchBest(state))).toBeLessThan(loss(which, get(asked, j)) * 1.000001 + 1e-300);
        }
      }
    }
    expect(run(2, 0.25, 2.0, 0.0, 40) > 0).toBe(true);
  });

  test("asks the same again", () => {
    for (let which = 0; which < 7; which++) {
      const n = run(which, 0.25, 2.0, 2e-3, 9);
      const best = searchBest(state);
      const last = get(asked, n - 1);
      memory.fill(state, 0xff, 8 * 2200);
      expect(run(which, 0.25, 2.0, 2e-3, 9)).toBe(n);
      expect(searchBest(state)).toBe(best);
      expect(get(asked, n - 1)).toBe(last);
    }
  });

  test("ends at a number that is not finite, without counting it", () => {
    searchInit(state, 0.25, 2.0, 2e-3, 9);
    expect(searchBestIndex(state)).toBe(-1);
    expect(searchBest(state)).toBeNaN();
    put(gram, 0, 3.0);
    searchTell(state, gram);
    put(gram, 1, Infinity);
    searchTell(state, gram);
    expect(searchAsk(state)).toBeNaN();
    expect(searchCount(state)).toBe(1);
    expect(searchBest(state)).toBe(1.0);
    searchTell(state, gram);
    expect(searchCount(state)).toBe(1);
  });

  test("keeps within its bytes", () => {
    for (let limit = 1; limit <= 40; limit++) {
      const end = state + <usize>searchBytes(limit);
      store<u64>(end, 0x1234567);
      run(2, 0.25, 2.0, 1e-9, limit);
      expect(load<u64>(end)).toBe(0x1234567);
    }
  });
});
