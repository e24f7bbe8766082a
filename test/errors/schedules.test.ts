// Every way to be wrong about a schedule, a grid, a seed or a mixture.
import { describe, expect, it } from "vitest";
import {
  edm,
  edmPreconditioning,
  flow,
  gaussianNoise,
  mixtureDenoiser,
  type NoiseSchedule,
  timeGrid,
  vpCosine,
  vpDiscrete,
  vpLinear,
} from "../../src/index.ts";
import { expectError, type Row, thrown, wrong } from "./table.ts";

type Call = () => unknown;
const own = (part: object): NoiseSchedule => wrong({ ...vpLinear(), ...part });

const schedules: Row<Call>[] = [
  ["null for options", () => vpLinear(wrong(null)), TypeError, '"vpLinear": expected an object, got null'],
  ["a number for options", () => vpCosine(wrong(5)), TypeError, '"vpCosine": expected an object, got 5'],
  [
    "a misspelt option of a schedule",
    () => vpLinear(wrong({ betaStart: 0.1 })),
    TypeError,
    '"betaStart": unknown option of vpLinear; expected one of beta0, beta1, tMin',
  ],
  [
    "an option of another schedule",
    () => edm(wrong({ tMin: 0.1 })),
    TypeError,
    '"tMin": unknown option of edm; expected one of sigmaMin, sigmaMax',
  ],
  [
    "beta0 as a string",
    () => vpLinear({ beta0: wrong("0.1") }),
    TypeError,
    '"beta0": expected a number from 0 to beta1 = 20, got "0.1"',
  ],
  [
    "beta0 null",
    () => vpLinear({ beta0: wrong(null) }),
    TypeError,
    '"beta0": expected a number from 0 to beta1 = 20, got null',
  ],
  [
    "beta0 negative",
    () => vpLinear({ beta0: -0.1 }),
    RangeError,
    '"beta0": expected a number from 0 to beta1 = 20, got -0.1',
  ],
  [
    "beta0 above beta1",
    () => vpLinear({ beta0: 30 }),
    RangeError,
    '"beta0": expected a number from 0 to beta1 = 20, got 30',
  ],
  ["beta1 NaN", () => vpLinear({ beta1: Number.NaN }), RangeError, '"beta1": expected a finite number > 0, got NaN'],
  ["tMin 1 of vpLinear", () => vpLinear({ tMin: 1 }), RangeError, '"tMin": expected a number ≥ 0 and < 1, got 1'],
  [
    "tMin negative",
    () => vpCosine({ tMin: -1e-3 }),
    RangeError,
    '"tMin": expected a number ≥ 0 and < 0.9946, got -0.001',
  ],
  [
    "tMin beyond the cosine's end",
    () => vpCosine({ tMin: 0.995 }),
    RangeError,
    '"tMin": expected a number ≥ 0 and < 0.9946, got 0.995',
  ],
  [
    "sigmaMax Infinity",
    () => edm({ sigmaMax: Infinity }),
    RangeError,
    '"sigmaMax": expected a finite number > 0, got Infinity',
  ],
  ["sigmaMax 0", () => edm({ sigmaMax: 0 }), RangeError, '"sigmaMax": expected a finite number > 0, got 0'],
  [
    "sigmaMin above sigmaMax",
    () => edm({ sigmaMin: 81 }),
    RangeError,
    '"sigmaMin": expected a number ≥ 0 and < 80, got 81',
  ],
  ["shift 0", () => flow({ shift: 0 }), RangeError, '"shift": expected a finite number > 0, got 0'],
  ["shift a string", () => flow({ shift: wrong("3") }), TypeError, '"shift": expected a finite number > 0, got "3"'],
  ["tMax above 1 of flow", () => flow({ tMax: 1.5 }), RangeError, '"tMax": expected a number > 0 and ≤ 1, got 1.5'],
  [
    "tMin = tMax of flow",
    () => flow({ tMin: 0.5, tMax: 0.5 }),
    RangeError,
    '"tMin": expected a number ≥ 0 and < 0.5, got 0.5',
  ],
  [
    "an unknown rule of betas",
    () => vpDiscrete({ betaSchedule: wrong("cosine") }),
    RangeError,
    '"betaSchedule": expected one of "linear", "scaled_linear", "squaredcos_cap_v2", got "cosine"',
  ],
  [
    "a rule of betas that is no string",
    () => vpDiscrete({ betaSchedule: wrong(1) }),
    TypeError,
    '"betaSchedule": expected one of "linear", "scaled_linear", "squaredcos_cap_v2", got 1',
  ],
  ["betaStart 0", () => vpDiscrete({ betaStart: 0 }), RangeError, '"betaStart": expected a number > 0 and < 1, got 0'],
  ["betaEnd 1", () => vpDiscrete({ betaEnd: 1 }), RangeError, '"betaEnd": expected a number > 0 and < 1, got 1'],
  [
    "trainSteps 1",
    () => vpDiscrete({ trainSteps: 1 }),
    RangeError,
    '"trainSteps": expected an integer from 2 to 16777216, got 1',
  ],
  [
    "trainSteps fractional",
    () => vpDiscrete({ trainSteps: 999.5 }),
    RangeError,
    '"trainSteps": expected an integer from 2 to 16777216, got 999.5',
  ],
  [
    "betas beside trainSteps",
    () => vpDiscrete({ betas: [0.1, 0.2], trainSteps: 2 }),
    TypeError,
    '"betas": expected no "trainSteps" beside it; a table says everything',
  ],
  [
    "betas beside alphasCumprod",
    () => vpDiscrete({ betas: [0.1, 0.2], alphasCumprod: [0.9, 0.7] }),
    TypeError,
    '"betas": expected no "alphasCumprod" beside it; a table says everything',
  ],
  ["one beta", () => vpDiscrete({ betas: [0.1] }), RangeError, '"betas": expected at least 2 entries, got 1'],
  ["no betas", () => vpDiscrete({ betas: [] }), RangeError, '"betas": expected at least 2 entries, got 0'],
  [
    "betas a number",
    () => vpDiscrete({ betas: wrong(0.1) }),
    TypeError,
    '"betas": expected an array of numbers, got 0.1',
  ],
  [
    "a beta that is a string",
    () => vpDiscrete({ betas: [0.1, wrong("0.2")] }),
    TypeError,
    '"betas[1]": expected a number, got "0.2"',
  ],
  [
    "a beta that is NaN",
    () => vpDiscrete({ betas: [0.1, Number.NaN] }),
    RangeError,
    '"betas[1]": expected a number > 0 and < 1, got NaN',
  ],
  [
    "a beta of 1",
    () => vpDiscrete({ betas: [0.1, 1] }),
    RangeError,
    '"betas[1]": expected a number > 0 and < 1, got 1; a network that knows pure noise: put 2**-24 in place of alphasCumprod 0',
  ],
  [
    "betas in an Int8Array, where they are 0",
    () => vpDiscrete({ betas: Int8Array.of(0.1, 0.2) }),
    RangeError,
    '"betas[0]": expected a number > 0 and < 1, got 0',
  ],
  [
    "alphasCumprod with 0",
    () => vpDiscrete({ alphasCumprod: [0.9, 0.5, 0] }),
    RangeError,
    '"alphasCumprod[2]": expected a number > 0 and ≤ 1, got 0; a network that knows pure noise: put 2**-24 in place of alphasCumprod 0',
  ],
  [
    "alphasCumprod that rise",
    () => vpDiscrete({ alphasCumprod: [0.5, 0.9] }),
    RangeError,
    '"alphasCumprod[1]": expected less than the entry before, 0.5, got 0.9',
  ],
  [
    "alphasCumprod above 1",
    () => vpDiscrete({ alphasCumprod: [1.1, 0.9] }),
    RangeError,
    '"alphasCumprod[0]": expected a number > 0 and ≤ 1, got 1.1',
  ],
  [
    "alphasCumprod NaN",
    () => vpDiscrete({ alphasCumprod: [0.9, Number.NaN] }),
    RangeError,
    '"alphasCumprod[1]": expected a number > 0 and ≤ 1, got NaN',
  ],
  ["a time NaN", () => vpLinear().alpha(Number.NaN), RangeError, '"t": expected a time from 0 to Infinity, got NaN'],
  [
    "a time as a string",
    () => vpLinear().sigma(wrong("0.5")),
    TypeError,
    '"t": expected a time from 0 to Infinity, got "0.5"',
  ],
  ["a time beyond flow", () => flow().lambda(1.5), RangeError, '"t": expected a time from 0 to 1, got 1.5'],
  ["a lambda NaN", () => vpDiscrete().time(Number.NaN), RangeError, '"lambda": expected a number, got NaN'],
  [
    "sigmaData 0",
    () => edmPreconditioning({ sigmaData: 0 }),
    RangeError,
    '"sigmaData": expected a finite number > 0, got 0',
  ],
  [
    "sigmaData a string",
    () => edmPreconditioning({ sigmaData: wrong("0.5") }),
    TypeError,
    '"sigmaData": expected a finite number > 0, got "0.5"',
  ],
  [
    "sigmaData null",
    () => edmPreconditioning({ sigmaData: wrong(null) }),
    TypeError,
    '"sigmaData": expected a finite number > 0, got null',
  ],
  [
    "sigmaData misspelt",
    () => edmPreconditioning(wrong({ sigma_data: 0.5 })),
    TypeError,
    '"sigma_data": unknown option of edmPreconditioning; expected one of sigmaData',
  ],
];

