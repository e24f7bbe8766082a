import { describe, expect, test } from "vitest";
import {
  checkSchedule,
  edm,
  flow,
  type NoiseSchedule,
  scheduleDomain,
  scheduleFromJSON,
  scheduleToJSON,
  vpCosine,
  vpDiscrete,
  vpLinear,
} from "../../src/diffusion/schedule.ts";

const scaledLinear = () => vpDiscrete({ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 });
const alphasCumprod = [0.99, 0.7, 0.3, 0.05];

const all: [string, () => NoiseSchedule][] = [
  ["vpDiscrete()", () => vpDiscrete()],
  ["vpDiscrete, scaled_linear", scaledLinear],
  ["vpDiscrete, squaredcos_cap_v2", () => vpDiscrete({ betaSchedule: "squaredcos_cap_v2", trainSteps: 100 })],
  ["vpDiscrete, betas", () => vpDiscrete({ betas: [0.01, 0.3, 0.2, 0.999] })],
  ["vpDiscrete, alphasCumprod", () => vpDiscrete({ alphasCumprod })],
  ["vpLinear()", () => vpLinear()],
  ["vpLinear, constant beta", () => vpLinear({ beta0: 4, beta1: 4, tMin: 0.01 })],
  ["vpCosine()", () => vpCosine()],
  ["edm()", () => edm()],
  ["flow()", () => flow({ tMin: 1e-4, tMax: 0.9999, shift: 3 })],
];

/** Returns 400 times of the integration range, both ends included. */
function times({ tMin, tMax }: NoiseSchedule): number[] {
  return Array.from({ length: 401 }, (_, i) => ((400 - i) * tMax + i * tMin) / 400);
}

/** A schedule as a user would write it. */
function own(kind: string): NoiseSchedule {
  const inner = vpLinear();
  return {
    kind,
    tMin: 0.01,
    tMax: 1,
    alpha: (t) => inner.alpha(t),
    sigma: (t) => inner.sigma(t),
    lambda: (t) => inner.lambda(t),
    time: (lambda) => inner.time(lambda),
    modelTime: (t) => t,
  };
}

describe.each(all)("%s", (_, make) => {
  const schedule = make();

  test("time inverts lambda", () => {
    for (const t of times(schedule)) {
      // To 1e-12, relative to sigma on EDM's range of 80.
      expect(Math.abs(schedule.time(schedule.lambda(t)) - t)).toBeLessThanOrEqual(1e-12 * Math.max(1, t));
    }
  });

  test("lambda rises strictly and is the logarithm of alpha / sigma", () => {
    let last = -Infinity;
    for (const t of times(schedule)) {
      const lambda = schedule.lambda(t);
      expect(lambda).toBeGreaterThan(last);
      // The logarithm magnifies the roundings of alpha and sigma only absolutely.
      expect(Math.abs(lambda - Math.log(schedule.alpha(t) / schedule.sigma(t)))).toBeLessThan(1e-13);
      last = lambda;
    }
  });

  test("is frozen, and its methods need no this", () => {
    const { alpha, sigma, lambda, time, modelTime } = schedule;
    expect(Object.isFrozen(schedule)).toBe(true);
    expect(alpha(0.5)).toBe(schedule.alpha(0.5));
    expect(sigma(0.5)).toBe(schedule.sigma(0.5));
    expect(time(lambda(0.5))).toBe(schedule.time(schedule.lambda(0.5)));
    expect(modelTime(0.5)).toBe(schedule.modelTime(0.5));
  });

  test("comes back from JSON with the same bits", () => {
    const again = scheduleFromJSON(JSON.parse(JSON.stringify(scheduleToJSON(schedule))));
    expect([again.kind, again.tMin, again.tMax, again.shift]).toEqual([
      schedule.kind,
      schedule.tMin,
      schedule.tMax,
      schedule.shift,
    ]);
    for (const t of times(schedule)) {
      expect(again.alpha(t)).toBe(schedule.alpha(t));
      expect(again.sigma(t)).toBe(schedule.sigma(t));
      expect(again.lambda(t)).toBe(schedule.lambda(t));
      expect(again.modelTime(t)).toBe(schedule.modelTime(t));
    }
    expect(scheduleToJSON(again)).toEqual(scheduleToJSON(schedule));
  });

  test("refuses a time that is no number or outside of its domain, and NaN as lambda", () => {
    expect(() => schedule.alpha("1" as unknown as number)).toThrow(TypeError);
    expect(() => schedule.lambda(Number.NaN)).toThrow(RangeError);
    expect(() => schedule.sigma(-1)).toThrow(/"t": expected a time from .*, got -1/);
    expect(() => schedule.time(Number.NaN)).toThrow(RangeError);
  });

  test("maps a lambda of Infinity to the time without noise, and back", () => {
    const t = schedule.time(Infinity);
    expect(t).toBe(scheduleDomain(schedule)[0]);
    expect(schedule.lambda(t)).toBe(Infinity);
    expect(schedule.sigma(t)).toBe(0);
    expect(schedule.alpha(t)).toBe(1);
  });

  test("maps a lambda of -Infinity to the time without signal, and back", () => {
    const t = schedule.time(-Infinity);
    expect(t).toBe(scheduleDomain(schedule)[1]);
    expect(schedule.lambda(t)).toBe(-Infinity);
    if (schedule.kind !== "edm") expect(schedule.alpha(t)).toBe(0);
  });
});

