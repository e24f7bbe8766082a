import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  fitRatioModel,
  predictRatios,
  type RatioDegrees,
  type RatioModel,
  type RatioObservation,
  ratioModelFromJSON,
  ratioModelFromNpy,
} from "../../src/compensation/cpr.ts";
import { settingsOf } from "../../src/compensation/settings.ts";
import { vpDiscrete } from "../../src/diffusion/schedule.ts";
import { createPlan } from "../../src/solvers/index.ts";
import { expectError, type Row, thrown, wrong } from "../errors/table.ts";

// The model that the authors of DC-Solver publish for Stable Diffusion 2.1, and what their function makes of it.
const published = [
  [1523.676619658719, -1111.4746450817747, 198.38349617752823],
  [-1346.0890022783242, 1007.1949412581944, -186.2547577408646],
  [168.39730243270586, -128.0389489406508, 24.884789751788965],
  [-8140.644018577604, 5906.748279115223, -1035.9941123139745],
  [6941.413899402556, -5193.980659818976, 950.3205652979913],
  [-848.2104675050633, 650.6903333310611, -121.28674276636774],
  [13309.270384617059, -9616.6703205253, 1668.7685962068279],
  [-11037.107794392457, 8256.66668566493, -1503.7992035851387],
  [1293.9740435093065, -999.5629328211232, 188.2217041354989],
  [-6747.4218216104955, 4853.153053347587, -835.5116792834909],
  [5489.115183777738, -4096.897218212316, 743.0953413127122],
  [-619.5612763258621, 480.1497146559675, -90.89633128561563],
].flat();

const checkValues: [steps: number, guidanceScale: number, ratios: number[]][] = [
  [5, 7.5, [1, 1, 1.027060048, 0.739244529, 1.226270751]],
  [6, 7.5, [1, 1, 1.019513299, 0.942169129, 0.751743859, 1.21309409]],
  [7, 7.5, [1, 1, 0.870352653, 1.052311903, 0.879568663, 0.785138909, 1.202038619]],
  [8, 7.5, [1, 1, 0.69407973, 1.044355311, 1.010251088, 0.850911536, 0.825481128, 1.193104336]],
  [9, 7.5, [1, 1, 0.545795483, 0.977924531, 1.064663458, 0.967440929, 0.847685608, 0.866826157, 1.186291242]],
  [
    10,
    7.5,
    [
      ...[1, 1, 0.444623393, 0.897997794, 1.062803059, 1.042562245, 0.940798408, 0.861034606],
      ...[0.906793897, 1.181599336],
    ],
  ],
  [5, 3, [1, 1, 1.000518855, 0.819176774, 1.368565058]],
  [5, 4, [1, 1, 1.038246198, 0.680634728, 1.378974505]],
  [5, 5, [1, 1, 1.057785369, 0.611109438, 1.365366577]],
  [5, 6, [1, 1, 1.059136369, 0.610600907, 1.327741277]],
  [5, 7, [1, 1, 1.042299198, 0.679109132, 1.266098603]],
  [5, 8, [1, 1, 1.007273856, 0.816634115, 1.180438555]],
  [5, 9, [1, 1, 0.954060343, 1.023175855, 1.070761134]],
  [6, 6, [1, 1, 1.105605221, 0.925006481, 0.661561011, 1.300862485]],
];

const pythonHeader = "{'descr': '<f8', 'fortran_order': False, 'shape': (36,), }";

/** Returns the bytes of a .npy file. */
function npy(numbers: readonly number[], header = pythonHeader, version = 1): Uint8Array {
  const lengthBytes = version === 1 ? 2 : 4;
  const padding = -(6 + 2 + lengthBytes + header.length + 1) & 63;
  const text = `${header}${" ".repeat(padding)}\n`;
  const bytes = new Uint8Array(8 + lengthBytes + text.length + 8 * numbers.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x93, ...Buffer.from("NUMPY"), version, 0]);
  if (version === 1) view.setUint16(8, text.length, true);
  else view.setUint32(8, text.length, true);
  bytes.set(Buffer.from(text, "latin1"), 8 + lengthBytes);
  numbers.forEach((x, i) => {
    view.setFloat64(8 + lengthBytes + text.length + 8 * i, x, true);
  });
  return bytes;
}

