// What every runtime does with the installed package. Solvers, generators and compensation run on the exact denoiser of a mixture,
// whose arithmetic is the module's: their bits are the same everywhere. The network's are ONNX Runtime's: the caller compares them.
// The imports are handed in, because a worker of a page has no import map and an edge worker has files of its own.

/**
 * Returns the hash over the bits of all cases, the hash of each, and a sample of the bundled network.
 * @param library what `dc-solver` and `dc-solver/diffusers` export, together
 * @param network `{ loadModel, ort, folder }`; nothing where ONNX Runtime cannot start
 */
export async function scenario(library, network) {
  const cases = [];
  for await (const [name, value] of solverCases(library)) cases.push([name, await sha256(bits(value))]);
  for await (const [name, value] of otherCases(library)) cases.push([name, await sha256(bits(value))]);
  for await (const [name, value] of schedulerCases(library)) cases.push([name, await sha256(bits(value))]);
  const hash = await sha256(bits(cases));
  return { hash, cases, network: network === undefined ? undefined : await sampleNetwork(network) };
}

async function sampleNetwork({ loadModel, ort, folder }) {
  const model = await loadModel({ ort, folder });
  const { data } = await model.sample({ steps: 5, guidanceScale: 7.5, condition: [3, 1, 4], seed: 0 });
  await model.dispose();
  return Array.from(data);
}

function bits(value) {
  if (!ArrayBuffer.isView(value)) return new TextEncoder().encode(JSON.stringify(value));
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns the message with which `action` refuses: the public surface lists solvers, options and spacings in messages alone. */
function refusal(action) {
  try {
    action();
  } catch (error) {
    return error.message;
  }
  throw new Error("expected a refusal");
}

const quoted = (text) => [...text.matchAll(/"([^"]+)"/g)].map((match) => match[1]);
/** Returns the names in `"key": expected one of "a", "b", got …`. */
function listed(message) {
  const names = quoted(message.slice(message.indexOf("one of"), message.lastIndexOf(", got")));
  if (names.length === 0) throw new Error(`expected names in: ${message}`);
  return names;
}

const batch = 2;
// 2 × 15 numbers: vectors of four and a tail.
const shape = [batch, 3, 5];
const length = 15;

// Numbers that need no function of the engine's.
const wave = (i, k) => (((i * 7 + k * 5) % 11) - 5) / 4;
const mixture = (library, schedule, size = length, prediction = "epsilon") =>
  library.mixtureDenoiser({
    schedule,
    means: [0, 1, 2].map((k) => Array.from({ length: size }, (_, i) => wave(i, k))),
    std: [0.25, 0.5, 0.125],
    weights: [0.5, 0.25, 0.25],
    prediction,
  });

const guidance = {
  "guidance 1": {},
  "guidance 3.5": { guidanceScale: 3.5, condition: [0, 2], unconditional: [-1, -1] },
};

/** Returns the values of one option to try, from what its check says; none for a kind that is not known here: its default it is. */
function valuesOf(message) {
  const expected = message.slice(message.indexOf("expected ") + 9, message.lastIndexOf(", got"));
  const [low, high] = (expected.match(/\d+/g) ?? []).map(Number);
  if (expected.startsWith("one of")) return quoted(expected);
  if (expected === "true or false") return [true, false];
  if (expected.startsWith("an array of numbers")) return [[], [1]];
  if (expected.startsWith("a number from")) return [low, (low + high) / 2, high];
  if (expected.startsWith("an integer from"))
    return Array.from({ length: Math.min(high, 4) - low + 1 }, (_, i) => low + i);
  if (expected.startsWith("an integer ≥")) return [low, low + 1, low + 2, low + 3];
  return [undefined];
}

/** Returns every combination of the values of an object of lists. */
function product(lists) {
  let rows = [{}];
  for (const [name, values] of Object.entries(lists)) {
    rows = rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value })));
  }
  return rows;
}

/** Churn, of the solvers that have it. */
const churns = (solver) =>
  solver === "euler" || solver === "flow_heun" ? [{ churn: { amount: 2, from: 0.1, to: 5, noise: 1.0078125 } }] : [];