describe.each(all.filter(([, make]) => make().kind.startsWith("vp")))("%s", (_, make) => {
  test("preserves variance: alpha² + sigma² = 1", () => {
    const schedule = make();
    for (const t of times(schedule)) {
      // Two squares and the rounding of exp and sqrt behind each: four units in the last place.
      expect(Math.abs(schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2 - 1)).toBeLessThan(8.9e-16);
    }
  });
});

describe("published values", () => {
  // Eight decimals, so half of the ninth.
  const cases: [string, NoiseSchedule, [number, number][]][] = [
    [
      "scaled_linear, outside of [1/M, 1] extrapolated",
      scaledLinear(),
      [
        [1, -2.68202385],
        [0.8002, -1.62775085],
        [0.5, -0.47802524],
        [0.1234, 0.93097492],
        [0.001, 3.53471192],
        [0.0005, 3.88416518],
        [1.01, -2.74265291],
      ],
    ],
    [
      "vpLinear",
      vpLinear(),
      [
        [0.001, 4.55771493],
        [0.1, 1.07829059],
        [0.5, -1.22756773],
        [0.9, -4.07460554],
      ],
    ],
    [
      "vpCosine",
      vpCosine(),
      [
        [0.001, 5.04749441],
        [0.1, 1.77528212],
        [0.5, -0.01231344],
        [0.9, -1.85075011],
        [0.9946, -4.77764047],
      ],
    ],
  ];
  test.each(cases)("lambda of %s", (_, schedule, values) => {
    for (const [t, lambda] of values) expect(Math.abs(schedule.lambda(t) - lambda)).toBeLessThan(5.1e-9);
  });

  // Three tables at indices 0, 499, 999, relative to half of the last digit that was printed.
  const tables: [NonNullable<Parameters<typeof vpDiscrete>[0]>, number[], number][] = [
    [{ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 }, [0.99915, 0.27766965, 0.0046601], 5e-6],
    [{}, [0.9999, 0.0785872429, 4.03582977e-5], 1.3e-9],
    [{ betaSchedule: "squaredcos_cap_v2" }, [0.999958716, 0.49384359, 2.42876691e-9], 2e-9],
  ];
  test.each(tables)("alpha² of %o", (options, expected, tolerance) => {
    const schedule = vpDiscrete(options);
    [1 / 1000, 500 / 1000, 1].forEach((t, i) => {
      const value = expected[i] as number;
      expect(Math.abs(schedule.alpha(t) ** 2 / value - 1)).toBeLessThan(tolerance);
    });
  });
});