const model = ratioModelFromNpy(npy(published));
const every = (list: readonly number[], others: readonly number[]) =>
  list.flatMap((a) => others.map((b) => [a, b] as const));

/** Returns what a search would have found if `truth` were the whole truth. */
function observe(truth: RatioModel, stepCounts: readonly number[], scales: readonly number[]): RatioObservation[] {
  return every(stepCounts, scales).map(([steps, guidanceScale]) => {
    const ratios = predictRatios(truth, { steps, guidanceScale, clamp: false });
    return { steps, guidanceScale, ratios, dcOrder: truth.dcOrder };
  });
}

/** Returns the largest difference between what two models predict. */
function distance(a: RatioModel, b: RatioModel, stepCounts: readonly number[], scales: readonly number[]): number {
  const differences = every(stepCounts, scales).flatMap(([steps, guidanceScale]) => {
    const other = predictRatios(b, { steps, guidanceScale, clamp: false });
    return predictRatios(a, { steps, guidanceScale, clamp: false }).map((r, k) => Math.abs(r - (other[k] as number)));
  });
  return Math.max(...differences);
}

/** A model with pseudo-random coefficients in [−1, 1), a linear congruential generator's (Numerical Recipes, ranqd1). */
function randomModel(degrees: RatioDegrees, dcOrder = 2): RatioModel {
  let state = 7;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
  const count = (degrees.step + 1) * (degrees.guidance + 1) * (degrees.steps + 1);
  return ratioModelFromJSON({
    kind: "dc-solver/ratio-model",
    version: 1,
    library: "0.1.0",
    coefficients: Array.from({ length: count }, next),
    degrees,
    range: { steps: [1, 100], guidanceScale: [0, 20] },
    rank: count,
    dcOrder,
  });
}

const settings = settingsOf(createPlan({ schedule: vpDiscrete(), steps: 5 }));

describe("the published model", () => {
  it.each(checkValues)("has the published ratios at %i steps and guidance %f", (steps, guidanceScale, ratios) => {
    const predicted = predictRatios(model, { steps, guidanceScale });
    expect(predicted.length).toBe(steps);
    // Nine digits are published.
    predicted.forEach((ratio, k) => {
      expect(Math.abs(ratio - (ratios[k] as number))).toBeLessThan(5.1e-10);
    });
  });

  it("says where it holds", () => {
    expect(model.range).toEqual({ steps: [5, 22], guidanceScale: [1, 12] });
    expect(model).toMatchObject({ rank: 36, dcOrder: 2, degrees: { step: 3, guidance: 2, steps: 2 } });
    expect(Array.from(model.coefficients)).toEqual(published);
    expect(model.settings).toBeUndefined();
  });

  it("is the same in all three versions of the format, whatever the order of the header and its address in memory", () => {
    const header = '{"shape": ( 36, ), "fortran_order": False, "descr": "<f8"}';
    const files = [npy(published, pythonHeader, 2), npy(published, pythonHeader, 3), npy(published, header)];
    const padded = new Uint8Array(1000);
    padded.set(npy(published), 13);
    files.push(padded.subarray(13, 13 + npy(published).length), Buffer.from(npy(published)));
    for (const file of files) expect(Array.from(ratioModelFromNpy(file).coefficients)).toEqual(published);
  });
});