const grids: Row<Call>[] = [
  [
    "a grid of no schedule",
    () => timeGrid(wrong(undefined), 5),
    TypeError,
    '"schedule": expected a noise schedule, such as vpLinear(), got undefined',
  ],
  [
    "the name of a schedule",
    () => timeGrid(wrong("vp-linear"), 5),
    TypeError,
    '"schedule": expected a noise schedule, such as vpLinear(), got "vp-linear"',
  ],
  [
    "a maker of schedules, not called",
    () => timeGrid(wrong(vpLinear), 5),
    TypeError,
    '"schedule": expected a noise schedule, such as vpLinear(), got a function',
  ],
  [
    "an object that is no schedule",
    () => timeGrid(wrong({ kind: "mine", tMin: 0, tMax: 1 }), 5),
    TypeError,
    '"schedule": expected a noise schedule, such as vpLinear(), got an object without alpha, sigma, lambda, time, modelTime',
  ],
  [
    "an own schedule with a number for alpha",
    () => timeGrid(own({ alpha: 1 }), 5),
    TypeError,
    '"schedule.alpha": expected a function, got 1',
  ],
  [
    "an own schedule with a number for its kind",
    () => timeGrid(own({ kind: 1 }), 5),
    TypeError,
    '"schedule.kind": expected a string, got 1',
  ],
  [
    "an own schedule that ends before it starts",
    () => timeGrid(own({ tMin: 2 }), 5),
    RangeError,
    '"schedule.tMax": expected a finite number > tMin = 2, got 1',
  ],
  [
    "an own schedule with a shift of 0",
    () => timeGrid(own({ shift: 0 }), 5),
    RangeError,
    '"schedule.shift": expected a finite number > 0, got 0',
  ],
  [
    "steps missing",
    () => timeGrid(vpLinear(), wrong(undefined)),
    TypeError,
    '"steps": expected an integer ≥ 1, got undefined',
  ],
  ["steps 0", () => timeGrid(vpLinear(), 0), RangeError, '"steps": expected an integer ≥ 1, got 0'],
  ["steps fractional", () => timeGrid(vpLinear(), 2.5), RangeError, '"steps": expected an integer ≥ 1, got 2.5'],
  ["steps NaN", () => timeGrid(vpLinear(), Number.NaN), RangeError, '"steps": expected an integer ≥ 1, got NaN'],
  ["steps as a string", () => timeGrid(vpLinear(), wrong("5")), TypeError, '"steps": expected an integer ≥ 1, got "5"'],
  [
    "more steps than memory",
    () => timeGrid(vpLinear(), 1e12),
    RangeError,
    '"steps": expected at most 16777216, got 1000000000000',
  ],
  [
    "an unknown spacing",
    () => timeGrid(vpLinear(), 5, wrong("uniform")),
    RangeError,
    '"spacing": expected one of "time_uniform", "logSNR", "time_quadratic", "karras", "exponential", got "uniform"',
  ],
  [
    "spacing null",
    () => timeGrid(vpLinear(), 5, wrong(null)),
    TypeError,
    '"spacing": expected one of "time_uniform", "logSNR", "time_quadratic", "karras", "exponential", got null',
  ],
  [
    "logSNR where lambda is infinite",
    () => timeGrid(flow(), 5, "logSNR"),
    RangeError,
    '"spacing": expected one that needs no lambda at t = 1, where it is -Infinity; use "time_uniform", or ends where signal and noise are both left, such as flow({ tMin: 1e-3, tMax: 0.999 })',
  ],
  [
    "karras where no signal is left",
    () => timeGrid(flow(), 5, "karras"),
    RangeError,
    '"spacing": expected one that needs no lambda at t = 1, where it is -Infinity; use "time_uniform", or ends where signal and noise are both left, such as flow({ tMin: 1e-3, tMax: 0.999 })',
  ],
  [
    "exponential down to sigma = 0",
    () => timeGrid(edm({ sigmaMin: 0 }), 5, "exponential"),
    RangeError,
    '"spacing": expected one that needs no lambda at t = 0, where it is Infinity; use "time_uniform", or ends where signal and noise are both left, such as flow({ tMin: 1e-3, tMax: 0.999 })',
  ],
  [
    "a time of a quadratic grid below 0",
    () => timeGrid(own({ tMin: -1 }), 5, "time_quadratic"),
    RangeError,
    '"spacing": expected a schedule with tMin ≥ 0 for "time_quadratic", got -1',
  ],
];