describe("vpDiscrete", () => {
  test("has the levels of the table it was given, at t = (n + 1)/M", () => {
    const schedule = vpDiscrete({ alphasCumprod: new Float64Array(alphasCumprod) });
    expect([schedule.kind, schedule.tMin, schedule.tMax]).toEqual(["vp-discrete", 0.25, 1]);
    alphasCumprod.forEach((product, n) => {
      const t = (n + 1) / 4;
      expect(Math.abs(schedule.alpha(t) ** 2 / product - 1)).toBeLessThan(4.5e-16);
      expect(schedule.modelTime(t)).toBe(n);
    });
  });

  test("is the same from betas and from their products", () => {
    const betas = [0.125, 0.25, 0.5, 0.75];
    const products = betas.map((_, n) => betas.slice(0, n + 1).reduce((p, beta) => p * (1 - beta), 1));
    const [a, b] = [vpDiscrete({ betas }), vpDiscrete({ alphasCumprod: products })];
    for (const t of times(a)) expect(Math.abs(a.lambda(t) - b.lambda(t))).toBeLessThan(1e-15 * 8);
  });

  test("takes a first level without noise, where lambda is Infinity", () => {
    const schedule = vpDiscrete({ alphasCumprod: [1, 0.5, 0.1] });
    expect(schedule.lambda(schedule.tMin)).toBe(Infinity);
    expect(schedule.time(Infinity)).toBe(schedule.tMin);
    expect(schedule.sigma(schedule.tMin)).toBe(0);
  });

  test("takes 2**-24 in place of 0", () => {
    const schedule = vpDiscrete({ alphasCumprod: [0.9, 0.5, 2 ** -24] });
    // log alpha is -8.3, rounded to 2^-51, and exp makes a relative error of that.
    expect(Math.abs(schedule.alpha(1) * 2 ** 12 - 1)).toBeLessThan(2 * 2 ** -50);
  });

  test("keeps no hold of the array it was given", () => {
    const betas = [0.1, 0.2, 0.3];
    const schedule = vpDiscrete({ betas });
    const before = schedule.lambda(1);
    betas[0] = 0.9;
    (scheduleToJSON(schedule) as { betas: number[] }).betas[1] = 0.9;
    expect(schedule.lambda(1)).toBe(before);
    expect(scheduleToJSON(schedule)).toEqual({ kind: "vp-discrete", betas: [0.1, 0.2, 0.3] });
  });
});

test("what the network is told is the level, 1000·t, or sigma", () => {
  expect(vpDiscrete().modelTime(0.5)).toBe(499);
  expect(vpDiscrete({ trainSteps: 100 }).modelTime(1)).toBe(99);
  expect(vpLinear().modelTime(0.5)).toBe(500);
  expect(vpCosine().modelTime(0.25)).toBe(250);
  expect(edm().modelTime(7)).toBe(7);
  expect(flow().modelTime(0.5)).toBe(500);
});

test("the default ranges are those of the methods' authors", () => {
  const range = ({ kind, tMin, tMax }: NoiseSchedule) => [kind, tMin, tMax];
  expect(range(vpDiscrete())).toEqual(["vp-discrete", 1e-3, 1]);
  expect(range(vpLinear())).toEqual(["vp-linear", 1e-3, 1]);
  expect(range(vpCosine())).toEqual(["vp-cosine", 1e-3, 0.9946]);
  expect(range(edm())).toEqual(["edm", 0.002, 80]);
  expect(range(flow())).toEqual(["flow", 0, 1]);
  expect(flow().shift).toBe(1);
});

