// Search for one compensation ratio, turned inside out: the host asks which ratio to try, runs the network, and tells inner
// products. The residual vector R(ratio) is interpolated, not its square: a vector polynomial of degree m gives the loss
// |R|² as one of degree 2m that cannot be negative, and for that the Gram matrix <R_i, R_j> says everything.
import { lagrangeWeights } from "./lagrange";
import { brentAsk, brentBytes, brentF, brentInit, brentTell, brentX } from "./minimize";

/** Losses and inner products that agree to this share are equal: what float32 residuals leave of a difference. */
const EQUAL: f64 = 9.5367431640625e-7;
/** Nodes through which a polynomial is laid at most; through more of them, crowded near the minimum, it swings elsewhere. */
const MOST = 9;
/** How far the local model is trusted beyond its nodes. */
const MARGIN: f64 = 0.1;
/** Intervals of the scan for the lowest basin: a polynomial of degree 16 has at most 8, one in 32. */
const SCAN = 256;

/** Head of the state; behind it: nodes, Gram matrix, chosen nodes, weights (f64), chosen indices (i32), Brent's state. */
@unmanaged
class Search {
  low: f64;
  high: f64;
  tolerance: f64;
  /** The ratio to evaluate; NaN at the end. */
  next: f64;
  limit: i32;
  count: i32;
  /** How many of the fixed first ratios have been proposed. */
  started: i32;
  /** Whether it is the local model's turn. */
  local: i32;
  /** How many nodes the current model has. */
  chosen: i32;
}

const HEAD: usize = (offsetof<Search>() + 7) & ~7;

function node(s: Search, i: i32): usize {
  return changetype<usize>(s) + HEAD + ((<usize>i) << 3);
}

function product(s: Search, i: i32, j: i32): usize {
  return node(s, s.limit + i * s.limit + j);
}

function chosenNode(s: Search, i: i32): usize {
  return node(s, s.limit + s.limit * s.limit + i);
}

function weight(s: Search, i: i32): usize {
  return chosenNode(s, s.limit + i);
}

function chosenIndex(s: Search, i: i32): usize {
  return weight(s, s.limit) + ((<usize>i) << 2);
}

function refinement(s: Search): usize {
  return (chosenIndex(s, s.limit) + 7) & ~7;
}

/** Bytes of the state of a search with at most `maxEvaluations` evaluations. */
export function searchBytes(maxEvaluations: i32): i32 {
  const n = max(maxEvaluations, 1);
  return <i32>HEAD + ((n * (n + 3)) << 3) + (((n << 2) + 7) & ~7) + brentBytes();
}

/**
 * Starts a search in [low, high]. It ends when a model's minimum is nearer than `tolerance` to a ratio already evaluated, when
 * the inner products do not depend on the ratio, or after `maxEvaluations` ≥ 1. `state` is 8-byte aligned.
 *
 * First 1, then ¾ and ⅖ of the way to both bounds: five nodes find the right basin where the loss has two. From there
 * alternate the minimum of the polynomial through all nodes, and of the parabola through the best and its two neighbours.
 */
export function searchInit(state: usize, low: f64, high: f64, tolerance: f64, maxEvaluations: i32): void {
  const s = changetype<Search>(state);
  s.low = low;
  s.high = high;
  s.tolerance = tolerance;
  s.limit = max(maxEvaluations, 1);
  s.count = 0;
  s.local = 0;
  s.started = 1;
  s.next = start(s, 0);
}

/** Returns the ratio to evaluate next; NaN when the search has ended. */
export function searchAsk(state: usize): f64 {
  return changetype<Search>(state).next;
}

/**
 * Takes the residual at the ratio asked for, by its inner products <R_new, R_j>/n with those told before, in their order, and
 * with itself: searchCount + 1 numbers, the last of which is the loss. A number that is not finite ends the search, its ratio
 * does not count as evaluated.
 */
export function searchTell(state: usize, gram: usize): void {
  const s = changetype<Search>(state);
  const m = s.count;
  if (F64.isNaN(s.next)) return;
  store<f64>(node(s, m), s.next);
  s.next = NaN;
  for (let j = 0; j <= m; j++) {
    const value = load<f64>(gram + ((<usize>j) << 3));
    if (!F64.isFinite(value)) return;
    store<f64>(product(s, m, j), value);
    store<f64>(product(s, j, m), value);
  }
  s.count = m + 1;
  if (s.count < s.limit) s.next = propose(s);
}

/** Returns the evaluated ratio with the smallest loss, of equal ones that nearest 1; NaN before the first. */
export function searchBest(state: usize): f64 {
  const best = searchBestIndex(state);
  return best < 0 ? NaN : load<f64>(node(changetype<Search>(state), best));
}

/** Returns the number of that ratio in the order of evaluation, from 0; −1 before the first. */
export function searchBestIndex(state: usize): i32 {
  const s = changetype<Search>(state);
  let least = Infinity;
  for (let i = 0; i < s.count; i++) least = Math.min(least, load<f64>(product(s, i, i)));
  let best = -1;
  for (let i = 0; i < s.count; i++) {
    if (load<f64>(product(s, i, i)) > least + EQUAL * Math.abs(least)) continue;
    if (best < 0 || Math.abs(load<f64>(node(s, i)) - 1.0) < Math.abs(load<f64>(node(s, best)) - 1.0)) best = i;
  }
  return best;
}