const noises: Row<Call>[] = [
  [
    "no seed",
    () => gaussianNoise(wrong(undefined), [1, 2]),
    TypeError,
    '"seed": expected an integer from 0 to 2^53 − 1, got undefined',
  ],
  [
    "seed null",
    () => gaussianNoise(wrong(null), [1, 2]),
    TypeError,
    '"seed": expected an integer from 0 to 2^53 − 1, got null',
  ],
  ["seed 1.5", () => gaussianNoise(1.5, [1, 2]), RangeError, '"seed": expected an integer from 0 to 2^53 − 1, got 1.5'],
  ["seed −1", () => gaussianNoise(-1, [1, 2]), RangeError, '"seed": expected an integer from 0 to 2^53 − 1, got -1'],
  [
    "seed 2^53",
    () => gaussianNoise(2 ** 53, [1, 2]),
    RangeError,
    '"seed": expected an integer from 0 to 2^53 − 1, got 9007199254740992',
  ],
  [
    "seed NaN",
    () => gaussianNoise(Number.NaN, [1, 2]),
    RangeError,
    '"seed": expected an integer from 0 to 2^53 − 1, got NaN',
  ],
  [
    "seed as a string",
    () => gaussianNoise(wrong("42"), [1, 2]),
    TypeError,
    '"seed": expected an integer from 0 to 2^53 − 1, got "42"',
  ],
  [
    "a bigint for philox",
    () => gaussianNoise(42n, [1, 2]),
    TypeError,
    '"seed": expected a number, got 42n; bigint seeds are for generator "torch"',
  ],
  [
    "seed 1.5 of torch",
    () => gaussianNoise(1.5, [1, 2], "torch"),
    RangeError,
    '"seed": expected an integer of at most 53 bits, got 1.5',
  ],
  [
    "seed 2^53 of torch",
    () => gaussianNoise(2 ** 53, [1, 2], "torch"),
    RangeError,
    '"seed": expected an integer of at most 53 bits, got 9007199254740992',
  ],
  [
    "a list that is too short",
    () => gaussianNoise([1, 2], [3, 2]),
    RangeError,
    '"seed": expected one seed, or a list with one for each of 3 items, got 2',
  ],
  [
    "a list that is too long",
    () => gaussianNoise([1, 2], [1, 2]),
    RangeError,
    '"seed": expected one seed, or a list with one for each of 1 items, got 2',
  ],
  [
    "an empty list",
    () => gaussianNoise([], [1, 2]),
    RangeError,
    '"seed": expected one seed, or a list with one for each of 1 items, got 0',
  ],
  [
    "one wrong seed of a list",
    () => gaussianNoise([1, -2], [2, 2]),
    RangeError,
    '"seed[1]": expected an integer from 0 to 2^53 − 1, got -2',
  ],
  [
    "a typed array of seeds",
    () => gaussianNoise(wrong(Uint32Array.of(1, 2)), [2, 2]),
    TypeError,
    '"seed": expected an integer from 0 to 2^53 − 1, got Uint32Array of length 2',
  ],
  [
    "no shape",
    () => gaussianNoise(0, wrong(undefined)),
    TypeError,
    '"shape": expected an array of numbers, got undefined',
  ],
  ["a number for a shape", () => gaussianNoise(0, wrong(4)), TypeError, '"shape": expected an array of numbers, got 4'],
  [
    "an empty shape",
    () => gaussianNoise(0, []),
    RangeError,
    '"shape": expected [batch, ...dims], got an array of length 0',
  ],
  ["a dimension 0", () => gaussianNoise(0, [1, 0]), RangeError, '"shape[1]": expected an integer ≥ 1, got 0'],
  [
    "a fractional dimension",
    () => gaussianNoise(0, [1, 1.5]),
    RangeError,
    '"shape[1]": expected an integer ≥ 1, got 1.5',
  ],
  [
    "a dimension as a string",
    () => gaussianNoise(0, [1, wrong("3")]),
    TypeError,
    '"shape[1]": expected a number, got "3"',
  ],
  [
    "a shape above the memory",
    () => gaussianNoise(0, [2 ** 15, 2 ** 15]),
    RangeError,
    '"shape": expected fewer than 2^30 elements, got 1073741824',
  ],
  [
    "an unknown generator",
    () => gaussianNoise(0, [1, 2], wrong("mt19937")),
    RangeError,
    '"generator": expected one of "philox", "torch", got "mt19937"',
  ],
  [
    "generator null",
    () => gaussianNoise(0, [1, 2], wrong(null)),
    TypeError,
    '"generator": expected one of "philox", "torch", got null',
  ],
];