/** Every solver that the package has, in every combination of its options. */
async function* solverCases(library) {
  const { createPlan, vpLinear, sample } = library;
  const schedule = vpLinear();
  const solvers = listed(refusal(() => createPlan({ schedule, steps: 1, solver: "?" })));
  const known = ["schedule", "steps", "spacing", "grid", "integerTimesteps", "solver"];
  known.push("thresholding", "noiseScale", "ratios", "dcOrder");
  const steps = 6;
  const ratios = [1, 1, 0.875, 1.125, 0.75, 1.25];
  const denoiser = mixture(library, schedule);
  for (const solver of solvers) {
    const message = refusal(() => createPlan({ schedule, steps, solver, "?": 0 }));
    const names = message
      .slice(message.lastIndexOf("one of ") + 7)
      .split(", ")
      .filter((name) => !known.includes(name));
    const lists = names.map((name) => [
      name,
      // A function is of the wrong kind for every option.
      valuesOf(refusal(() => createPlan({ schedule, steps, solver, [name]: () => 0 }))),
    ]);
    // Solvers that keep no history of outputs, some of them in some settings, take no ratios.
    const planOf = (row) => {
      try {
        return createPlan({ schedule, steps, solver, spacing: "logSNR", ...row });
      } catch (error) {
        if (row.ratios === undefined) throw error;
        return undefined;
      }
    };
    const options = [
      ...product(Object.fromEntries(lists)).flatMap((row) => [row, { ...row, ratios }]),
      ...product({ predict: ["sample", "epsilon"], ratios: [undefined, ratios], dcOrder: [1, 2, 3] }).map(
        ({ dcOrder, ...row }) => ({ ...row, dcOrder, ...(row.ratios && { ratios: [1, 1, 1, ...ratios.slice(3)] }) }),
      ),
      ...product({ predict: ["sample", "epsilon"], ratios: [undefined, ratios] }).map((row) => ({
        ...row,
        thresholding: { ratio: 0.9, maxValue: 0.5 },
      })),
      { thresholding: { ratio: 0.9, maxValue: 0.5, limit: 0.6 } },
      { noiseScale: 0.75 },
      ...churns(solver),
    ];
    for (const row of options) {
      const plan = planOf(row);
      if (plan === undefined) continue;
      for (const [kind, guided] of Object.entries(guidance)) {
        const { data } = await sample({ plan, denoiser, shape, seed: 7, ...guided });
        yield [`${solver} ${JSON.stringify(row)} ${kind}`, data];
      }
    }
  }
}

/** Returns one or more of every schedule; the ends of each have a finite lambda, so that every spacing can place its times. */
function schedules({ vpDiscrete, vpLinear, vpCosine, edm, flow }) {
  return {
    "vp-discrete linear": vpDiscrete(),
    "vp-discrete scaled_linear": vpDiscrete({ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 }),
    "vp-discrete squaredcos_cap_v2": vpDiscrete({ betaSchedule: "squaredcos_cap_v2", trainSteps: 400 }),
    "vp-discrete betas": vpDiscrete({ betas: Array.from({ length: 50 }, (_, i) => (i + 1) / 200) }),
    "vp-linear": vpLinear(),
    "vp-cosine": vpCosine(),
    edm: edm(),
    "flow shift 1": flow({ tMin: 0.01, tMax: 0.99 }),
    "flow shift 3": flow({ tMin: 0.01, tMax: 0.99, shift: 3 }),
  };
}

async function* otherCases(library) {
  yield* scheduleCases(library);
  yield* predictionCases(library);
  yield* noiseCases(library);
  yield* runCases(library);
  yield* ratioCases(library);
}

async function* scheduleCases(library) {
  const { createPlan, sample, timeGrid, flow } = library;
  const spacings = listed(refusal(() => timeGrid(flow(), 4, "?")));
  for (const [kind, schedule] of Object.entries(schedules(library))) {
    const times = Array.from({ length: 33 }, (_, i) => schedule.tMin + ((schedule.tMax - schedule.tMin) * i) / 32);
    for (const name of ["alpha", "sigma", "lambda", "modelTime"]) {
      yield [`${kind} ${name}`, Float64Array.from(times, (t) => schedule[name](t))];
    }
    yield [`${kind} time`, Float64Array.from(times, (t) => schedule.time(schedule.lambda(t)))];
    for (const spacing of spacings) {
      yield [`${kind} ${spacing} grid`, timeGrid(schedule, 17, spacing)];
      const plan = createPlan({ schedule, steps: 5, spacing, order: 3 });
      const { data } = await sample({ plan, denoiser: mixture(library, schedule), shape, seed: 3 });
      yield [`${kind} ${spacing}`, data];
    }
  }
  // Its ends have no finite lambda: no signal at one, no noise at the other.
  const schedule = flow();
  const denoiser = mixture(library, schedule, length, "flow_prediction");
  const { data } = await sample({ plan: createPlan({ schedule, steps: 5 }), denoiser, shape, seed: 3 });
  yield ["flow from 1 to 0", data];
}

