import { describe, expect, test } from "vitest";
import { checkGrid, type Spacing, spacings, timeGrid } from "../../src/diffusion/grid.ts";
import { edm, flow, type NoiseSchedule, vpCosine, vpDiscrete, vpLinear } from "../../src/diffusion/schedule.ts";

const scaledLinear = () => vpDiscrete({ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 });
const schedules: [string, NoiseSchedule][] = [
  ["vpDiscrete", vpDiscrete()],
  ["scaled_linear", scaledLinear()],
  ["vpLinear", vpLinear()],
  ["vpCosine", vpCosine()],
  ["edm", edm()],
  ["flow", flow({ tMin: 1e-3, tMax: 0.999 })],
];

/** Returns the largest deviation of `values` from equidistance, relative to their range. */
function unevenness(values: number[]): number {
  const [first, last] = [values[0] as number, values.at(-1) as number];
  const even = values.map((_, i) => first + ((last - first) * i) / (values.length - 1));
  return Math.max(...values.map((v, i) => Math.abs(v - (even[i] as number)))) / Math.abs(last - first);
}

const coordinates: Record<Spacing, (schedule: NoiseSchedule, t: number) => number> = {
  time_uniform: (_, t) => t,
  time_quadratic: (_, t) => Math.sqrt(t),
  logSNR: (schedule, t) => schedule.lambda(t),
  exponential: (schedule, t) => schedule.lambda(t),
  karras: (schedule, t) => (schedule.sigma(t) / schedule.alpha(t)) ** (1 / 7),
};

describe.each(schedules)("on %s", (_, schedule) => {
  test.each(spacings)("%s is equidistant in its coordinate, falls, and ends exactly at both ends", (spacing) => {
    for (const steps of [1, 2, 5, 50, 1000]) {
      const grid = timeGrid(schedule, steps, spacing);
      expect(grid).toBeInstanceOf(Float64Array);
      expect(grid.length).toBe(steps + 1);
      expect([grid[0], grid[steps]]).toEqual([schedule.tMax, schedule.tMin]);
      grid.forEach((t, i) => {
        if (i > 0) expect(t).toBeLessThan(grid[i - 1] as number);
      });
      // A dozen roundings; the way from lambda to t and back again costs some hundred near the data.
      const values = Array.from(grid, (t) => coordinates[spacing](schedule, t));
      expect(unevenness(values)).toBeLessThan(1e-13);
    }
  });
});

describe("published values", () => {
  test("time_quadratic from 1 to 1e-3 in 5 steps", () => {
    const expected = [1, 0.650159289, 0.375338933, 0.175538933, 0.0507592885, 0.001];
    timeGrid(vpLinear(), 5, "time_quadratic").forEach((t, i) => {
      expect(Math.abs(t - (expected[i] as number))).toBeLessThan(5e-10);
    });
  });

  test("karras noise ratios of scaled_linear, 6 points", () => {
    const schedule = scaledLinear();
    const expected = [14.61464123, 6.08214921, 2.23215454, 0.69257038, 0.16975658, 0.02916716];
    timeGrid(schedule, 5, "karras").forEach((t, i) => {
      expect(Math.abs(schedule.sigma(t) / schedule.alpha(t) - (expected[i] as number))).toBeLessThan(6e-9);
    });
  });

  test("karras sigmas of EDM, 18 points", () => {
    const grid = timeGrid(edm(), 17, "karras");
    expect(Math.abs((grid[1] as number) - 57.5859847)).toBeLessThan(6e-8);
    expect(Math.abs((grid[2] as number) - 40.7855738)).toBeLessThan(6e-8);
  });

  test("lambdas of the uniform grid of 5 steps", () => {
    const linear = [-5.024978407, -3.224812265, -1.810198832, -0.710215357, 0.323230819, 4.557714933];
    const discrete = [-2.68202385, -1.627750846, -0.824057642, -0.150887485, 0.56003326, 3.534711924];
    for (const [schedule, expected] of [[vpLinear(), linear] as const, [scaledLinear(), discrete] as const]) {
      timeGrid(schedule, 5).forEach((t, i) => {
        expect(Math.abs(schedule.lambda(t) - (expected[i] as number))).toBeLessThan(6e-10);
      });
    }
  });
});

test("the default spacing is time_uniform", () => {
  expect(timeGrid(vpLinear(), 7)).toEqual(timeGrid(vpLinear(), 7, "time_uniform"));
});

test("exponential is another name of logSNR", () => {
  expect(timeGrid(vpCosine(), 9, "exponential")).toEqual(timeGrid(vpCosine(), 9, "logSNR"));
});

describe("shift", () => {
  test.each([0.1, 1 / 3, 1.15, 3, 7])("%d maps every time, and 1 and 0 to themselves exactly", (shift) => {
    const plain = timeGrid(flow(), 10);
    const grid = timeGrid(flow({ shift }), 10);
    expect([grid[0], grid[10]]).toEqual([1, 0]);
    grid.forEach((t, i) => {
      const from = plain[i] as number;
      expect(Math.abs(t - (shift * from) / (1 + (shift - 1) * from))).toBeLessThan(4.5e-16);
    });
  });

  test("maps the ends of a narrower range too, and moves lambda by -ln(shift)", () => {
    const range = { tMin: 0.1, tMax: 0.9 };
    const plain = timeGrid(flow(range), 6, "logSNR");
    const shifted = timeGrid(flow({ ...range, shift: 3 }), 6, "logSNR");
    const { lambda } = flow();
    shifted.forEach((t, i) => {
      expect(Math.abs(lambda(t) - lambda(plain[i] as number) + Math.log(3))).toBeLessThan(1e-14);
    });
  });
});