describe("wrong options", () => {
  const bad = (make: (o: never) => NoiseSchedule, o: unknown) => () => make(o as never);
  const cases: [string, () => unknown, typeof TypeError | typeof RangeError, RegExp][] = [
    [
      "unknown",
      bad(vpLinear, { beta2: 1 }),
      TypeError,
      /"beta2": unknown option of vpLinear; expected one of beta0, beta1, tMin/,
    ],
    ["no object", bad(edm, 80), TypeError, /"edm": expected an object, got 80/],
    ["null", bad(flow, null), TypeError, /got null/],
    ["null as number", bad(flow, { shift: null }), TypeError, /"shift": expected .*, got null/],
    ["shift 0", bad(flow, { shift: 0 }), RangeError, /"shift": expected a finite number > 0, got 0/],
    ["shift NaN", bad(flow, { shift: Number.NaN }), RangeError, /"shift": .* got NaN/],
    ["tMax above 1", bad(flow, { tMax: 1.5 }), RangeError, /"tMax": .* got 1.5/],
    [
      "tMin at tMax",
      bad(flow, { tMin: 0.5, tMax: 0.5 }),
      RangeError,
      /"tMin": expected a number ≥ 0 and < 0.5, got 0.5/,
    ],
    ["beta0 above beta1", bad(vpLinear, { beta0: 3, beta1: 2 }), RangeError, /"beta0": .*beta1 = 2, got 3/],
    ["beta1 a string", bad(vpLinear, { beta1: "20" }), TypeError, /"beta1": .* got "20"/],
    ["beta1 0", bad(vpLinear, { beta0: 0, beta1: 0 }), RangeError, /"beta1"/],
    ["cosine tMin 1", bad(vpCosine, { tMin: 1 }), RangeError, /"tMin": .*0.9946, got 1/],
    ["sigmaMin negative", bad(edm, { sigmaMin: -1 }), RangeError, /"sigmaMin": .* got -1/],
    ["sigmaMax infinite", bad(edm, { sigmaMax: Infinity }), RangeError, /"sigmaMax": .* got Infinity/],
    ["rule", bad(vpDiscrete, { betaSchedule: "sigmoid" }), RangeError, /"betaSchedule": .*"linear", "scaled_linear"/],
    ["betaEnd 1", bad(vpDiscrete, { betaEnd: 1 }), RangeError, /"betaEnd": expected a number > 0 and < 1, got 1/],
    ["trainSteps 1", bad(vpDiscrete, { trainSteps: 1 }), RangeError, /"trainSteps": expected an integer .*2.*, got 1/],
    ["both tables", bad(vpDiscrete, { betas: [0.1, 0.2], alphasCumprod }), TypeError, /"betas": .*"alphasCumprod"/],
    ["table and rule", bad(vpDiscrete, { alphasCumprod, betaEnd: 0.1 }), TypeError, /"alphasCumprod": .*"betaEnd"/],
    ["table of one", bad(vpDiscrete, { betas: [0.1] }), RangeError, /"betas": expected at least 2 entries, got 1/],
    ["beta 0", bad(vpDiscrete, { betas: [0.1, 0] }), RangeError, /"betas\[1\]": .* got 0/],
    ["beta 1", bad(vpDiscrete, { betas: [0.1, 1] }), RangeError, /"betas\[1\]": .* got 1; .*2\*\*-24/],
    ["beta NaN", bad(vpDiscrete, { betas: [Number.NaN, 0.1] }), RangeError, /"betas\[0\]": .* got NaN/],
    ["beta a string", bad(vpDiscrete, { betas: [0.1, "0.2"] }), TypeError, /"betas\[1\]": expected a number/],
    ["betas no array", bad(vpDiscrete, { betas: "0.1" }), TypeError, /"betas": expected an array of numbers/],
    ["product 0", bad(vpDiscrete, { alphasCumprod: [0.9, 0] }), RangeError, /"alphasCumprod\[1\]": .*2\*\*-24/],
    ["product above 1", bad(vpDiscrete, { alphasCumprod: [1.1, 0.5] }), RangeError, /"alphasCumprod\[0\]": .* got 1.1/],
    ["product rises", bad(vpDiscrete, { alphasCumprod: [0.5, 0.5] }), RangeError, /"alphasCumprod\[1\]": .* less than/],
    ["lost betas", bad(vpDiscrete, { betas: [0.5, 1e-20] }), RangeError, /"betas": expected levels .* at 1/],
    [
      "lost signal",
      bad(vpDiscrete, { betas: Array(400).fill(0.999) }),
      RangeError,
      /"betas": expected levels with signal/,
    ],
  ];
  test.each(cases)("%s", (_, make, kind, message) => {
    expect(make).toThrow(kind);
    expect(make).toThrow(message);
  });
});