describe("predictRatios", () => {
  it("keeps the ratios in [0.3, 1.6], or in the bounds it is given, but not the first dcOrder ones", () => {
    const o = { steps: 5, guidanceScale: 12 };
    const free = predictRatios(model, { ...o, clamp: false });
    expect(Math.max(...free)).toBeGreaterThan(1.6);
    expect(predictRatios(model, o)).toEqual(free.map((r) => Math.min(Math.max(r, 0.3), 1.6)));
    const narrow = free.map((r, k) => (k < 2 ? 1 : Math.min(Math.max(r, 1.1), 1.2)));
    expect(predictRatios(model, { ...o, clamp: [1.1, 1.2] })).toEqual(narrow);
  });

  it("with clamp: false goes where the polynomial goes", () => {
    const far = predictRatios(model, { steps: 50, guidanceScale: 12, clamp: false });
    expect(far.length).toBe(50);
    expect(Math.max(...far.map(Math.abs))).toBeGreaterThan(10);
  });

  it("takes the ends of the range", () => {
    for (const [steps, guidanceScale] of every([5, 22], [1, 12])) {
      expect(predictRatios(model, { steps, guidanceScale }).length).toBe(steps);
    }
  });

  it("gives ones where there are no more steps than dcOrder", () => {
    const small = fitRatioModel(observe(randomModel({ step: 1, guidance: 0, steps: 1 }, 3), [1, 2, 3, 5, 6], [2]), {
      degrees: { step: 1, guidance: 0, steps: 1 },
    });
    expect(predictRatios(small, { steps: 1, guidanceScale: 2 })).toEqual([1]);
    expect(predictRatios(small, { steps: 3, guidanceScale: 2 })).toEqual([1, 1, 1]);
  });
});

