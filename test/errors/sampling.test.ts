// Every way to be wrong about a run: the same error from sample, sampleSteps and startSampling, and no model call is made.
import { describe, expect, it } from "vitest";
import {
  createPlan,
  type Denoiser,
  edm,
  flow,
  mixtureDenoiser,
  type SampleOptions,
  sample,
  sampleSteps,
  startSampling,
  vpLinear,
} from "../../src/index.ts";
import { expectError, type Row, snapshot, thrown, wrong } from "./table.ts";

const schedule = vpLinear();
const plan = createPlan({ schedule, steps: 4 });
const drawing = createPlan({ schedule, steps: 4, solver: "ddim", eta: 1 });
const shape = [2, 3];
const floats = (n = 6) => new Float32Array(n);
const calls: string[] = [];
const denoiser: Denoiser = {
  prediction: "epsilon",
  predict({ x }) {
    calls.push("predict");
    return x;
  },
};

type Options = SampleOptions<unknown>;
/** Options that are right but for `part`. */
const given = (part: object): Options => wrong({ plan, denoiser, shape, seed: 0, ...part });
const seedless = (part: object): Options => given({ seed: undefined, ...part });
const giving = (prediction: unknown): Options => given({ denoiser: { ...denoiser, prediction } });

const everywhere: Row<Options>[] = [
  [
    "no plan",
    given({ plan: undefined }),
    TypeError,
    '"plan": expected a plan from createPlan, compensate or planFromJSON, got undefined',
  ],
  [
    "the JSON of a plan",
    given({ plan: plan.toJSON() }),
    TypeError,
    '"plan": expected a plan from createPlan, compensate or planFromJSON, got an object',
  ],
  [
    "the options of a plan",
    given({ plan: plan.options }),
    TypeError,
    '"plan": expected a plan from createPlan, compensate or planFromJSON, got an object',
  ],
  ["no shape", given({ shape: undefined }), TypeError, '"shape": expected an array of numbers, got undefined'],
  ["an empty shape", given({ shape: [] }), RangeError, '"shape": expected [batch, ...dims], got an array of length 0'],
  ["a batch of 0", given({ shape: [0, 3] }), RangeError, '"shape[0]": expected an integer ≥ 1, got 0'],
  ["a number for a shape", given({ shape: 1.5 }), TypeError, '"shape": expected an array of numbers, got 1.5'],
  ["a fractional dimension", given({ shape: [1, 1.5] }), RangeError, '"shape[1]": expected an integer ≥ 1, got 1.5'],
  ["a negative dimension", given({ shape: [1, -3] }), RangeError, '"shape[1]": expected an integer ≥ 1, got -3'],
  ["a dimension as a string", given({ shape: ["1", 3] }), TypeError, '"shape[0]": expected a number, got "1"'],
  [
    "a shape that no memory holds",
    given({ shape: [2 ** 20, 2 ** 20] }),
    RangeError,
    '"shape": expected fewer than 2^30 elements, got 1099511627776',
  ],
  ["no source of noise", seedless({}), TypeError, '"seed": required where neither "noise" nor "initial" is given'],
  ["seed null", given({ seed: null }), TypeError, '"seed": expected an integer from 0 to 2^53 − 1, got null'],
  ["seed 1.5", given({ seed: 1.5 }), RangeError, '"seed": expected an integer from 0 to 2^53 − 1, got 1.5'],
  ["seed −1", given({ seed: -1 }), RangeError, '"seed": expected an integer from 0 to 2^53 − 1, got -1'],
  [
    "seed 2^53",
    given({ seed: 2 ** 53 }),
    RangeError,
    '"seed": expected an integer from 0 to 2^53 − 1, got 9007199254740992',
  ],
  ["seed as a string", given({ seed: "0" }), TypeError, '"seed": expected an integer from 0 to 2^53 − 1, got "0"'],
  [
    "a list of seeds of another length than the batch",
    given({ seed: [1, 2, 3] }),
    RangeError,
    '"seed": expected one seed, or a list with one for each of 2 items, got 3',
  ],
  [
    "a wrong seed of a list",
    given({ seed: [1, Number.NaN] }),
    RangeError,
    '"seed[1]": expected an integer from 0 to 2^53 − 1, got NaN',
  ],
  [
    "a seed that noise leaves without use",
    given({ noise: floats() }),
    TypeError,
    '"seed": nothing is left for it to draw; expected none beside the noise that is handed in',
  ],
  [
    "a seed that initial leaves without use",
    given({ initial: floats() }),
    TypeError,
    '"seed": nothing is left for it to draw; expected none beside the noise that is handed in',
  ],
  [
    "a seed that noise and stepNoise leave without use",
    given({ plan: drawing, noise: floats(), stepNoise: () => floats() }),
    TypeError,
    '"seed": nothing is left for it to draw; expected none beside the noise that is handed in',
  ],
  [
    "draws without a source",
    seedless({ plan: drawing, noise: floats() }),
    TypeError,
    '"seed": required for the plan\'s 4 draws where no "stepNoise" is given',
  ],
  [
    "noise and initial",
    seedless({ noise: floats(), initial: floats() }),
    TypeError,
    '"initial": expected none beside "noise"',
  ],
  ["noise null", seedless({ noise: null }), TypeError, '"noise": expected a Float32Array of length 6, got null'],
  [
    "noise as a list",
    seedless({ noise: [0, 0, 0, 0, 0, 0] }),
    TypeError,
    '"noise": expected a Float32Array of length 6, got an array of length 6',
  ],
  [
    "noise in doubles",
    seedless({ noise: new Float64Array(6) }),
    TypeError,
    '"noise": expected a Float32Array of length 6, got Float64Array of length 6',
  ],
  [
    "noise of another length",
    seedless({ noise: floats(5) }),
    RangeError,
    '"noise": expected a length of 6 for shape [2, 3], got 5',
  ],
  [
    "noise with NaN",
    seedless({ noise: floats().fill(Number.NaN, 3, 4) }),
    RangeError,
    '"noise": expected finite numbers, got NaN or ±Infinity',
  ],
  ["initial null", seedless({ initial: null }), TypeError, '"initial": expected a Float32Array of length 6, got null'],
  [
    "initial in bytes",
    seedless({ initial: new Int8Array(6) }),
    TypeError,
    '"initial": expected a Float32Array of length 6, got Int8Array of length 6',
  ],
  [
    "initial of one item",
    seedless({ initial: floats(3) }),
    RangeError,
    '"initial": expected a length of 6 for shape [2, 3], got 3',
  ],
  [
    "initial with Infinity",
    seedless({ initial: floats().fill(Infinity, 5) }),
    RangeError,
    '"initial": expected finite numbers, got NaN or ±Infinity',
  ],
  [
    "stepNoise as an array",
    given({ plan: drawing, stepNoise: [floats()] }),
    TypeError,
    '"stepNoise": expected a function, got an array of length 1',
  ],
  [
    "an unknown generator",
    given({ generator: "numpy" }),
    RangeError,
    '"generator": expected one of "philox", "torch", got "numpy"',
  ],
  ["generator null", given({ generator: null }), TypeError, '"generator": expected one of "philox", "torch", got null'],
  ["generator true", given({ generator: true }), TypeError, '"generator": expected one of "philox", "torch", got true'],
  [
    "guidance without unconditional",
    given({ guidanceScale: 7.5, condition: 1 }),
    TypeError,
    '"unconditional": required where "guidanceScale" is not 1',
  ],
  [
    "guidanceScale NaN",
    given({ guidanceScale: Number.NaN }),
    RangeError,
    '"guidanceScale": expected a finite number, got NaN',
  ],
  [
    "guidanceScale Infinity",
    given({ guidanceScale: Infinity, unconditional: -1 }),
    RangeError,
    '"guidanceScale": expected a finite number, got Infinity',
  ],
  [
    "guidanceScale as a string",
    given({ guidanceScale: "7.5", unconditional: -1 }),
    TypeError,
    '"guidanceScale": expected a finite number, got "7.5"',
  ],
  [
    "guidanceScale null",
    given({ guidanceScale: null }),
    TypeError,
    '"guidanceScale": expected a finite number, got null',
  ],
  [
    "the controller in place of its signal",
    given({ signal: new AbortController() }),
    TypeError,
    '"signal": expected an AbortSignal, got an object',
  ],
  ["signal null", given({ signal: null }), TypeError, '"signal": expected an AbortSignal, got null'],
  [
    "engine as a string",
    given({ engine: "webgpu" }),
    TypeError,
    '"engine": expected an engine from dc-solver/webgpu, got "webgpu"',
  ],
  [
    "an epsilon network where no signal is left",
    given({ plan: createPlan({ schedule: flow(), steps: 4 }) }),
    RangeError,
    '"prediction": expected "v_prediction", "sample" or "flow_prediction", got "epsilon"; at alpha = 0 (t = 1) it does not determine x₀; start the grid where alpha > 0',
  ],
  [
    "a score network where no signal is left",
    { ...giving("score"), plan: createPlan({ schedule: flow(), steps: 4 }) },
    RangeError,
    '"prediction": expected "v_prediction", "sample" or "flow_prediction", got "score"; at alpha = 0 (t = 1) it does not determine x₀; start the grid where alpha > 0',
  ],
  [
    "an affine prediction that is NaN at the first time",
    giving({ skip: () => Number.NaN, out: () => 1 }),
    RangeError,
    '"prediction.skip(1)": expected a finite number, got NaN',
  ],
  [
    "an affine prediction that gives strings",
    giving({ skip: () => 1, out: () => "1" }),
    TypeError,
    '"prediction.out(1)": expected a finite number, got "1"',
  ],
];

