import { describe, expect, it, test } from "vitest";
import { brownianNoise } from "../../src/diffusion/brownian.ts";
import { noiseSource } from "../../src/diffusion/noise.ts";
import { createPlan, mixtureDenoiser, sample, vpLinear } from "../../src/index.ts";
import { expectError, type Row, thrown, wrong } from "../errors/table.ts";

const cells = 2 ** 30;
/** Returns integers from 0 to `below` − 1, the same at each run: Numerical Recipes' linear congruential generator. */
function integers(seed: number, below: number) {
  let state = BigInt(seed);
  return () => {
    state = (state * 1664525n + 1013904223n) & 0xffffffffn;
    return Math.floor((Number(state) / 2 ** 32) * below);
  };
}

describe("brownianNoise is one path", () => {
  it("whose increments over [a, b] and [b, c] add up to that over [a, c]", () => {
    const noise = brownianNoise({ seed: 3, shape: [1, 40], from: 1, to: 0 });
    const next = integers(1, cells + 1);
    for (let trial = 0; trial < 100; trial++) {
      // Times that need no rounding; every third triple lies within a 2^10th of the interval.
      const scale = trial % 3 === 0 ? 2 ** 10 : 1;
      const times = [next(), next(), next()].map((k) => 1 - Math.floor(k / scale) / cells);
      const [a, b, c] = times as [number, number, number];
      const [ab, bc, ac] = [noise(a, b), noise(b, c), noise(a, c)];
      for (let i = 0; i < 40; i++) {
        const sum = (ab[i] as number) * Math.sqrt(Math.abs(b - a)) + (bc[i] as number) * Math.sqrt(Math.abs(c - b));
        const longest = Math.sqrt(Math.max(Math.abs(b - a), Math.abs(c - b), Math.abs(c - a)));
        // Three numbers below 8, each rounded once to float32: 3 · 2^-22.
        expect(Math.abs(sum - (ac[i] as number) * Math.sqrt(Math.abs(c - a)))).toBeLessThan(2 ** -20 * longest);
      }
    }
  });

  it("made by bisection: the middle of a bridge is the mean of its ends plus √h/2 of a normal", () => {
    const shape = [2, 5];
    const source = noiseSource(11, shape, "philox");
    /** Returns the path at cell k, the interval halved until k is an end of it. */
    const path = (k: number): number[] => {
      let [low, high, node] = [0, cells, 1];
      let [atLow, atHigh] = [Array(10).fill(0) as number[], Array.from(source.draw(cells))];
      for (;;) {
        if (k === low) return atLow;
        if (k === high) return atHigh;
        const middle = (low + high) / 2;
        const root = Math.sqrt((high - low) / cells) / 2;
        const normals = source.draw(node);
        const atMiddle = atLow.map((w, i) => (w + (atHigh[i] as number)) / 2 + root * (normals[i] as number));
        if (k < middle) [high, atHigh, node] = [middle, atMiddle, 2 * node];
        else [low, atLow, node] = [middle, atMiddle, 2 * node + 1];
      }
    };
    const noise = brownianNoise({ seed: 11, shape, from: 10, to: 2 });
    const next = integers(2, cells);
    for (const [j, k] of [
      [0, cells],
      [0, cells / 2],
      [cells / 4, 1],
      ...Array.from({ length: 60 }, () => [next(), next()]),
    ] as [number, number][]) {
      const actual = noise(10 - (8 * j) / cells, 10 - (8 * k) / cells);
      const [from, to] = [path(j), path(k)];
      const root = Math.sqrt(Math.abs(k - j) / cells);
      // The path below 8 in double, 2^-50, over a root of 2^-15 at least; the result rounded to float32, 2^-22.
      for (const [i, z] of actual.entries()) {
        expect(Math.abs(z - ((to[i] as number) - (from[i] as number)) / root)).toBeLessThan(2 ** -21);
      }
    }
  });

  it("whatever was asked before: the same bits twice, and the opposite number backwards", () => {
    const options = { seed: 5, shape: [2, 3], from: 14.6, to: 0.03 };
    const noise = brownianNoise(options);
    const first = noise(10, 9);
    noise(3, 1);
    expect(noise(10, 9)).toEqual(first);
    expect(brownianNoise(options)(10, 9)).toEqual(first);
    expect(noise(9, 10)).toEqual(first.map((z) => -z));
    expect(brownianNoise({ ...options, seed: 6 })(10, 9)).not.toEqual(first);
  });

  it("for each item of a list of seeds the path that the item has alone", () => {
    const options = { from: 1, to: 0 };
    const both = brownianNoise({ ...options, seed: [7, 8], shape: [2, 3] })(0.7, 0.2);
    const alone = [7, 8].map((seed) => brownianNoise({ ...options, seed, shape: [1, 3] })(0.7, 0.2));
    expect(Array.from(both)).toEqual(alone.flatMap((z) => Array.from(z)));
  });
});