describe("a user's own schedule", () => {
  test("passes the check, also as an instance of a class", () => {
    const plain = own("mine");
    expect(checkSchedule(plain, "schedule")).toBe(plain);
    class Mine {
      kind = "mine";
      tMin = 0;
      tMax = 1;
      alpha() {}
      sigma() {}
      lambda() {}
      time() {}
      modelTime() {}
    }
    const instance = new Mine();
    expect(checkSchedule(instance, "schedule")).toBe(instance);
  });

  const wrong: [string, unknown, typeof TypeError | typeof RangeError, RegExp][] = [
    ["undefined", undefined, TypeError, /"schedule": expected a noise schedule.*, got undefined/],
    ["a name", "vp-linear", TypeError, /got "vp-linear"/],
    ["a factory", vpLinear, TypeError, /got a function/],
    ["half an object", { kind: "x", tMin: 0, alpha() {} }, TypeError, /without tMax, sigma, lambda, time, modelTime/],
    ["a kind that is no string", { ...own("x"), kind: 1 }, TypeError, /"schedule.kind": expected a string, got 1/],
    ["a method that is a number", { ...own("x"), sigma: 1 }, TypeError, /"schedule.sigma": expected a function, got 1/],
    ["a tMin that is a string", { ...own("x"), tMin: "0" }, TypeError, /"schedule.tMin"/],
    ["an empty range", { ...own("x"), tMin: 1 }, RangeError, /"schedule.tMax": expected a finite number > tMin = 1/],
    ["a negative shift", { ...own("x"), shift: -1 }, RangeError, /"schedule.shift"/],
  ];
  test.each(wrong)("%s does not pass", (_, value, kind, message) => {
    expect(() => checkSchedule(value, "schedule")).toThrow(kind);
    expect(() => checkSchedule(value, "schedule")).toThrow(message);
  });

  test("is written by its kind only and comes back without its functions, even under the name of a built-in one", () => {
    for (const kind of ["mine", "vp-linear"]) {
      const json = scheduleToJSON(own(kind));
      expect(json).toEqual({ kind, own: true });
      const loaded = scheduleFromJSON(json);
      expect(loaded.kind).toBe(kind);
      for (const member of ["tMin", "tMax", "alpha", "sigma", "lambda", "time", "modelTime"] as const) {
        expect(() => loaded[member]).toThrow(`schedule "${kind}": "${member}" was not saved`);
      }
      expect(() => checkSchedule(loaded, "schedule")).toThrow(`schedule "${kind}"`);
      expect(scheduleToJSON(loaded)).toEqual(json);
    }
  });
});

describe("scheduleFromJSON", () => {
  test("gives a kind of a later version as one that has its kind and nothing else", () => {
    const loaded = scheduleFromJSON({ kind: "vp-sigmoid", steepness: 3 });
    expect(loaded.kind).toBe("vp-sigmoid");
    expect(() => loaded.alpha(0.5)).toThrow('schedule "vp-sigmoid": "alpha"');
    expect(scheduleFromJSON({ kind: "constructor" }).kind).toBe("constructor");
  });

  const wrong: [unknown, typeof TypeError | typeof RangeError, RegExp][] = [
    [null, TypeError, /"schedule": expected an object, got null/],
    ["edm", TypeError, /got "edm"/],
    [[], TypeError, /got an array/],
    [{}, TypeError, /"schedule.kind": expected a string, got undefined/],
    [{ kind: 3 }, TypeError, /"schedule.kind": expected a string, got 3/],
    [{ kind: "edm", own: 1 }, TypeError, /"schedule.own"/],
    [{ kind: "edm", own: true, sigmaMax: 3 }, TypeError, /"sigmaMax": unknown option/],
    [{ kind: "edm", sigmaMax: "80" }, TypeError, /"sigmaMax": .* got "80"/],
    [{ kind: "edm", sigmaMax: null }, TypeError, /"sigmaMax": .* got null/],
    [{ kind: "edm", sigmaMax: -1 }, RangeError, /"sigmaMax": .* got -1/],
    [{ kind: "vp-linear", gamma: 1 }, TypeError, /"gamma": unknown option of vpLinear/],
    [{ kind: "vp-discrete", betas: { length: 3 } }, TypeError, /"betas": expected an array/],
    [{ kind: "vp-discrete", betas: [0.5, null] }, TypeError, /"betas\[1\]"/],
  ];
  test.each(wrong)("refuses %o", (json, kind, message) => {
    expect(() => scheduleFromJSON(json)).toThrow(kind);
    expect(() => scheduleFromJSON(json)).toThrow(message);
  });
});
