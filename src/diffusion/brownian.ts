// The noise of a stochastic solver as increments of one Brownian path, so that runs with other steps see the same path.
// Lévy's construction (e.g. Karatzas and Shreve, Brownian Motion and Stochastic Calculus, section 2.3), in the form of Schauder's tents:
//
//     W(u) = u·z₀ + Σ tent(u)·z     over the dyadic intervals that hold u, each with a normal z of its own,
//
// where the tent over an interval of length h is 0 at its ends and √h/2 in its middle. An increment is therefore one combination of
// normals whose weights are known; nothing is bisected, and nothing cancels but the weights, which are exact differences of integers.
import * as check from "../check.ts";
import { checkSeeds, noiseSource, type Seed } from "./noise.ts";

/** The finest cells of an interval: times are rounded to a 2^30th of it. */
const cells = 2 ** 30;

/** What `brownianNoise` takes. */
export interface BrownianOptions {
  /** One integer from 0 to 2^53 − 1, or one for each batch item; a run's initial noise may have the same. */
  seed: number | readonly number[];
  /** `[batch, ...dims]` */
  shape: readonly number[];
  /** The largest and the smallest sigma of the run, or the ends of any other clock that its noise follows. */
  from: number;
  to: number;
}

/**
 * Returns a function of two times that returns the increment of a Brownian path between them over the root of their distance: standard
 * normals in the path's shape, row-major, independent for intervals that do not overlap.
 *
 * `stepNoise: (draw) => noise(sigmas[draw - 1], sigmas[draw])` gives a solver that draws once a step the same path at any number of steps.
 * Whatever was asked before, the same times give the same bits. An increment costs up to 60 draws of the shape.
 *
 * The normals are those of generator "philox": draw 2^30 is z₀, draws 2^l … 2^(l + 1) − 1 belong to the 2^l intervals of level l, in
 * the order in which they lie from `from` to `to`; draw 0, a run's initial noise, is not used.
 *
 * @throws TypeError, RangeError; the function returned: RangeError for a time outside, or two that are less than a 2^30th of the
 *   interval apart.
 */
export function brownianNoise(options: BrownianOptions): (s: number, t: number) => Float32Array {
  const o = check.options<BrownianOptions>("brownianNoise", options, ["seed", "shape", "from", "to"]);
  const shape = check.shape("shape", o.shape);
  const length = shape.reduce((product, n) => product * n, 1);
  const source = noiseSource(checkSeeds(o.seed, shape[0] as number, "philox") as Seed, shape, "philox");
  const from = check.finite("from", o.from);
  const to = check.finite("to", o.to);
  if (!Number.isFinite(to - from)) check.wrongValue("to", 'a time at a finite distance from "from"', to);
  if (from === to) check.wrongValue("to", 'another time than "from"', to);
  const range = `a time from ${from} to ${to}`;
  const cell = (name: string, time: unknown) => {
    const inside = (t: number) => t >= Math.min(from, to) && t <= Math.max(from, to);
    return Math.round(((check.number(name, time, range, inside) - from) / (to - from)) * cells);
  };
  return (s, t) => {
    const [start, end] = [cell("s", s), cell("t", t)];
    if (start === end) check.wrongValue("t", `a time that is not ${s}`, t);
    const sums = new Float64Array(length);
    for (const [draw, weight] of incrementWeights(start, end)) {
      const normals = source.draw(draw);
      for (let i = 0; i < length; i++) sums[i] = (sums[i] as number) + weight * (normals[i] as number);
    }
    return Float32Array.from(sums);
  };
}

/** Returns the draws whose combination is the increment from one cell boundary to another; the squares of their weights sum to 1. */
function incrementWeights(start: number, end: number): (readonly [draw: number, weight: number])[] {
  const distance = Math.abs(end - start);
  const weights: (readonly [number, number])[] = [[cells, (end - start) / Math.sqrt(cells * distance)]];
  for (let length = cells, first = 1; length > 1; length /= 2, first *= 2) {
    // A tent's height over the root of the distance, per cell from the nearer end: (√h/2)/(h/2)/√distance.
    const slope = 1 / Math.sqrt(length * distance);
    const [a, b] = [Math.floor(start / length), Math.floor(end / length)];
    const [up, down] = [fromNearerEnd(end, length), fromNearerEnd(start, length)];
    if (a === b) weights.push([first + a, (up - down) * slope]);
    else weights.push([first + b, up * slope], [first + a, -down * slope]);
  }
  return weights.filter(([, weight]) => weight !== 0);
}

function fromNearerEnd(position: number, length: number): number {
  const offset = position % length;
  return Math.min(offset, length - offset);
}
