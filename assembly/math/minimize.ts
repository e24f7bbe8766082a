// Minimisers in one variable: polynomials on an interval, and Brent's method turned inside out, because its objective is a
// network that only the host can await. Nothing but + − × ÷ √, so the same bits everywhere.

/** Coefficients of a polynomial and of its derivatives, row k the k-th: room for degree 16. */
const WIDTH = 17;
const rows = memory.data(8 * 17 * 17, 8);
/** Interval ends and critical points in between. */
const points = memory.data(8 * 18, 8);

function row(k: i32): usize {
  return rows + ((<usize>(k * WIDTH)) << 3);
}

function get(vector: usize, i: i32): f64 {
  return load<f64>(vector + ((<usize>i) << 3));
}

function set(vector: usize, i: i32, value: f64): void {
  store<f64>(vector + ((<usize>i) << 3), value);
}

/** Returns the value at x of a polynomial with ascending coefficients. */
function horner(polynomial: usize, degree: i32, x: f64): f64 {
  let sum = get(polynomial, degree);
  for (let i = degree - 1; i >= 0; i--) sum = sum * x + get(polynomial, i);
  return sum;
}

/** Returns a bound of the rounding error of `horner`: 2n · 2^-53 · Σ |c_i| |x|^i (Higham, "Accuracy and Stability", 5.3). */
function hornerError(polynomial: usize, degree: i32, x: f64): f64 {
  let sum: f64 = 0.0;
  for (let i = degree; i >= 0; i--) sum = sum * Math.abs(x) + Math.abs(get(polynomial, i));
  return sum * <f64>degree * 2.220446049250313e-16;
}

/**
 * Returns the u in [low, high] at which c[0] + c[1] u + … + c[degree] u^degree is smallest. Traps if the degree is above 16:
 * beyond the room for it lie the tables of exp and log.
 * Values that differ by less than their rounding errors (`hornerError`) are equal; of such points the one nearest 0 is
 * returned, of two equally near the lower. So a polynomial that is constant up to rounding gives 0, or the end next to it.
 *
 * The sign changes of each derivative separate those of the one below, from the linear one down to the first: between two
 * neighbours a function is monotone and Newton's method, kept inside its bracket, finds the root to the last bits. Cardano's
 * formula for the quartic would need the same polish, a case for each sign of the discriminant, and a cosine.
 */
export function minimizePolynomial(coefficients: usize, degree: i32, low: f64, high: f64): f64 {
  if (degree >= WIDTH) unreachable();
  memory.copy(row(0), coefficients, (<usize>(degree + 1)) << 3);
  for (let k = 1; k <= degree; k++) {
    for (let i = 0; i <= degree - k; i++) set(row(k), i, <f64>(i + 1) * get(row(k - 1), i + 1));
  }
  let last = 1;
  set(points, 0, low);
  set(points, 1, high);
  for (let k = degree - 1; k >= 1; k--) last = splitAtRoots(k, degree - k, last, high);

  const zero = Math.min(Math.max(0.0, low), high);
  let least = zero;
  for (let i = 0; i <= last; i++) {
    if (horner(row(0), degree, get(points, i)) < horner(row(0), degree, least)) least = get(points, i);
  }
  const limit = horner(row(0), degree, least) + hornerError(row(0), degree, least);
  if (horner(row(0), degree, zero) - hornerError(row(0), degree, zero) <= limit) return zero;
  let best = least;
  for (let i = 0; i <= last; i++) {
    const u = get(points, i);
    const equal = horner(row(0), degree, u) - hornerError(row(0), degree, u) <= limit;
    if (equal && (Math.abs(u) < Math.abs(best) || (Math.abs(u) === Math.abs(best) && u < best))) best = u;
  }
  return best;
}

/** Puts the sign changes of derivative k between points[0] and `high`, given those of derivative k + 1; returns the last index. */
function splitAtRoots(k: i32, degree: i32, last: i32, high: f64): i32 {
  let found = 0;
  let left = get(points, 0);
  for (let i = 1; i <= last; i++) {
    const right = get(points, i);
    const rises = horner(row(k), degree, left) < 0.0 && horner(row(k), degree, right) >= 0.0;
    const falls = horner(row(k), degree, left) > 0.0 && horner(row(k), degree, right) <= 0.0;
    // Never ahead of i: an interval has one root at most.
    if (rises || falls) set(points, ++found, monotoneRoot(k, degree, left, right, rises));
    left = right;
  }
  set(points, ++found, high);
  return found;
}

/**
 * Returns the root of derivative k between a and b, where it is monotone: Newton's method, and a halving of the bracket where a
 * step leaves it or is not half as long as the step before (at roots of high multiplicity).
 */
function monotoneRoot(k: i32, degree: i32, a: f64, b: f64, rises: bool): f64 {
  let x = 0.5 * (a + b);
  let step = b - a;
  // 60 halvings reach the last bits of a bracket that is not near 0 alone.
  for (let i = 0; i < 100; i++) {
    const value = horner(row(k), degree, x);
    if (value === 0.0) return x;
    if (value < 0.0 === rises) a = x;
    else b = x;
    let next = x - value / horner(row(k + 1), degree - 1, x);
    if (!(next > a && next < b && Math.abs(next - x) < 0.5 * step)) next = 0.5 * (a + b);
    if (next === x || next === a || next === b) return next;
    step = Math.abs(next - x);
    x = next;
  }
  return x;
}

