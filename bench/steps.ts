// One whole step of UniPC-3 with dynamic compensation and guidance: everything between two model calls.
// Held against a copy of as many bytes, a fused loop in JavaScript and, where Python has them, diffusers' step() on torch with one
// thread (which neither guides nor compensates) and the same operations one by one in NumPy.
//   npm run bench:steps -- [--python python3] [--rounds 31] [--sizes 784,16384,3145728] [--json FILE]
import { join } from "node:path";
import { sample } from "../src/index.ts";
import { type Machine, wasmEngine } from "../src/wasm/engine.ts";
import { fusedLoop } from "./support/javascript.ts";
import { type Contender, calling, race, type Spread, speedup, spread } from "./support/measure.ts";
import { copy, difference } from "./support/memory.ts";
import { Python } from "./support/python.ts";
import { digits, grouped, options, Report, range, root } from "./support/report.ts";
import { bundleLibrary, firstPlan, moduleSize } from "./support/size.ts";
import { averaging, guidanceScale, middleSegment, type Segment, stepPlan } from "./support/step.ts";

/** Numbers in (1, 2), different in every slot. */
function content(slot: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => 1 + ((i * 7 + slot * 13) % 101) / 101);
}

function open(program: Segment["program"], length: number): Machine {
  const machine = wasmEngine.open(program, 1, length);
  for (let slot = 0; slot < program.slots; slot++) machine.write(slot, content(slot, length));
  return machine;
}

function loopOver(segment: Segment, program: Segment["program"], length: number) {
  const arrays = new Map(Array.from({ length: program.slots }, (_, slot) => [slot, content(slot, length)] as const));
  return { arrays, run: fusedLoop(segment.operations, program.coefficients, arrays) };
}

/** Throws unless the loop in JavaScript does the step: with the real coefficients, once. */
function compare(segment: Segment): void {
  const length = 4000;
  const machine = open(segment.program, length);
  const loop = loopOver(segment, segment.program, length);
  machine.exec(segment.instruction);
  loop.run();
  for (const slot of segment.written) {
    const apart = difference(machine.read(slot), loop.arrays.get(slot) as Float32Array);
    if (!(apart < 1e-5)) throw new Error(`slot ${slot}: the loop in JavaScript is off by ${apart}`);
  }
  machine.release();
}

/**
 * A whole run whose network answers at once; the time of one step. A run keeps the program that its plan was lowered to, except for a
 * prediction that is the network's own.
 */
function wholeRun(count: number, length: number, own = false): Contender {
  const plan = stepPlan(count);
  const { alpha, sigma } = plan.options.schedule;
  const epsilon = { skip: (t: number) => 1 / alpha(t), out: (t: number) => -sigma(t) / alpha(t) };
  const pair = { conditional: content(1, length), unconditional: content(2, length) };
  const denoiser = {
    prediction: own ? epsilon : ("epsilon" as const),
    predict: () => pair.conditional,
    predictGuided: async () => pair,
  };
  const shape = [1, length];
  const noise = content(3, length);
  return async (calls) => {
    const started = performance.now();
    for (let i = 0; i < calls; i++) {
      await sample({ plan, denoiser, shape, noise, guidanceScale, condition: 1, unconditional: 0 });
    }
    return ((performance.now() - started) * 1000) / calls / count;
  };
}

const {
  python: interpreter,
  rounds,
  sizes,
  json,
} = options({
  python: "python3",
  rounds: "31",
  sizes: "784,16384,3145728",
  json: "",
});
const report = new Report("steps", json);
const segment = middleSegment();
compare(segment);
const averages = averaging(segment);
const streams = segment.read.length + segment.written.length;
const terms = segment.operations.map((o) => o.terms.length);
report.note(
  `step: ${terms.length} operations of ${terms.join(", ")} terms; reads ${segment.read.length} tensors, writes ${segment.written.length}`,
);

const operations = segment.operations.map((o) => ({
  out: o.out,
  terms: o.terms.map((t) => [averages.coefficients[t.coefficient], t.from]),
}));
const python = await Python.start(interpreter, join(root, "bench/steps-diffusers.py"), operations);
const inPython: string[] = [];
if (typeof python === "string") {
  report.note(`diffusers and NumPy skipped: "${interpreter}" does not run (${python}); give --python PATH`);
} else {
  const { versions, missing, python: version } = python.hello;
  report.note(`Python ${version}: ${Object.values(versions).join("; ") || "nothing to compare with"}`);
  for (const [name, why] of Object.entries(missing)) report.note(`${name} skipped: ${why}; give --python PATH`);
  inPython.push(...Object.keys(versions));
}