describe("fitRatioModel", () => {
  const stepCounts = [5, 6, 7, 8, 10];
  const scales = [3, 4.5, 6, 7.5, 9];

  it.each([
    ["the published ones", model],
    ["random ones", randomModel({ step: 3, guidance: 2, steps: 2 })],
  ])("recovers known coefficients: %s", (_, truth) => {
    const fitted = fitRatioModel(observe(truth, stepCounts, scales));
    expect(fitted.rank).toBe(36);
    // To 1e-8 of the largest coefficient: the condition number is up to 5e7, times 2^-53 and the cancellation of the ratios.
    const largest = Math.max(...truth.coefficients.map(Math.abs));
    fitted.coefficients.forEach((c, j) => {
      expect(Math.abs(c - (truth.coefficients[j] as number))).toBeLessThan(1e-8 * largest);
    });
    expect(distance(fitted, truth, [5, 9, 10], [3, 5, 9])).toBeLessThan(1e-9);
  });

  it("takes its range from what was observed", () => {
    const fitted = fitRatioModel(observe(model, stepCounts, scales).reverse());
    expect(fitted.range).toEqual({ steps: [5, 10], guidanceScale: [3, 9] });
    expect(() => predictRatios(fitted, { steps: 11, guidanceScale: 5 })).toThrow(RangeError);
  });

  it.each([[[5, 7, 10]], [[5, 10, 20]]])(
    "says that %j steps with three guidance scales determine 33 of 36, and fits what it saw",
    (few) => {
      const fitted = fitRatioModel(observe(model, few, [3, 6, 9]));
      expect(fitted.rank).toBe(33);
      expect(distance(fitted, model, few, [3, 6, 9])).toBeLessThan(1e-10);
      // Minimum norm: no model through the same ratios has smaller coefficients, the true one included.
      const norm = (m: RatioModel) => Math.sqrt(m.coefficients.reduce((sum, c) => sum + c * c, 0));
      expect(norm(fitted)).toBeLessThan(norm(model));
      // The solution is orthogonal to the null space, in which the difference to the truth lies: Pythagoras.
      const between = model.coefficients.reduce((sum, c, j) => sum + (c - (fitted.coefficients[j] as number)) ** 2, 0);
      expect(Math.abs(norm(fitted) ** 2 + between - norm(model) ** 2)).toBeLessThan(1e-8 * norm(model) ** 2);
    },
  );

  it.each([
    ["one guidance scale", { guidance: 0 }, [6]],
    ["two guidance scales", { guidance: 1 }, [3, 9]],
  ])("fits %s with a smaller degree", (_, degrees, some) => {
    const truth = randomModel({ step: 3, steps: 2, ...degrees });
    const fitted = fitRatioModel(observe(truth, stepCounts, some), { degrees });
    expect(fitted.degrees).toEqual({ step: 3, steps: 2, ...degrees });
    expect(fitted.rank).toBe(fitted.coefficients.length);
    expect(distance(fitted, truth, stepCounts, some)).toBeLessThan(1e-11);
  });

  it("fits one number of steps with degree 0 there, and no more than a constant with degrees 0", () => {
    const one = fitRatioModel(observe(model, [8], [3, 6, 9]), { degrees: { steps: 0 } });
    expect(one.rank).toBe(12);
    expect(distance(one, model, [8], [3, 6, 9])).toBeLessThan(1e-10);
    const ratios = [1, 1, 0.8, 0.9, 1.3];
    const constant = fitRatioModel([{ steps: 5, guidanceScale: 1, ratios }], {
      degrees: { step: 0, guidance: 0, steps: 0 },
    });
    expect(constant.coefficients[0]).toBeCloseTo(1, 14);
  });

  it("leaves the residuals of noisy ratios orthogonal to every feature", () => {
    const noisy = observe(model, stepCounts, scales).map((o, j) => ({
      ...o,
      ratios: o.ratios.map((r, k) => (k < 2 ? 1 : r + 0.05 * Math.sin(17 * j + 5 * k))),
    }));
    const fitted = fitRatioModel(noisy);
    let slope = 0;
    let constant = 0;
    let curvature = 0;
    for (const { steps, guidanceScale, ratios } of noisy) {
      predictRatios(fitted, { steps, guidanceScale, clamp: false }).forEach((r, k) => {
        const residual = k < 2 ? 0 : (ratios[k] as number) - r;
        constant += residual;
        slope += (residual * (k + 1)) / steps;
        curvature += residual * guidanceScale ** 2 * steps ** 2 * ((k + 1) / steps) ** 3;
      });
    }
    expect(Math.abs(constant)).toBeLessThan(1e-9);
    expect(Math.abs(slope)).toBeLessThan(1e-9);
    expect(Math.abs(curvature)).toBeLessThan(1e-6);
  });

  it("gives the same bits again, and leaves its input alone", () => {
    const observations = observe(model, [5, 7, 10], [3, 6, 9]).map((o) => Object.freeze(o));
    const before = JSON.stringify(observations);
    const [first, second] = [fitRatioModel(observations), fitRatioModel(observations)];
    expect(first.coefficients).toEqual(second.coefficients);
    expect(JSON.stringify(observations)).toBe(before);
  });

  it("keeps the settings that all observations share, in whatever order they are written", () => {
    const other = Object.fromEntries(Object.entries(structuredClone(settings)).reverse()) as typeof settings;
    const observations = observe(model, stepCounts, scales).map((o, j) => ({
      ...o,
      settings: j % 2 ? other : settings,
    }));
    expect(fitRatioModel(observations).settings).toEqual(settings);
  });

  it("takes more keys than it needs: a search is an observation", () => {
    const observations = observe(model, stepCounts, scales).map((o) => ({ ...o, mse: 1, toJSON: () => undefined }));
    expect(fitRatioModel(observations).rank).toBe(36);
  });
});

describe("the JSON of a model", () => {
  const fitted = fitRatioModel(observe(model, [5, 6, 8, 10], [3, 6, 9]).map((o) => ({ ...o, settings })));

  it("gives the same model back, through text", () => {
    for (const m of [model, fitted, randomModel({ step: 1, guidance: 0, steps: 4 }, 1)]) {
      const { toJSON: _, ...back } = ratioModelFromJSON(JSON.parse(JSON.stringify(m)));
      const { toJSON: __, ...parts } = m;
      expect(back).toEqual(parts);
    }
  });

  it("names its kind, version and library", () => {
    expect(fitted.toJSON()).toMatchObject({ kind: "dc-solver/ratio-model", version: 1, library: "0.1.0", settings });
    expect(Array.isArray((fitted.toJSON() as { coefficients: unknown }).coefficients)).toBe(true);
  });
});