const denoisers: Row<Options>[] = [
  ["no options", wrong(undefined), TypeError, '"sample": expected an object, got undefined'],
  ["null for options", wrong(null), TypeError, '"sample": expected an object, got null'],
  [
    "a misspelt option",
    given({ guidance: 7.5 }),
    TypeError,
    '"guidance": unknown option of sample; expected one of plan, shape, noise, initial, seed, generator, stepNoise, guidanceScale, guidanceInterval, guidanceRescale, engine, condition, unconditional, signal, denoiser, onStep',
  ],
  [
    "an option of plans",
    given({ steps: 4 }),
    TypeError,
    '"steps": unknown option of sample; expected one of plan, shape, noise, initial, seed, generator, stepNoise, guidanceScale, guidanceInterval, guidanceRescale, engine, condition, unconditional, signal, denoiser, onStep',
  ],
  ["no denoiser", given({ denoiser: undefined }), TypeError, '"denoiser": required'],
  ["denoiser null", given({ denoiser: null }), TypeError, '"denoiser": expected an object, got null'],
  [
    "a function for a denoiser",
    given({ denoiser: () => floats() }),
    TypeError,
    '"denoiser": expected an object, got a function',
  ],
  [
    "a denoiser without prediction",
    giving(undefined),
    TypeError,
    '"denoiser.prediction": expected one of "epsilon", "sample", "v_prediction", "score", "flow_prediction", or an object with skip and out, got undefined',
  ],
  [
    "an unknown prediction",
    giving("eps"),
    RangeError,
    '"denoiser.prediction": expected one of "epsilon", "sample", "v_prediction", "score", "flow_prediction", got "eps"',
  ],
  [
    "a prediction without out",
    giving({ skip: () => 1 }),
    TypeError,
    '"denoiser.prediction.out": expected a function of t, got undefined',
  ],
  [
    "a prediction whose in is a number",
    giving({ skip: () => 1, out: () => 1, in: 1 }),
    TypeError,
    '"denoiser.prediction.in": expected a function of t, got 1',
  ],
  [
    "a denoiser without predict",
    given({ denoiser: { prediction: "epsilon" } }),
    TypeError,
    '"denoiser.predict": expected a function, got undefined',
  ],
  [
    "a predictGuided that is no function",
    given({ denoiser: { ...denoiser, predictGuided: true } }),
    TypeError,
    '"denoiser.predictGuided": expected a function, got true',
  ],
  [
    "onStep that is no function",
    given({ onStep: [] }),
    TypeError,
    '"onStep": expected a function, got an array of length 0',
  ],
];

