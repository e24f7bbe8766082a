// The schedule of networks trained on a table of noise levels. The table stays on the host, where levels are found by comparison;
// every number comes from the module.
import * as check from "../check.ts";
import { doubles, scratch, wasm } from "../wasm/module.ts";
import { builtIn, type NoiseSchedule, type Recipe, variancePreserving } from "./built-in.ts";

/** Options of {@link vpDiscrete}: a named rule, or `betas`, or `alphasCumprod`. */
export interface VpDiscreteOptions {
  /** Rule of the betas, default "linear"; "scaled_linear" is linear in their square roots, "squaredcos_cap_v2" has no use for ends. */
  betaSchedule?: "linear" | "scaled_linear" | "squaredcos_cap_v2";
  /** First beta, default 1e-4. */
  betaStart?: number;
  /** Last beta, default 0.02. */
  betaEnd?: number;
  /** Number of training steps M, default 1000. */
  trainSteps?: number;
  /** The betas themselves, each in (0, 1); M is their number. */
  betas?: ArrayLike<number>;
  /** Products of 1 − beta, strictly decreasing in (0, 1]; M is their number. */
  alphasCumprod?: ArrayLike<number>;
}

/** Returns the largest n in 0 … count − 2 for which `reached(n)` holds, else 0: the segment of a polyline with `count` corners. */
function segment(count: number, reached: (n: number) => boolean): number {
  let low = 0;
  let high = count - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (reached(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Returns log alpha of every training step, from betas. */
function accumulate(betas: Float64Array): Float64Array {
  const count = betas.length;
  const at = scratch(8 * count);
  doubles(at, count).set(betas);
  wasm().accumulateLogAlpha(at, count, at);
  return doubles(at, count).slice();
}

const zeroRemedy = "a network that knows pure noise: put 2**-24 in place of alphasCumprod 0";

function entries(name: string, value: unknown): Float64Array {
  const given = check.numbers(name, value);
  if (given.length < 2) check.wrongValue(name, "at least 2 entries", given.length);
  return Float64Array.from(given);
}

function givenBetas(value: unknown): Float64Array {
  const betas = entries("betas", value);
  betas.forEach((beta, i) => {
    if (!(beta > 0 && beta < 1)) {
      check.wrongValue(`betas[${i}]`, "a number > 0 and < 1", beta, beta === 1 ? zeroRemedy : undefined);
    }
  });
  return betas;
}

function givenAlphasCumprod(value: unknown): Float64Array {
  const products = entries("alphasCumprod", value);
  products.forEach((product, i) => {
    const name = `alphasCumprod[${i}]`;
    if (product === 0) check.wrongValue(name, "a number > 0 and ≤ 1", product, zeroRemedy);
    if (!(product > 0 && product <= 1)) check.wrongValue(name, "a number > 0 and ≤ 1", product);
    const before = i === 0 ? Infinity : (products[i - 1] as number);
    if (product >= before) check.wrongValue(name, `less than the entry before, ${before}`, product);
  });
  return products;
}

function ruleBetas(rule: string, start: number, end: number, count: number): Float64Array {
  const betas = new Float64Array(count);
  const [a, b] = rule === "scaled_linear" ? [Math.sqrt(start), Math.sqrt(end)] : [start, end];
  const step = (b - a) / (count - 1);
  for (let i = 0; i < count; i++) {
    const x = i === count - 1 ? b : a + i * step;
    betas[i] = rule === "squaredcos_cap_v2" ? wasm().cosineBeta(i, count) : rule === "scaled_linear" ? x * x : x;
  }
  return betas;
}

/** Returns the recipe of a discrete schedule, the option that decides it, and log alpha at the times 1/M, 2/M, … 1. */
function discreteTable(o: VpDiscreteOptions): { json: Recipe["json"]; from: string; logAlphas: Float64Array } {
  const kind = "vp-discrete";
  const ruleNames = ["betaSchedule", "betaStart", "betaEnd", "trainSteps"] as const;
  const sources = (["betas", "alphasCumprod", ...ruleNames] as const).filter((name) => o[name] !== undefined);
  const table = sources[0];
  if ((table === "betas" || table === "alphasCumprod") && sources[1] !== undefined) {
    throw new TypeError(`"${table}": expected no "${sources[1]}" beside it; a table says everything`);
  }
  if (table === "betas") {
    const betas = givenBetas(o.betas);
    return { json: { kind, betas: Array.from(betas) }, from: table, logAlphas: accumulate(betas) };
  }
  if (table === "alphasCumprod") {
    const products = givenAlphasCumprod(o.alphasCumprod);
    const logAlphas = products.map((product) => 0.5 * wasm().log(product));
    return { json: { kind, alphasCumprod: Array.from(products) }, from: table, logAlphas };
  }
  const beta = (name: "betaStart" | "betaEnd", value: unknown) =>
    check.number(name, value, "a number > 0 and < 1", (v) => v > 0 && v < 1);
  const rules = ["linear", "scaled_linear", "squaredcos_cap_v2"] as const;
  const { betaSchedule: rule = "linear", betaStart: start = 1e-4, betaEnd: end = 0.02, trainSteps: count = 1000 } = o;
  const betaSchedule = check.oneOf("betaSchedule", rule, rules);
  const betaStart = beta("betaStart", start);
  const betaEnd = beta("betaEnd", end);
  const trainSteps = check.integer("trainSteps", count, 2, 2 ** 24);
  const logAlphas = accumulate(ruleBetas(betaSchedule, betaStart, betaEnd, trainSteps));
  return { json: { kind, betaSchedule, betaStart, betaEnd, trainSteps }, from: "betaStart", logAlphas };
}

/**
 * Returns the schedule of a network trained on M discrete noise levels, as in DDPM and Stable Diffusion.
 * Level n (from 0) is at t = (n + 1)/M; log alpha is linear in t between two levels and goes on along the first and the last
 * piece outside; `tMin` is 1/M and `tMax` 1. Source: DPM-Solver (arXiv 2206.00927), appendix D.4.
 * @throws TypeError if two of the three ways to give the levels are mixed, or an option is unknown or of the wrong kind.
 * @throws RangeError for a beta outside (0, 1), products that do not fall, a product 0, fewer than 2 levels.
 */
export function vpDiscrete(o: VpDiscreteOptions = {}): NoiseSchedule {
  const names = ["betaSchedule", "betaStart", "betaEnd", "trainSteps", "betas", "alphasCumprod"] as const;
  const { json, from, logAlphas } = discreteTable(check.options<VpDiscreteOptions>("vpDiscrete", o, names));
  const count = logAlphas.length;
  const level = (n: number) => logAlphas[n] as number;
  // Noise that is lost in rounding would leave levels without a lambda of their own, and a signal so lost all states infinite.
  for (let n = 1; n < count; n++) {
    if (level(n) < level(n - 1) && wasm().vpAlpha(level(n)) > 0) continue;
    throw new RangeError(
      `"${from}": expected levels with signal left, each noisier than the one before, got log alpha ${level(n)} at ${n}`,
    );
  }
  const timeOf = (logAlpha: number) => {
    const n = segment(count, (i) => level(i) >= logAlpha);
    return wasm().interpolate(level(n), (n + 1) / count, level(n + 1), (n + 2) / count, logAlpha);
  };
  const noiseless = timeOf(0);
  const logAlpha = (t: number) => {
    if (t === noiseless) return 0;
    const n = segment(count, (i) => (i + 1) / count <= t);
    return Math.min(wasm().interpolate((n + 1) / count, level(n), (n + 2) / count, level(n + 1), t), 0);
  };
  const curves = variancePreserving(logAlpha, {
    time: (lambda) => timeOf(wasm().vpLogAlpha(lambda)),
    modelTime: (t) => t * count - 1,
  });
  return builtIn({ json, domain: [noiseless, Infinity] }, [1 / count, 1], curves);
}