async function* predictionCases(library) {
  const { createPlan, sample, edm, edmPreconditioning } = library;
  const all = { ...schedules(library) };
  for (const kind of ["vp-linear", "edm", "flow shift 1"]) {
    const schedule = all[kind];
    for (const prediction of ["epsilon", "sample", "v_prediction", "score", "flow_prediction"]) {
      const plan = createPlan({ schedule, steps: 4 });
      const denoiser = mixture(library, schedule, length, prediction);
      for (const [name, guided] of Object.entries(guidance)) {
        const { data } = await sample({ plan, denoiser, shape, seed: 5, ...guided });
        yield [`${kind} ${prediction} ${name}`, data];
      }
    }
  }
  const prediction = edmPreconditioning();
  const schedule = edm();
  const plan = createPlan({ schedule, steps: 6, spacing: "karras" });
  const denoiser = { prediction, predict: ({ x }) => x.map((v) => Math.fround(v / 2)) };
  yield ["edm preconditioning", (await sample({ plan, denoiser, shape, seed: 5 })).data];
  yield ["edm preconditioning time", Float64Array.from([0.002, 1, 80], (t) => prediction.modelTime(t))];
}

async function* noiseCases({ gaussianNoise }) {
  const shapes = [
    [1, 1],
    [2, 15],
    [3, 16],
    [2, 3, 33, 31],
  ];
  for (const shape of shapes) {
    for (const generator of ["philox", "torch"]) {
      const lists = [0, 2 ** 53 - 1, Array.from({ length: shape[0] }, (_, i) => 1000 * i)];
      if (generator === "torch") lists.push(-1, 2n ** 64n - 5n);
      for (const seed of lists)
        yield [`${generator} ${typeof seed} ${seed} ${shape}`, gaussianNoise(seed, shape, generator)];
    }
  }
}

async function* runCases(library) {
  const { createPlan, planFromJSON, compensate, gaussianNoise, sample, sampleSteps, startSampling, vpLinear } = library;
  const schedule = vpLinear();
  // More than one block of the executor, and a tail.
  for (const shape of [
    [1, 1],
    [3, 4],
    [2, 1030],
    [2, 3, 37, 41],
  ]) {
    const size = shape.reduce((a, b) => a * b) / shape[0];
    const denoiser = mixture(library, schedule, size);
    for (const generator of ["philox", "torch"]) {
      for (const seed of [11, shape.slice(0, 1).flatMap((n) => Array.from({ length: n }, (_, i) => i + 5))]) {
        const run = (options) =>
          sample({ plan: createPlan({ schedule, ...options }), denoiser, shape, seed, generator });
        yield [`${shape} ${generator} ${seed} unipc`, (await run({ steps: 4, order: 3 })).data];
        yield [`${shape} ${generator} ${seed} eta 1`, (await run({ steps: 5, solver: "ddim", eta: 1 })).data];
      }
    }
  }
  const denoiser = mixture(library, schedule);
  const plan = compensate(createPlan({ schedule, steps: 5, order: 3, thresholding: {} }), [1, 1, 1.25, 0.75, 1.5]);
  const text = JSON.stringify(plan);
  yield ["plan as JSON", text];
  const again = planFromJSON(JSON.parse(text));
  yield ["plan from JSON", JSON.stringify(again)];
  const noise = gaussianNoise(1, shape);
  yield ["plan from JSON, sampled", (await sample({ plan: again, denoiser, shape, noise })).data];
  for await (const { step, x, denoised } of sampleSteps({ plan, denoiser, shape, initial: noise })) {
    yield [`step ${step}`, x];
    yield [`step ${step} denoised`, denoised];
  }
  const stochastic = createPlan({ schedule, steps: 4, solver: "ddim", eta: 0.5 });
  const stepNoise = (draw) => gaussianNoise(draw, shape);
  yield ["step noise handed in", (await sample({ plan: stochastic, denoiser, shape, noise, stepNoise })).data];
  const run = startSampling({ plan, prediction: "epsilon", shape, noise, ...guidance["guidance 3.5"] });
  while (run.requests.length > 0) run.answer(run.requests.map((request) => denoiser.predict(request)));
  yield ["turned inside out", run.result.data];
}