test("karras goes down to a noise of 0, which needs no finite lambda", () => {
  const grid = timeGrid(edm({ sigmaMin: 0 }), 4, "karras");
  const root = 80 ** (1 / 7);
  Array.from(grid).forEach((t, i) => {
    expect(Math.abs(t - ((root * (4 - i)) / 4) ** 7)).toBeLessThan(1e-12);
  });
});

test("a user's own schedule is enough for every spacing", () => {
  const { alpha, sigma, lambda, time, modelTime } = vpLinear();
  const mine = { kind: "mine", tMin: 0.01, tMax: 0.9, alpha, sigma, lambda, time, modelTime };
  for (const spacing of spacings) {
    const grid = timeGrid(mine, 6, spacing);
    expect([grid[0], grid[6]]).toEqual([0.9, 0.01]);
  }
});

describe("timeGrid refuses", () => {
  const linear = vpLinear();
  const remedy = /flow\(\{ tMin: 1e-3, tMax: 0.999 \}\)/;
  const backwards = { ...linear, time: (lambda: number) => 0.5 + 0.01 * lambda };
  const cases: [string, () => unknown, typeof TypeError | typeof RangeError, RegExp][] = [
    ["no steps", () => timeGrid(linear, 0), RangeError, /^"steps": expected an integer ≥ 1, got 0$/],
    ["half a step", () => timeGrid(linear, 1.5), RangeError, /"steps": .* got 1.5/],
    ["NaN steps", () => timeGrid(linear, Number.NaN), RangeError, /"steps": .* got NaN/],
    ["a string", () => timeGrid(linear, "5" as never), TypeError, /"steps": .* got "5"/],
    ["too many steps", () => timeGrid(linear, 2 ** 40), RangeError, /"steps": expected at most 16777216/],
    ["no schedule", () => timeGrid({} as never, 5), TypeError, /"schedule": .*without kind, tMin/],
    [
      "an unknown spacing",
      () => timeGrid(linear, 5, "cosine" as never),
      RangeError,
      /"spacing": .*"time_uniform", "logSNR"/,
    ],
    ["logSNR without noise at the end", () => timeGrid(flow({ tMax: 0.9 }), 5, "logSNR"), RangeError, remedy],
    ["logSNR without signal at the start", () => timeGrid(flow({ tMin: 0.1 }), 5, "exponential"), RangeError, remedy],
    [
      "karras without signal at the start",
      () => timeGrid(flow(), 5, "karras"),
      RangeError,
      /at t = 1, where it is -Infinity/,
    ],
    [
      "logSNR from sigma 0",
      () => timeGrid(edm({ sigmaMin: 0 }), 5, "logSNR"),
      RangeError,
      /at t = 0, where it is Infinity/,
    ],
    [
      "times that coincide",
      () => timeGrid(flow({ tMin: 0.5, tMax: 0.5 + 1e-15 }), 50),
      RangeError,
      /"steps": .*fewer steps/,
    ],
    ["times that rise", () => timeGrid(backwards, 5, "logSNR"), RangeError, /expected times that fall/],
    [
      "roots of negative times",
      () => timeGrid({ ...linear, tMin: -1 }, 5, "time_quadratic"),
      RangeError,
      /tMin ≥ 0 .*, got -1/,
    ],
  ];
  test.each(cases)("%s", (_, make, kind, message) => {
    expect(make).toThrow(kind);
    expect(make).toThrow(message);
  });
});

describe("checkGrid", () => {
  test("returns a copy, and lets a grid reach beyond the default range", () => {
    const given = [1.01, 0.5, 0.0005];
    const grid = checkGrid(given, "grid", scaledLinear());
    expect(grid).toEqual(Float64Array.from(given));
    const view = Float64Array.from(given);
    expect(checkGrid(view, "grid")).not.toBe(view);
  });

  test("takes ends without signal and without noise", () => {
    expect(checkGrid([1, 0.5, 0], "grid", flow())).toEqual(Float64Array.of(1, 0.5, 0));
  });

  const bad = { ...vpLinear(), lambda: () => 1 };
  const cases: [string, unknown, NoiseSchedule | undefined, typeof TypeError | typeof RangeError, RegExp][] = [
    ["no array", 5, undefined, TypeError, /"grid": expected an array of numbers, got 5/],
    ["a string among them", [1, "0.5"], undefined, TypeError, /"grid\[1\]": expected a number, got "0.5"/],
    ["a single time", [1], undefined, RangeError, /"grid": expected at least 2 times, got 1/],
    ["NaN", [1, Number.NaN], undefined, RangeError, /"grid\[1\]": expected a finite number, got NaN/],
    ["Infinity", [Infinity, 1], undefined, RangeError, /"grid\[0\]": .* got Infinity/],
    [
      "equal times",
      [1, 0.5, 0.5],
      undefined,
      RangeError,
      /"grid\[2\]": expected less than the time before, 0.5, got 0.5/,
    ],
    ["rising times", [0, 1], undefined, RangeError, /"grid\[1\]"/],
    ["times outside of the domain", [1.5, 0], flow(), RangeError, /"grid\[0\]": expected a time .*0 to 1, got 1.5/],
    ["a negative sigma", [1, -1], edm(), RangeError, /"grid\[1\]": .* got -1/],
    ["a lambda that stays", [1, 0.5], bad, RangeError, /"grid\[1\]": .*lambda above the one before, got 0.5/],
  ];
  test.each(cases)("refuses %s", (_, values, schedule, kind, message) => {
    expect(() => checkGrid(values, "grid", schedule)).toThrow(kind);
    expect(() => checkGrid(values, "grid", schedule)).toThrow(message);
  });
});