const mixture = {
  schedule: vpLinear(),
  means: [
    [0, 1],
    [2, 3],
  ],
  std: [0.1, 0.2],
  weights: [1, 2],
};
const mix = (part: object) => () => mixtureDenoiser(wrong({ ...mixture, ...part }));
const x = new Float32Array(4);
const ask =
  (part: object, input: object = {}) =>
  () =>
    mixtureDenoiser({ ...mixture, ...part }).predict(wrong({ x, shape: [2, 2], t: 0.5, modelTime: 500, ...input }));

const mixtures: Row<Call>[] = [
  [
    "no options",
    () => mixtureDenoiser(wrong(undefined)),
    TypeError,
    '"mixtureDenoiser": expected an object, got undefined',
  ],
  ["a mixture without schedule", mix({ schedule: undefined }), TypeError, '"schedule": required'],
  ["no means", mix({ means: undefined }), TypeError, '"means": required'],
  [
    "schedule null",
    mix({ schedule: null }),
    TypeError,
    '"schedule": expected a noise schedule, such as vpLinear(), got null',
  ],
  [
    "means of one component without its brackets",
    mix({ means: [0, 1] }),
    TypeError,
    '"means[0]": expected an array of numbers, got 0',
  ],
  [
    "means in one typed array",
    mix({ means: new Float32Array(4) }),
    TypeError,
    '"means": expected an array with one mean per component, got Float32Array of length 4',
  ],
  [
    "no components",
    mix({ means: [], std: [], weights: [] }),
    RangeError,
    '"means": expected at least one component, got an array of length 0',
  ],
  [
    "ragged means",
    mix({ means: [[0, 1], [2]] }),
    RangeError,
    '"means[1]": expected 2 numbers, got an array of length 1',
  ],
  [
    "empty means",
    mix({ means: [[], []] }),
    RangeError,
    '"means[0]": expected at least one number, got an array of length 0',
  ],
  [
    "a mean NaN",
    mix({
      means: [
        [0, 1],
        [2, Number.NaN],
      ],
    }),
    RangeError,
    '"means[1][1]": expected a finite number, got NaN',
  ],
  ["one std for all", mix({ std: 0.1 }), TypeError, '"std": expected an array of numbers, got 0.1'],
  [
    "too few std",
    mix({ std: [0.1] }),
    RangeError,
    '"std": expected one number per component, 2, got an array of length 1',
  ],
  ["a negative std", mix({ std: [0.1, -0.2] }), RangeError, '"std[1]": expected a finite number ≥ 0, got -0.2'],
  ["a weight 0", mix({ weights: [0, 1] }), RangeError, '"weights[0]": expected a finite number > 0, got 0'],
  [
    "too many weights",
    mix({ weights: [1, 2, 3] }),
    RangeError,
    '"weights": expected one number per component, 2, got an array of length 3',
  ],
  ["a label −1", mix({ labels: [0, -1] }), RangeError, '"labels[1]": expected an integer ≥ 0, got -1'],
  ["labels null", mix({ labels: null }), TypeError, '"labels": expected an array of numbers, got null'],
  [
    "too few labels",
    mix({ labels: [0] }),
    RangeError,
    '"labels": expected one number per component, 2, got an array of length 1',
  ],
  [
    "an unknown prediction",
    mix({ prediction: "v" }),
    RangeError,
    '"prediction": expected one of "epsilon", "sample", "v_prediction", "score", "flow_prediction", got "v"',
  ],
  [
    "prediction null",
    mix({ prediction: null }),
    TypeError,
    '"prediction": expected one of "epsilon", "sample", "v_prediction", "score", "flow_prediction", got null',
  ],
  [
    "an affine prediction",
    mix({ prediction: edmPreconditioning() }),
    TypeError,
    '"prediction": expected one of "epsilon", "sample", "v_prediction", "score", "flow_prediction", got an object',
  ],
  [
    "a misspelt option of a mixture",
    mix({ sigma: [1, 1] }),
    TypeError,
    '"sigma": unknown option of mixtureDenoiser; expected one of schedule, means, std, weights, labels, prediction',
  ],
  [
    "a label without a component",
    ask({}, { condition: [0, 7] }),
    RangeError,
    '"condition[1]": expected -1 or one of the labels 0, 1, got 7',
  ],
  [
    "a label that the labels left out",
    ask({ labels: [4, 6] }, { condition: [0, 4] }),
    RangeError,
    '"condition[0]": expected -1 or one of the labels 4, 6, got 0',
  ],
  [
    "a label for the whole batch",
    ask({}, { condition: 0 }),
    TypeError,
    '"condition": expected an array of numbers, got 0',
  ],
  [
    "too few labels in a condition",
    ask({}, { condition: [0] }),
    RangeError,
    '"condition": expected one label per batch item, 2, got an array of length 1',
  ],
  [
    "items of another size",
    ask({}, { x: new Float32Array(6), shape: [2, 3] }),
    RangeError,
    '"shape": expected items of 2 numbers, as the means have, got 3',
  ],
];

describe.each([
  ["a schedule", schedules],
  ["timeGrid", grids],
  ["gaussianNoise", noises],
  ["mixtureDenoiser", mixtures],
] as const)("%s refuses", (_, rows) => {
  it.each(rows as Row<Call>[])("%s", (...row) => {
    expectError(thrown(row[1]), row);
  });
});

it("the seeds of torch reach below 0 and above 2^53 as bigint", () => {
  expect(gaussianNoise(-1, [1, 2], "torch")).toEqual(gaussianNoise(2n ** 32n - 1n, [1, 2], "torch"));
  expect(gaussianNoise(2n ** 64n + 5n, [1, 2], "torch")).toEqual(gaussianNoise(5, [1, 2], "torch"));
});