/** Returns the number of ratios evaluated. */
export function searchCount(state: usize): i32 {
  return changetype<Search>(state).count;
}

/** The first ratios. Where 1 is not inside, its nearest bound takes its place. */
function start(s: Search, i: i32): f64 {
  const centre = Math.min(Math.max(1.0, s.low), s.high);
  if (i === 0) return centre;
  const share = i < 3 ? 0.75 : 0.4;
  return centre + share * ((i & 1) === 1 ? s.low - centre : s.high - centre);
}

/** Returns the next ratio worth an evaluation, or NaN. */
function propose(s: Search): f64 {
  while (s.started < 5) {
    const ratio = start(s, s.started++);
    if (isNew(s, ratio)) return ratio;
  }
  if (s.count < 2 || isFlat(s)) return NaN;
  const local = s.local === 1 || s.count > MOST;
  s.local = local ? 0 : 1;
  const ratio = local ? localMinimum(s) : globalMinimum(s);
  return isNew(s, ratio) ? ratio : NaN;
}

function isNew(s: Search, ratio: f64): bool {
  let distance = Infinity;
  for (let i = 0; i < s.count; i++) distance = Math.min(distance, Math.abs(ratio - load<f64>(node(s, i))));
  return distance > 0.0 && distance >= s.tolerance;
}

/** Whether all inner products are equal: then so are all residuals. */
function isFlat(s: Search): bool {
  const first = load<f64>(product(s, 0, 0));
  for (let i = 0; i < s.count; i++) {
    for (let j = 0; j <= i; j++) {
      if (Math.abs(load<f64>(product(s, i, j)) - first) > EQUAL * first) return false;
    }
  }
  return true;
}

function choose(s: Search, i: i32): void {
  store<f64>(chosenNode(s, s.chosen), load<f64>(node(s, i)));
  store<i32>(chosenIndex(s, s.chosen), i);
  s.chosen++;
}

function globalMinimum(s: Search): f64 {
  s.chosen = 0;
  for (let i = 0; i < s.count; i++) choose(s, i);
  return modelMinimum(s, s.low, s.high);
}

function localMinimum(s: Search): f64 {
  const best = searchBestIndex(changetype<usize>(s));
  const centre = load<f64>(node(s, best));
  let low = centre;
  let high = centre;
  s.chosen = 0;
  choose(s, best);
  while (s.chosen < min(3, s.count)) {
    let nearest = -1;
    for (let i = 0; i < s.count; i++) {
      if (isChosen(s, i)) continue;
      const distance = Math.abs(load<f64>(node(s, i)) - centre);
      if (nearest < 0 || distance < Math.abs(load<f64>(node(s, nearest)) - centre)) nearest = i;
    }
    choose(s, nearest);
    low = Math.min(low, load<f64>(node(s, nearest)));
    high = Math.max(high, load<f64>(node(s, nearest)));
  }
  return modelMinimum(s, Math.max(s.low, low - MARGIN), Math.min(s.high, high + MARGIN));
}

function isChosen(s: Search, i: i32): bool {
  for (let c = 0; c < s.chosen; c++) {
    if (load<i32>(chosenIndex(s, c)) === i) return true;
  }
  return false;
}

/**
 * Returns |Σ L_i(ratio) R_i|² of the chosen nodes. Not expanded into powers: at nine nodes, four of them within 0.05 of each
 * other, the loss between those had an error of 6e-6 when expanded and of 2e-15 from the weights, the largest loss being 66.
 */
function modelLoss(s: Search, ratio: f64): f64 {
  lagrangeWeights(chosenNode(s, 0), s.chosen, ratio, weight(s, 0));
  let sum: f64 = 0.0;
  for (let a = 0; a < s.chosen; a++) {
    const i = load<i32>(chosenIndex(s, a));
    let rowSum: f64 = 0.0;
    for (let b = 0; b < s.chosen; b++) {
      rowSum += load<f64>(weight(s, b)) * load<f64>(product(s, i, load<i32>(chosenIndex(s, b))));
    }
    sum += load<f64>(weight(s, a)) * rowSum;
  }
  return sum;
}

/** Returns where the model is smallest in [low, high]: a scan, and Brent's method around its lowest point. */
function modelMinimum(s: Search, low: f64, high: f64): f64 {
  let least = low;
  let value = modelLoss(s, low);
  for (let i = 1; i <= SCAN; i++) {
    const ratio = i === SCAN ? high : low + (high - low) * (<f64>i / <f64>SCAN);
    const loss = modelLoss(s, ratio);
    if (!(loss < value)) continue;
    least = ratio;
    value = loss;
  }
  const width = (high - low) / <f64>SCAN;
  const brent = refinement(s);
  brentInit(brent, Math.max(low, least - width), Math.min(high, least + width), least, 1e-9, 40);
  while (!F64.isNaN(brentAsk(brent))) brentTell(brent, modelLoss(s, brentAsk(brent)));
  return brentF(brent) < value ? brentX(brent) : least;
}