const rows = [];
const medians = new Map<string, Spread>();
for (const n of sizes.split(",").map(Number)) {
  const machine = open(averages, n);
  const loop = loopOver(segment, averages, n);
  const bytes = 4 * n * streams;
  const contenders: Record<string, Contender> = {
    "fused step": calling(() => machine.exec(segment.instruction)),
    copy: calling(copy(bytes)),
    "JS loop": calling(loop.run),
    "whole run": wholeRun(20, n),
  };
  if (typeof python !== "string") for (const name of inPython) contenders[name] = python.contender(name, n);
  const enough = n > 1e6 ? Math.ceil(Number(rounds) / 3) : Number(rounds);
  const times = await race(contenders, { rounds: enough, turn: 2, warm: 200 });
  machine.release();
  const ours = times["fused step"] as number[];
  const run = times["whole run"] as number[];
  for (const [name, theirs] of Object.entries(times)) {
    const [time, ratio, runRatio] = [spread(theirs), speedup(theirs, ours), speedup(theirs, run)];
    medians.set(`${name} ${n}`, ratio);
    medians.set(`${name} ${n} run`, runRatio);
    const rate = name === "fused step" || name === "copy" ? digits(bytes / time.median / 1000) : "";
    rows.push({
      cells: [
        grouped(n),
        name,
        range(time),
        rate,
        name === "fused step" ? "" : range(ratio),
        name === "whole run" ? "" : range(runRatio),
      ],
      numbers: { floats: n, contender: name, microseconds: time, fusedStepFaster: ratio, wholeRunFaster: runRatio },
    });
  }
}
if (typeof python !== "string") python.stop();
report.table(
  "time of a step; the last two columns: how many times as fast the fused step, and a step of a whole run, are",
  ["floats", "what", "µs", "GB/s", "fused step", "whole run"],
  rows,
);

report.note("");
const figure = (key: string, what: string, unit: string, wanted: { atLeast?: number } = {}) => {
  const value = medians.get(key);
  if (value !== undefined) report.figure(what, value, unit, wanted);
};
figure("copy 3145728", "fused step at 3,145,728 floats", "of the speed of a copy", { atLeast: 0.9 });
figure("JS loop 16384", "fused step at 16,384 floats", "× a fused loop in JavaScript", { atLeast: 3 });
figure("diffusers 784", "fused step at 784 floats", "× diffusers' step()", { atLeast: 1 });
figure("diffusers 16384", "fused step at 16,384 floats", "× diffusers' step()", { atLeast: 30 });
figure("diffusers 3145728", "fused step at 3,145,728 floats", "× diffusers' step()", { atLeast: 1 });
figure("diffusers 784 run", "step of a whole run at 784 floats", "× diffusers' step()", { atLeast: 1 });
figure("diffusers 16384 run", "step of a whole run at 16,384 floats", "× diffusers' step()", { atLeast: 1 });
figure("diffusers 3145728 run", "step of a whole run at 3,145,728 floats", "× diffusers' step()", { atLeast: 1 });

// Short turns: on a machine that is not idle, long ones are all interrupted.
const effort = { rounds: 3 * Number(rounds), turn: 0.5, warm: 1000 };
const hosts = await race(
  { five: wholeRun(5, 784), twenty: wholeRun(20, 784), hundred: wholeRun(100, 784), lowered: wholeRun(20, 784, true) },
  effort,
);
report.figure("host time of a step at 784 floats, run of 20 steps", spread(hosts.twenty), "µs", { atMost: 15 });
report.figure("the same, run of 5 steps", spread(hosts.five), "µs");
report.figure("the same, run of 100 steps", spread(hosts.hundred), "µs");
report.figure("the same, run of 20 steps that lowers its plan first", spread(hosts.lowered), "µs");

const library = await bundleLibrary();
const starts = firstPlan(library.file, 25);
report.figure("from import to the first plan, fresh process", spread(starts.passed), "ms", { atMost: 40 });
report.figure("the same in processor time", spread(starts.used), "ms");
const module = moduleSize();
if (module === undefined) report.note("build/dc-solver.wasm is not there; run: npm run build");
else {
  report.figure("WebAssembly module", module.bytes, "bytes", { atMost: 60_000 });
  report.figure("its text in a bundle, hexadecimal, gzip", module.hex, "bytes");
  report.figure("the same as base64", module.base64, "bytes");
}
report.figure("dc-solver alone, one minified file, gzip", library.gzipped, "bytes", { atMost: 60_000 });
report.figure("the same, not compressed", library.bytes, "bytes");
report.finish();