/** What `sample` and `sampleSteps` reject with. */
async function rejections(options: Options): Promise<unknown[]> {
  const all = [() => sample(options), () => sampleSteps(options).next()].map((run) =>
    run().then(
      () => expect.fail("it resolved"),
      (error: unknown) => error,
    ),
  );
  return Promise.all(all);
}

describe("a run refuses, however it is driven,", () => {
  it.each(everywhere)("%s", async (...row) => {
    const options = row[1];
    const before = snapshot(options);
    const { denoiser, ...rest } = options;
    const errors = await rejections(options);
    for (const error of errors) expectError(error, row);
    expectError(
      thrown(() => startSampling({ ...rest, prediction: denoiser.prediction })),
      row,
    );
    expect(calls).toEqual([]);
    expect(snapshot(options)).toEqual(before);
  });
});

describe("sample and sampleSteps refuse", () => {
  it.each(denoisers)("%s", async (...row) => {
    const before = snapshot(row[1]);
    for (const error of await rejections(row[1])) expectError(error, row);
    expect(calls).toEqual([]);
    expect(snapshot(row[1])).toEqual(before);
  });
});

type Start = Parameters<typeof startSampling>[0];
const start = (part: object): Start => wrong({ plan, shape, seed: 0, prediction: "epsilon", ...part });
const starts: Row<Start>[] = [
  ["no options of a start", wrong(undefined), TypeError, '"startSampling": expected an object, got undefined'],
  ["no prediction", start({ prediction: undefined }), TypeError, '"prediction": required'],
  [
    "prediction null",
    start({ prediction: null }),
    TypeError,
    '"prediction": expected one of "epsilon", "sample", "v_prediction", "score", "flow_prediction", or an object with skip and out, got null',
  ],
  [
    "an unknown prediction of a start",
    start({ prediction: "noise" }),
    RangeError,
    '"prediction": expected one of "epsilon", "sample", "v_prediction", "score", "flow_prediction", got "noise"',
  ],
  [
    "a denoiser",
    start({ denoiser }),
    TypeError,
    '"denoiser": unknown option of startSampling; expected one of plan, shape, noise, initial, seed, generator, stepNoise, guidanceScale, guidanceInterval, guidanceRescale, engine, condition, unconditional, signal, prediction',
  ],
  [
    "onStep",
    start({ onStep() {} }),
    TypeError,
    '"onStep": unknown option of startSampling; expected one of plan, shape, noise, initial, seed, generator, stepNoise, guidanceScale, guidanceInterval, guidanceRescale, engine, condition, unconditional, signal, prediction',
  ],
];