async function* ratioCases(library) {
  const { createPlan, searchRatios, ratioSearchFromJSON, fitRatioModel, predictRatios, ratioModelFromJSON } = library;
  const schedule = library.vpLinear();
  const denoiser = mixture(library, schedule);
  const searches = [];
  for (const options of [{ order: 2 }, { order: 3, corrector: false }, { solver: "ddim" }]) {
    for (const objective of ["corrected", "predicted"]) {
      const plan = createPlan({ schedule, steps: 5, ...options });
      const reference = { steps: 40 };
      const holdout = { seed: 9 };
      const given = { ...guidance["guidance 3.5"], reference, holdout, objective };
      const found = await searchRatios({ plan, denoiser, shape, seed: 4, ...given });
      yield [`search ${JSON.stringify(options)} ${objective}`, JSON.stringify(found)];
      if (options.order === 2) searches.push(ratioSearchFromJSON(JSON.parse(JSON.stringify(found))));
    }
  }
  const model = fitRatioModel(searches, { degrees: { step: 2, guidance: 0, steps: 0 } });
  yield ["ratio model", JSON.stringify(ratioModelFromJSON(JSON.parse(JSON.stringify(model))))];
  yield ["predicted ratios", predictRatios(model, { steps: 5, guidanceScale: 3.5 })];
  const observations = product({ steps: [4, 6, 8, 11], guidanceScale: [1, 3, 7.5, 9] }).map((o) => ({
    ...o,
    ratios: Array.from({ length: o.steps }, (_, k) => (k < 2 ? 1 : 1 + (k * o.guidanceScale) / (40 * o.steps))),
  }));
  const fitted = fitRatioModel(observations);
  yield ["fitted ratio model", JSON.stringify(fitted)];
  for (const steps of [4, 7, 11]) {
    yield [`ratios of ${steps} steps`, Float64Array.from(predictRatios(fitted, { steps, guidanceScale: 5 }))];
  }
  yield ["ratios of the published file", Float64Array.from(publishedRatios(library))];
}

/** Returns ratios of a model in NumPy's format, as the authors of DC-Solver publish theirs. */
function publishedRatios({ ratioModelFromNpy, predictRatios }) {
  const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (36,), }".padEnd(117).concat("\n");
  const bytes = new Uint8Array(10 + header.length + 36 * 8);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
  bytes.set(new TextEncoder().encode(header), 10);
  const view = new DataView(bytes.buffer, 10 + header.length);
  for (let i = 0; i < 36; i++) view.setFloat64(8 * i, wave(i, 3) / (i + 2), true);
  return predictRatios(ratioModelFromNpy(bytes), { steps: 9, guidanceScale: 4 });
}

/** Every scheduler class of diffusers: its timetable, and a run of its plan; the façade; torch's random numbers. */
async function* schedulerCases({ schedulerFromConfig, sample, torchGenerator, randnTensor }) {
  const unknown = refusal(() => schedulerFromConfig({ _class_name: "?" }));
  const classes = unknown.match(/\w+Scheduler\b/g);
  // A network whose arithmetic is one product, rounded once.
  const linear = (x) => x.map((v) => v * 0.25);
  for (const className of classes) {
    const scheduler = schedulerFromConfig({ _class_name: className });
    const { timesteps, sigmas = [], initNoiseSigma } = scheduler.timetable({ steps: 5 });
    yield [`${className} timetable`, Float64Array.from([...timesteps, ...sigmas, initNoiseSigma])];
    const plan = scheduler.plan({ steps: 5 });
    const denoiser = { prediction: scheduler.prediction, predict: ({ x }) => linear(x) };
    yield [`${className} plan`, (await sample({ plan, denoiser, shape, seed: 9 })).data];
    if (plan.draws > 0) continue;
    const run = scheduler.start({ steps: 5, shape });
    let x = Float32Array.from({ length: batch * length }, (_, i) => wave(i, 1));
    for (let i = 0; i < run.timesteps.length; i++) x = run.step(linear(run.scaleModelInput(x)), x).x;
    yield [`${className} start`, x];
  }
  for (const dtype of ["float32", "float16", "bfloat16"]) {
    yield [`torch ${dtype}`, randnTensor(shape, [torchGenerator(3), torchGenerator(4n)], dtype)];
    yield [`torch uniform ${dtype}`, torchGenerator(5).rand(shape, dtype)];
  }
}