const json = () => JSON.parse(JSON.stringify(model)) as Record<string, unknown>;
const without = (key: string) => Object.fromEntries(Object.entries(json()).filter(([k]) => k !== key));
const seen = (): RatioObservation[] => observe(model, [5, 7], [3, 6]);
const altered = (change: object, j = 1) => seen().map((o, i) => (i === j ? { ...o, ...change } : o));
const truncated = (bytes: number) => npy(published).slice(0, bytes);
const changed = (at: number, value: number) => npy(published).map((b, i) => (i === at ? value : b));

type Mistakes = [name: string, action: (input: unknown) => unknown, rows: Row<unknown>[]];
const tables: Mistakes[] = [
  [
    "ratioModelFromNpy",
    (input) => ratioModelFromNpy(wrong(input)),
    [
      ["nothing", undefined, TypeError, '"bytes": expected the bytes of a .npy file as a Uint8Array, got undefined'],
      ["an ArrayBuffer", new ArrayBuffer(8), TypeError, '"bytes": expected the bytes of a .npy file…'],
      ["an Int8Array", new Int8Array(8), TypeError, '"bytes": expected the bytes of a .npy file…'],
      ["no bytes", new Uint8Array(0), TypeError, '"bytes": expected a .npy file, got bytes without its magic number'],
      [
        "a zip",
        Buffer.from("PK\u0003\u0004"),
        TypeError,
        '"bytes": expected a .npy file, got bytes without its magic number',
      ],
      [
        "six bytes",
        truncated(6),
        RangeError,
        '"bytes": expected a .npy file of version 1, 2 or 3, got version nothing',
      ],
      ["version 4", changed(6, 4), RangeError, '"bytes": expected a .npy file of version 1, 2 or 3, got version 4'],
      ["version 0", changed(6, 0), RangeError, '"bytes": expected a .npy file of version 1, 2 or 3, got version 0'],
      ["nine bytes", truncated(9), RangeError, '"bytes": expected a whole header, got a file of 9 bytes'],
      [
        "half a header",
        truncated(40),
        RangeError,
        '"bytes": expected a header of 118 bytes, got a file that ends after 30',
      ],
      ["a huge header", changed(9, 255), RangeError, '"bytes": expected a header of at most 10000 bytes, got 65398'],
      ["half the numbers", truncated(128 + 144), RangeError, '"bytes": expected 288 bytes of numbers, got 144'],
      ["one number more", npy([...published, 1]), RangeError, '"bytes": expected 288 bytes of numbers, got 296'],
      [
        "float32",
        npy(published, pythonHeader.replace("<f8", "<f4")),
        RangeError,
        '"bytes": expected the type "<f8", got "<f4"',
      ],
      [
        "big-endian",
        npy(published, pythonHeader.replace("<", ">")),
        RangeError,
        '"bytes": expected the type "<f8", got ">f8"',
      ],
      [
        "a structure",
        npy(published, pythonHeader.replace("'<f8'", "[('a', '<f8')]")),
        RangeError,
        '"bytes": expected the type "<f8", got none, or a structure',
      ],
      [
        "Fortran order",
        npy(published, pythonHeader.replace("False", "True")),
        RangeError,
        '"bytes": expected fortran_order False, got True',
      ],
      [
        "a table",
        npy(published, pythonHeader.replace("(36,)", "(4, 3, 3)")),
        RangeError,
        '"bytes": expected the shape (36,), got (4,3,3)',
      ],
      [
        "an empty header",
        npy(published, "{}"),
        RangeError,
        '"bytes": expected the type "<f8", got none, or a structure',
      ],
      [
        "NaN",
        npy(published.map((c, j) => (j === 5 ? NaN : c))),
        RangeError,
        '"bytes[5]": expected a finite number, got NaN',
      ],
    ],
  ],
  [
    "ratioModelFromJSON",
    (input) => ratioModelFromJSON(input),
    [
      ["nothing", undefined, TypeError, '"json": expected an object, got undefined'],
      ["null", null, TypeError, '"json": expected an object, got null'],
      ["its text", JSON.stringify(model), TypeError, '"json": expected an object, got …'],
      ["an array", [], TypeError, '"json": expected an object, got an array of length 0'],
      [
        "another kind",
        { ...json(), kind: "dc-solver/ratios" },
        TypeError,
        '"kind": expected "dc-solver/ratio-model", got "dc-solver/ratios"',
      ],
      [
        "another version",
        { ...json(), version: 2 },
        RangeError,
        '"version": expected 1, got 2; another version of the library wrote this file; fit the model again',
      ],
      ["no library", without("library"), TypeError, '"library": expected the version that wrote it, got undefined'],
      [
        "an unknown key",
        { ...json(), colour: 1 },
        TypeError,
        '"colour": unknown option of ratio model; expected one of …',
      ],
      ["no degrees", without("degrees"), TypeError, '"degrees": expected an object, got undefined'],
      [
        "no degree of guidance",
        { ...json(), degrees: { step: 3, steps: 2 } },
        TypeError,
        '"degrees.guidance": expected an integer from 0 to 8, got undefined',
      ],
      [
        "a degree too high",
        { ...json(), degrees: { step: 9, guidance: 2, steps: 2 } },
        RangeError,
        '"degrees.step": expected an integer from 0 to 8, got 9',
      ],
      [
        "no coefficients",
        without("coefficients"),
        TypeError,
        '"coefficients": expected an array of numbers, got undefined',
      ],
      [
        "too few",
        { ...json(), coefficients: [1, 2] },
        RangeError,
        '"coefficients": expected 36 numbers, as the degrees say, got an array of length 2',
      ],
      [
        "a text among them",
        { ...json(), coefficients: ["1", 2] },
        TypeError,
        '"coefficients[0]": expected a number, got "1"',
      ],
      [
        "what JSON makes of NaN",
        { ...json(), coefficients: [null] },
        TypeError,
        '"coefficients[0]": expected a number, got null',
      ],
      [
        "an infinite one",
        { ...json(), coefficients: [1, Infinity] },
        RangeError,
        '"coefficients[1]": expected a finite number, got Infinity',
      ],
      ["no range", without("range"), TypeError, '"range": expected an object, got undefined'],
      [
        "half a range",
        { ...json(), range: { steps: [5], guidanceScale: [1, 2] } },
        RangeError,
        '"range.steps": expected [low, high], got an array of length 1',
      ],
      [
        "a range of fractions",
        { ...json(), range: { steps: [5, 6.5], guidanceScale: [1, 2] } },
        RangeError,
        '"range.steps[1]": expected an integer ≥ 1, got 6.5',
      ],
      [
        "a range upside down",
        { ...json(), range: { steps: [5, 6], guidanceScale: [2, 1] } },
        RangeError,
        '"range.guidanceScale[1]": expected a finite number ≥ 2, got 1',
      ],
      ["a rank too high", { ...json(), rank: 37 }, RangeError, '"rank": expected an integer from 0 to 36, got 37'],
      ["dcOrder 0", { ...json(), dcOrder: 0 }, RangeError, '"dcOrder": expected an integer ≥ 1, got 0'],
      ["wrong settings", { ...json(), settings: 1 }, TypeError, '"settings": expected an object, got 1'],
    ],
  ],
  [
    "fitRatioModel",
    (input) =>
      Array.isArray(input) && input[0] === "options" ? fitRatioModel(seen(), input[1]) : fitRatioModel(wrong(input)),
    [
      ["nothing", undefined, TypeError, '"observations": expected an array of observations, got undefined'],
      [
        "no observations",
        [],
        RangeError,
        '"observations": expected at least one observation, got an array of length 0',
      ],
      ["a number", [1], TypeError, '"observations[0]": expected an object, got 1'],
      [
        "no steps",
        altered({ steps: undefined }),
        TypeError,
        '"observations[1].steps": expected an integer ≥ 1, got undefined',
      ],
      ["half a step", altered({ steps: 2.5 }), RangeError, '"observations[1].steps": expected an integer ≥ 1, got 2.5'],
      [
        "no guidance",
        altered({ guidanceScale: undefined }),
        TypeError,
        '"observations[1].guidanceScale": expected a finite number, got undefined',
      ],
      [
        "no ratios",
        altered({ ratios: undefined }),
        TypeError,
        '"observations[1].ratios": expected an array of numbers, got undefined',
      ],
      [
        "a ratio too few",
        altered({ ratios: [1, 1, 1, 1] }),
        RangeError,
        '"observations[1].ratios": expected one number per step, 5, got an array of length 4',
      ],
      [
        "a ratio that is none",
        altered({ ratios: [1, 1, 1, NaN, 1] }),
        RangeError,
        '"observations[1].ratios[3]": expected a finite number, got NaN',
      ],
      [
        "a first ratio",
        altered({ ratios: [1, 0.9, 1, 1, 1] }),
        RangeError,
        '"observations[1].ratios[1]": expected 1, as dcOrder is 2, got 0.9',
      ],
      [
        "two dcOrders",
        altered({ dcOrder: 1 }),
        RangeError,
        '"observations[1].dcOrder": expected 2, as in observations[0], got 1',
      ],
      [
        "dcOrder null",
        altered({ dcOrder: null }),
        TypeError,
        '"observations[1].dcOrder": expected an integer ≥ 1, got null',
      ],
      [
        "settings once",
        altered({ settings }),
        RangeError,
        '"observations[1].settings": expected those of observations[0], got some',
      ],
      [
        "two settings",
        seen().map((o, i) => ({ ...o, settings: { ...settings, order: i < 3 ? 2 : 3 } })),
        RangeError,
        '"observations[3].settings": expected those of observations[0], got another order',
      ],
      [
        "a search that stopped",
        altered({ finished: false }),
        RangeError,
        '"observations[1]": expected a finished search, got one that stopped; resume it first',
      ],
      [
        "no compensated step",
        [{ steps: 2, guidanceScale: 1, ratios: [1, 1] }],
        RangeError,
        '"observations": expected one with more than dcOrder = 2 steps, got none',
      ],
      [
        "huge guidance",
        altered({ guidanceScale: 1e200 }),
        RangeError,
        '"observations": expected numbers whose powers a double holds, got larger ones',
      ],
      [
        "an unknown option",
        ["options", { degree: 2 }],
        TypeError,
        '"degree": unknown option of fitRatioModel; expected one of degrees',
      ],
      [
        "an unknown degree",
        ["options", { degrees: { cfg: 2 } }],
        TypeError,
        '"cfg": unknown option of degrees; expected one of step, guidance, steps',
      ],
      [
        "half a degree",
        ["options", { degrees: { step: 1.5 } }],
        RangeError,
        '"degrees.step": expected an integer from 0 to 8, got 1.5',
      ],
      ["degrees null", ["options", { degrees: null }], TypeError, '"degrees": expected an object, got null'],
    ],
  ],
  [
    "predictRatios",
    (input) => {
      const { model: other = model, ...o } = wrong(input);
      return predictRatios(other, o);
    },
    [
      ["no steps", { guidanceScale: 5 }, TypeError, '"steps": expected an integer ≥ 1, got undefined'],
      ["no guidance", { steps: 5 }, TypeError, '"guidanceScale": expected a finite number, got undefined'],
      [
        "an unknown option",
        { steps: 5, guidanceScale: 5, cfg: 1 },
        TypeError,
        '"cfg": unknown option of predictRatios; expected one of steps, guidanceScale, clamp',
      ],
      [
        "steps above the range",
        { steps: 23, guidanceScale: 5 },
        RangeError,
        '"steps": expected 5 to 22, the range of the model, got 23; fit a model there, or pass clamp: false to go beyond it',
      ],
      [
        "steps below it",
        { steps: 4, guidanceScale: 5 },
        RangeError,
        '"steps": expected 5 to 22, the range of the model, got 4…',
      ],
      [
        "guidance above it",
        { steps: 5, guidanceScale: 12.1 },
        RangeError,
        '"guidanceScale": expected 1 to 12, the range of the model, got 12.1…',
      ],
      [
        "guidance below it",
        { steps: 5, guidanceScale: 0, clamp: [0, 1] },
        RangeError,
        '"guidanceScale": expected 1 to 12, the range of the model, got 0…',
      ],
      [
        "clamp: true",
        { steps: 5, guidanceScale: 5, clamp: true },
        TypeError,
        '"clamp": expected an array of numbers, got true',
      ],
      [
        "clamp: null",
        { steps: 5, guidanceScale: 5, clamp: null },
        TypeError,
        '"clamp": expected an array of numbers, got null',
      ],
      [
        "one bound",
        { steps: 5, guidanceScale: 5, clamp: [1] },
        RangeError,
        '"clamp": expected [low, high], got an array of length 1',
      ],
      [
        "bounds upside down",
        { steps: 5, guidanceScale: 5, clamp: [2, 1] },
        RangeError,
        '"clamp[1]": expected a finite number ≥ 2, got 1',
      ],
      ["no model", { model: 1, steps: 5, guidanceScale: 5 }, TypeError, '"model": expected an object, got 1'],
      [
        "half a model",
        { model: { ...model, coefficients: [1] }, steps: 5, guidanceScale: 5 },
        RangeError,
        '"model.coefficients": expected 36 numbers, as the degrees say, got an array of length 1',
      ],
    ],
  ],
];