describe("startSampling refuses", () => {
  it.each(starts)("%s", (...row) => {
    expectError(
      thrown(() => startSampling(row[1])),
      row,
    );
  });
});

/** A denoiser that gives `output`, and a guided one that gives a pair. */
const answering = (output: unknown): Options => given({ denoiser: { prediction: "epsilon", predict: () => output } });
const pairing = (pair: unknown): Options =>
  given({
    guidanceScale: 2,
    unconditional: -1,
    denoiser: { prediction: "epsilon", predict: () => floats(), predictGuided: async () => pair },
  });

const outputs: Row<Options>[] = [
  [
    "nothing",
    answering(undefined),
    TypeError,
    '"denoiser.predict": expected a Float32Array of length 6, got undefined',
  ],
  ["null", answering(null), TypeError, '"denoiser.predict": expected a Float32Array of length 6, got null'],
  [
    "a list",
    answering([0, 0, 0, 0, 0, 0]),
    TypeError,
    '"denoiser.predict": expected a Float32Array of length 6, got an array of length 6',
  ],
  [
    "doubles",
    answering(new Float64Array(6)),
    TypeError,
    '"denoiser.predict": expected a Float32Array of length 6, got Float64Array of length 6',
  ],
  [
    "a DataView",
    answering(new DataView(new ArrayBuffer(24))),
    TypeError,
    '"denoiser.predict": expected a Float32Array of length 6, got a DataView',
  ],
  [
    "a tensor object",
    answering({ data: floats(), dims: shape }),
    TypeError,
    '"denoiser.predict": expected a Float32Array of length 6, got an object',
  ],
  [
    "one item of the batch",
    answering(floats(3)),
    RangeError,
    '"denoiser.predict": expected a length of 6 for shape [2, 3], got 3',
  ],
  [
    "a promise of one item",
    answering(Promise.resolve(floats(3))),
    RangeError,
    '"denoiser.predict": expected a length of 6 for shape [2, 3], got 3',
  ],
  [
    "a pair where one was asked for",
    answering({ conditional: floats(), unconditional: floats() }),
    TypeError,
    '"denoiser.predict": expected a Float32Array of length 6, got an object',
  ],
  [
    "one array where a pair was asked for",
    pairing(floats()),
    TypeError,
    '"denoiser.predictGuided": expected an object, got Float32Array of length 6',
  ],
  [
    "nothing where a pair was asked for",
    pairing(undefined),
    TypeError,
    '"denoiser.predictGuided": expected an object, got undefined',
  ],
  [
    "a pair in a list",
    pairing([floats(), floats()]),
    TypeError,
    '"denoiser.predictGuided": expected an object, got an array of length 2',
  ],
  [
    "half a pair",
    pairing({ conditional: floats() }),
    TypeError,
    '"unconditional": expected a Float32Array of length 6, got undefined',
  ],
  [
    "a pair of which one is short",
    pairing({ conditional: floats(), unconditional: floats(3) }),
    RangeError,
    '"unconditional": expected a length of 6 for shape [2, 3], got 3',
  ],
  [
    "a DataView for half a pair, in two calls",
    given({
      guidanceScale: 2,
      unconditional: -1,
      denoiser: { prediction: "epsilon", predict: () => new DataView(new ArrayBuffer(24)) },
    }),
    TypeError,
    '"conditional": expected a Float32Array of length 6, got a DataView',
  ],
];