/** Brent's own constant, (3 − √5)/2. */
const GOLDEN: f64 = 0.3819660112501051;

/** State of one minimisation; the names are those of Brent, "Algorithms for Minimization without Derivatives" (1973), 5.8. */
@unmanaged
class Brent {
  /** The bracket. */
  a: f64;
  b: f64;
  /** Best point, second best, the one before, and their values. */
  x: f64;
  w: f64;
  v: f64;
  fx: f64;
  fw: f64;
  fv: f64;
  /** Last step and the one before. */
  d: f64;
  e: f64;
  /** The point to evaluate; NaN at the end. */
  u: f64;
  tolerance: f64;
  evaluations: i32;
  limit: i32;
}

/** Bytes of the state of one Brent minimisation. */
export function brentBytes(): i32 {
  return offsetof<Brent>();
}

/**
 * Starts a search for a minimum in (low, high), at `start` if that lies inside. The ends are never evaluated. It ends when x
 * is known to within tolerance + 2^-26 |x| (closer than the root of the rounding unit values cannot be told apart).
 */
export function brentInit(state: usize, low: f64, high: f64, start: f64, tolerance: f64, maxEvaluations: i32): void {
  const s = changetype<Brent>(state);
  s.a = low;
  s.b = high;
  s.d = 0.0;
  s.e = 0.0;
  s.u = start > low && start < high ? start : low + GOLDEN * (high - low);
  s.x = s.u;
  s.fx = NaN;
  s.tolerance = tolerance;
  s.evaluations = 0;
  s.limit = maxEvaluations;
}

/** Returns the point to evaluate next; NaN when the search has ended. */
export function brentAsk(state: usize): f64 {
  return changetype<Brent>(state).u;
}

/**
 * Takes the value at the point asked for. Returns 0: go on, 1: converged, 2: no evaluations left, 3: the value is not a number.
 * Of equal values the first counts, so a constant objective leaves x at the start.
 */
export function brentTell(state: usize, f: f64): i32 {
  const s = changetype<Brent>(state);
  const end = F64.isNaN(f) ? 3 : advance(s, f);
  if (end !== 0) s.u = NaN;
  return end;
}

/** Returns the best point so far. */
export function brentX(state: usize): f64 {
  return changetype<Brent>(state).x;
}

/** Returns the value at the best point so far; NaN before the first. */
export function brentF(state: usize): f64 {
  return changetype<Brent>(state).fx;
}

/** Returns the number of values taken. */
export function brentEvaluations(state: usize): i32 {
  return changetype<Brent>(state).evaluations;
}

function advance(s: Brent, f: f64): i32 {
  if (s.evaluations === 0) {
    s.w = s.v = s.x;
    s.fx = s.fw = s.fv = f;
  } else record(s, s.u, f);
  if (++s.evaluations >= s.limit) return 2;

  const middle = 0.5 * (s.a + s.b);
  const tolerance = 0.5 * s.tolerance + 1.4901161193847656e-8 * (0.5 * Math.abs(s.x));
  if (!(Math.abs(s.x - middle) > 2.0 * tolerance - 0.5 * (s.b - s.a))) return 1;

  let p: f64 = 0.0;
  let q: f64 = 0.0;
  let r: f64 = 0.0;
  if (Math.abs(s.e) > tolerance) {
    r = (s.x - s.w) * (s.fx - s.fv);
    q = (s.x - s.v) * (s.fx - s.fw);
    p = (s.x - s.v) * q - (s.x - s.w) * r;
    q = 2.0 * (q - r);
    if (q > 0.0) p = -p;
    else q = -q;
    r = s.e;
    s.e = s.d;
  }
  // The parabola through x, w, v if it falls inside and shrinks faster than halving would; else a golden section.
  if (Math.abs(p) < Math.abs(0.5 * q * r) && p > q * (s.a - s.x) && p < q * (s.b - s.x)) {
    s.d = p / q;
    const u = s.x + s.d;
    if (u - s.a < 2.0 * tolerance || s.b - u < 2.0 * tolerance) s.d = s.x < middle ? tolerance : -tolerance;
  } else {
    s.e = s.x < middle ? s.b - s.x : s.a - s.x;
    s.d = GOLDEN * s.e;
  }
  s.u = Math.abs(s.d) >= tolerance ? s.x + s.d : s.x + (s.d > 0.0 ? tolerance : -tolerance);
  return 0;
}

/** Narrows the bracket by one value, and keeps the three best points. */
function record(s: Brent, u: f64, f: f64): void {
  if (f < s.fx) {
    if (u >= s.x) s.a = s.x;
    else s.b = s.x;
    s.v = s.w;
    s.fv = s.fw;
    s.w = s.x;
    s.fw = s.fx;
    s.x = u;
    s.fx = f;
    return;
  }
  if (u < s.x) s.a = u;
  else s.b = u;
  if (f <= s.fw || s.w === s.x) {
    s.v = s.w;
    s.fv = s.fw;
    s.w = u;
    s.fw = f;
  } else if (f <= s.fv || s.v === s.x || s.v === s.w) {
    s.v = u;
    s.fv = f;
  }
}