describe.each(tables)("%s refuses", (_, action, rows) => {
  it.each(rows)("%s", (...row) =>
    expectError(
      thrown(() => action(row[1])),
      row,
    ),
  );
});

describe("loaders", () => {
  /** Either a model that predicts, or an error of the two documented classes with a message of its own. */
  function survives(load: () => RatioModel): void {
    let loaded: RatioModel;
    try {
      loaded = load();
    } catch (error) {
      expect(["TypeError", "RangeError"]).toContain((error as Error).name);
      expect((error as Error).message).toMatch(/^".*": /s);
      return;
    }
    const { steps, guidanceScale } = loaded.range;
    if (steps[0] > 100) return;
    const ratios = predictRatios(loaded, { steps: steps[0], guidanceScale: guidanceScale[0] });
    expect(ratios.length).toBe(steps[0]);
  }

  it("survive any bytes", () => {
    const valid = Array.from(npy(published));
    const flipped = fc
      .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
      .map((edits) => {
        const bytes = Uint8Array.from(valid);
        for (const [at, value] of edits) bytes[at] = value;
        return bytes;
      });
    const inHeader = fc.tuple(fc.nat(127), fc.nat(255)).map(([at, value]) => changed(at, value));
    const cut = fc.nat(valid.length).map(truncated);
    const anything = fc.uint8Array({ maxLength: 600 });
    const headed = anything.map((tail) => Uint8Array.from([...valid.slice(0, 8), ...tail]));
    const bytes = fc.oneof(flipped, inHeader, cut, anything, headed);
    fc.assert(
      fc.property(bytes, (file) => survives(() => ratioModelFromNpy(file))),
      { numRuns: 3000, seed: 1 },
    );
  });

  it("survive any JSON", () => {
    const valid: Record<string, unknown> = { ...json(), settings };
    const keys = Object.keys(valid);
    const odd = fc.oneof(fc.jsonValue(), fc.constantFrom(undefined, NaN, -0, 1e308, [], {}, [1, 2]));
    const edited = fc
      .array(fc.tuple(fc.constantFrom(...keys), odd), { minLength: 1, maxLength: 3 })
      .map((edits) => ({ ...valid, ...Object.fromEntries(edits) }));
    const parts = { degrees: valid.degrees, range: valid.range, settings: valid.settings } as Record<string, object>;
    const nested = fc.tuple(fc.constantFrom(...Object.keys(parts)), fc.nat(8), odd).map(([part, at, value]) => {
      const inner = parts[part] as object;
      const names = Object.keys(inner);
      return { ...valid, [part]: { ...inner, [names[at % names.length] as string]: value } };
    });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), edited, nested), (value) => survives(() => ratioModelFromJSON(value))),
      { numRuns: 3000, seed: 1 },
    );
  });
});
