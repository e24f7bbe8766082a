// What every runtime measures with the installed package. The entries hand in what differs: how a module or a file is reached.

const length = 16_384;
const stepLength = 784;
const steps = 20;
/** As the engine's, in src/wasm/engine.ts. */
const [block, stagger] = [1024, 320];

/**
 * Returns the figures of one process: times in microseconds or milliseconds as they are named, what cannot be had as undefined.
 * @param load imports the library; nothing may have done so before
 * @param module returns the package's dc-solver.wasm, compiled
 * @param network returns `{ loadModel, ort, folder }`
 * @param memory returns the bytes that the runtime says it holds; nothing where it does not say
 */
export async function measure({ load, module, network, memory }) {
  const started = performance.now();
  const library = await load();
  library.createPlan({ schedule: library.vpDiscrete(), steps: 5 });
  const importMilliseconds = performance.now() - started;
  const memoryAtStart = memory?.();
  const clock = clockResolution();
  const kernelMicroseconds = await kernel(await module(), clock);
  const stepMicroseconds = await hostStep(library, clock);
  const { runMilliseconds, solverShare } = await digits(library, await network(), clock);
  return {
    clockMilliseconds: clock,
    importMilliseconds,
    kernelMicroseconds,
    stepMicroseconds,
    runMilliseconds,
    solverShare,
    memoryAtStart,
    memoryAtEnd: memory?.(),
  };
}

/** Returns the smallest step of the clock in milliseconds; infinite where it stands still while code runs. */
function clockResolution() {
  let least = Number.POSITIVE_INFINITY;
  let last = performance.now();
  for (let i = 0, ticks = 0; i < 5e6 && ticks < 20; i++) {
    const now = performance.now();
    if (now === last) continue;
    least = Math.min(least, now - last);
    last = now;
    ticks++;
  }
  return least;
}

/**
 * Returns the microseconds of one call in each of several turns; none if the clock stands still. A turn is as short as the clock
 * allows, to 1 %: on a machine that others use too, long ones are all interrupted.
 * @param work does its work as often as it is told
 */
async function turnsOf(work, clock, warm) {
  if (!Number.isFinite(clock)) return [];
  const turn = Math.max(2, 100 * clock);
  let calls = 1;
  for (let spent = 0; ; ) {
    const started = performance.now();
    await work(calls);
    const milliseconds = performance.now() - started;
    spent += milliseconds;
    if (milliseconds < turn)
      calls = Math.ceil(calls * Math.min(8, Math.max(1.2, (1.2 * turn) / (milliseconds || 0.01))));
    else if (spent >= warm) break;
    // What was slow before it was compiled would have long turns ever after.
    else calls = Math.max(1, Math.ceil((calls * 1.2 * turn) / milliseconds));
  }
  const times = [];
  const begun = performance.now();
  while (times.length < 9 || (times.length < 41 && performance.now() - begun < 300)) {
    const started = performance.now();
    await work(calls);
    times.push(((performance.now() - started) * 1000) / calls);
  }
  return times;
}

function median(values) {
  if (values.length === 0) return undefined;
  const sorted = values.slice().sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

const wave = (size, k) => Float32Array.from({ length: size }, (_, i) => (((i * 7 + k * 5) % 11) - 5) / 4);

/** Returns the time of out = Σ c·x with four terms, in an instance of its own. */
async function kernel(module, clock) {
  const { memory, heapBase, exec } = new WebAssembly.Instance(module, {}).exports;
  const program = (heapBase() + 15) & ~15;
  const address = (buffer) => program + 64 + buffer * (4 * length + stagger);
  memory.grow(Math.ceil(address(5) / 65_536));
  const words = new Uint32Array(memory.buffer, program, 11);
  const floats = new Float32Array(memory.buffer, program, 11);
  words.set([1, address(0), 4]);
  for (let k = 0; k < 4; k++) {
    floats[3 + 2 * k] = [0.5, -0.25, 0.75, -0.125][k];
    words[4 + 2 * k] = address(k + 1);
    new Float32Array(memory.buffer, address(k + 1), length).set(wave(length, k));
  }
  const work = (calls) => {
    for (let i = 0; i < calls; i++) exec(program, length, block);
  };
  return median(await turnsOf(work, clock, 150));
}

/** Returns the time of one step of a run whose network answers at once. */
async function hostStep({ createPlan, vpDiscrete, sample }, clock) {
  const plan = createPlan({ schedule: vpDiscrete(), steps, solver: "unipc", order: 2 });
  const answer = wave(stepLength, 1);
  const denoiser = { prediction: "epsilon", predict: () => answer };
  const noise = wave(stepLength, 2);
  const work = async (calls) => {
    for (let i = 0; i < calls; i++) await sample({ plan, denoiser, shape: [1, stepLength], noise });
  };
  const time = median(await turnsOf(work, clock, 300));
  return time === undefined ? undefined : time / steps;
}

/** Returns the time of sampling one digit with the bundled network, and the part of it that is not the network's. */
async function digits({ sample }, { loadModel, ort, folder }, clock) {
  ort.env.wasm.numThreads = 1;
  const model = await loadModel({ ort, folder });
  const { denoiser, shape } = model;
  const guidanceScale = 7.5;
  const plan = model.plan({ steps: 5, guidanceScale });
  const given = { plan, shape: [1, ...shape], seed: 1, condition: [3], unconditional: [-1], guidanceScale };
  let [inNetwork, inAll] = [0, 0];
  const timed = {
    prediction: denoiser.prediction,
    predict: (request) => denoiser.predict(request),
    async predictGuided(request) {
      const started = performance.now();
      const pair = await denoiser.predictGuided(request);
      inNetwork += performance.now() - started;
      return pair;
    },
  };
  const runs = async (calls) => {
    const started = performance.now();
    for (let i = 0; i < calls; i++) await sample({ ...given, denoiser: timed });
    inAll += performance.now() - started;
  };
  await runs(5);
  [inNetwork, inAll] = [0, 0];
  const time = median(await turnsOf(runs, clock, 250));
  await model.dispose();
  if (time === undefined) return {};
  // Sums even out a clock that ticks about as often as the solver has its turn, not one that is coarser. The same run with prepared
  // answers is no way around: warm from end to end, it takes a tenth of the time.
  const solverShare = clock > 0.2 ? undefined : (100 * (inAll - inNetwork)) / inAll;
  return { runMilliseconds: time / 1000, solverShare };
}