describe("a denoiser must not give", () => {
  it.each(outputs)("%s", async (...row) => {
    for (const error of await rejections(row[1])) expectError(error, row);
  });
});

const noises: Row<Options>[] = [
  [
    "nothing from stepNoise",
    given({ plan: drawing, stepNoise: () => undefined }),
    TypeError,
    '"stepNoise(1)": expected a Float32Array of length 6, got undefined',
  ],
  [
    "null from stepNoise",
    given({ plan: drawing, stepNoise: () => null }),
    TypeError,
    '"stepNoise(1)": expected a Float32Array of length 6, got null',
  ],
  [
    "another length from stepNoise",
    given({ plan: drawing, stepNoise: () => floats(3) }),
    RangeError,
    '"stepNoise(1)": expected a length of 6 for shape [2, 3], got 3',
  ],
  [
    "doubles from stepNoise, without a seed",
    seedless({ plan: drawing, noise: floats(), stepNoise: () => new Float64Array(6) }),
    TypeError,
    '"stepNoise(1)": expected a Float32Array of length 6, got Float64Array of length 6',
  ],
];

describe("a run must not get", () => {
  it.each(noises)("%s", async (...row) => {
    for (const error of await rejections(row[1])) expectError(error, row);
  });
});

it("what the denoiser, stepNoise and onStep throw comes out as it is", async () => {
  const error = new Error("the network is on fire");
  const fail = () => {
    throw error;
  };
  const failing: Options[] = [
    given({ denoiser: { prediction: "epsilon", predict: fail } }),
    given({ denoiser: { prediction: "epsilon", predict: async () => fail() } }),
    given({ plan: drawing, stepNoise: fail }),
    given({ onStep: fail, denoiser: { prediction: "epsilon", predict: () => floats() } }),
  ];
  for (const options of failing) await expect(sample(options)).rejects.toBe(error);
});

it("a label without a component is refused at the first call", async () => {
  const mixture = mixtureDenoiser({ schedule, means: [[0, 0, 0]], std: [1], weights: [1] });
  const run = sample({ plan, denoiser: mixture, shape, seed: 0, condition: [0, 3] });
  await expect(run).rejects.toThrow(new RangeError('"condition[1]": expected -1 or one of the labels 0, got 3'));
});

it("an array of another realm is as good as one of this", async () => {
  const { runInNewContext } = await import("node:vm");
  const foreign = runInNewContext("new Float32Array([1, 2, 3, 4, 5, 6])") as Float32Array;
  expect(foreign instanceof Float32Array).toBe(false);
  const network: Denoiser = { prediction: "sample", predict: () => runInNewContext("new Float32Array(6).fill(0.5)") };
  const { data } = await sample({
    plan: createPlan({ schedule: edm({ sigmaMin: 0 }), steps: 2 }),
    denoiser: network,
    shape,
    noise: foreign,
  });
  expect(data).toEqual(floats().fill(0.5));
});