describe("2^16 paths, within 5 standard errors", () => {
  const n = 2 ** 16;
  const noise = brownianNoise({ seed: 2024, shape: [1, n], from: 80, to: 0.002 });
  const mean = (f: (i: number) => number) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += f(i);
    return sum / n;
  };
  // Long, short, across the middle of the interval, at its ends, and the smallest step of 1000 in EDM's grid.
  const intervals = [
    [80, 0.002],
    [80, 79],
    [41, 39],
    [7.3, 2.1],
    [0.002053, 0.002],
  ] as const;

  test.each(intervals)("an increment from %f to %f is standard normal", (s, t) => {
    const z = noise(s, t);
    const moment = (k: number) => mean((i) => (z[i] as number) ** k);
    // The variances of z, z², z³, z⁴ are 1, 2, 15, 96.
    expect(Math.abs(moment(1))).toBeLessThan(5 * Math.sqrt(1 / n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
  });

  test("increments are correlated as their intervals overlap: not at all where they do not", () => {
    // A step's neighbours, a step half over another, a step within another.
    const pairs = [
      [[80, 60], [60, 40], 0],
      [[39, 38], [38, 3], 0],
      [[0.01, 0.005], [0.005, 0.002], 0],
      [[40, 20], [30, 10], 0.5],
      [[64, 0.5], [16.5, 0.625], 0.5],
    ] as const;
    for (const [first, second, overlap] of pairs) {
      const [x, y] = [noise(first[0], first[1]), noise(second[0], second[1])];
      const shared = Math.min(first[0], second[0]) - Math.max(first[1], second[1]);
      const expected = Math.max(shared, 0) / Math.sqrt((first[0] - first[1]) * (second[0] - second[1]));
      expect(expected).toBeCloseTo(overlap, 10);
      // The variance of x·y is 1 + correlation².
      const error = mean((i) => (x[i] as number) * (y[i] as number)) - expected;
      expect(Math.abs(error)).toBeLessThan(5 * Math.sqrt((1 + expected ** 2) / n));
    }
  });

  test("a path is independent of the initial noise of the same seed", () => {
    const initial = noiseSource(2024, [1, n], "philox").draw(0);
    const z = noise(80, 0.002);
    expect(Math.abs(mean((i) => (z[i] as number) * (initial[i] as number)))).toBeLessThan(5 * Math.sqrt(1 / n));
  });
});

it("makes runs of more and more steps end in one place, which noise of their own does not", async () => {
  const schedule = vpLinear();
  const denoiser = mixtureDenoiser({
    schedule,
    means: [
      [1, -0.5],
      [-0.8, 0.3],
    ],
    std: [0.5, 0.6],
    weights: [1, 2],
    prediction: "epsilon",
  });
  const shape = [256, 2];
  const noise = brownianNoise({ seed: 1, shape, from: schedule.tMax, to: schedule.tMin });
  /** Returns the ends of an ancestral run, on the path or on noise of the steps' own. */
  const ends = async (steps: number, onPath: boolean) => {
    const plan = createPlan({ schedule, steps, solver: "ddim", eta: 1 });
    expect(plan.draws).toBe(steps);
    const time = (k: number) => plan.grid[k] as number;
    const stepNoise = (draw: number) => noise(time(draw - 1), time(draw));
    return (await sample({ plan, denoiser, shape, seed: 1, ...(onPath ? { stepNoise } : {}) })).data;
  };
  const distances = async (onPath: boolean) => {
    const runs: Float32Array[] = [];
    for (const steps of [25, 50, 100, 200, 400]) runs.push(await ends(steps, onPath));
    return runs.slice(1).map((run, j) => {
      const previous = runs[j] as Float32Array;
      return Math.sqrt(run.reduce((sum, x, i) => sum + (x - (previous[i] as number)) ** 2, 0) / run.length);
    });
  };
  const [path, own] = [await distances(true), await distances(false)];
  // Additive noise: a strong order of ½ at least, so half the step takes √½ of the distance or less. Other noise ends elsewhere.
  for (const [i, distance] of path.entries()) {
    if (i > 0) expect(distance).toBeLessThan(Math.SQRT1_2 * (path[i - 1] as number));
    expect(own[i] as number).toBeGreaterThan(5 * distance);
  }
});

const options = { seed: 1, shape: [1, 2], from: 1, to: 0 };
const errors: Row<() => unknown>[] = [
  [
    "an unknown option",
    () => brownianNoise(wrong({ ...options, steps: 3 })),
    TypeError,
    '"steps": unknown option of brownianNoise; expected one of seed, shape, from, to',
  ],
  [
    "an empty interval",
    () => brownianNoise({ ...options, to: 1 }),
    RangeError,
    '"to": expected another time than "from", got 1',
  ],
  [
    "ends too far apart",
    () => brownianNoise({ ...options, from: 1e308, to: -1e308 }),
    RangeError,
    '"to": expected a time at a finite distance from "from", got -1e+308',
  ],
  ["an infinite end", () => brownianNoise({ ...options, from: Infinity }), RangeError, '"from": expected a finite…'],
  ["too few seeds", () => brownianNoise({ ...options, seed: [1, 2] }), RangeError, '"seed": expected one seed, or…'],
  ["a time outside", () => brownianNoise(options)(1.5, 0), RangeError, '"s": expected a time from 1 to 0, got 1.5'],
  ["no time", () => brownianNoise(options)(1, Number.NaN), RangeError, '"t": expected a time from 1 to 0, got NaN'],
  [
    "a step of no length",
    () => brownianNoise(options)(0.5, 0.5),
    RangeError,
    '"t": expected a time that is not 0.5, got 0.5',
  ],
];

describe("errors of brownianNoise", () => {
  test.each(errors)("%s", (...row) => {
    expectError(thrown(row[1]), row);
  });
});
