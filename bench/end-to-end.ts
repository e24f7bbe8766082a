// Which part of sampling is the solver's: the bundled digits on onnxruntime-web, time in the network against all the rest.
//   npm run bench:end-to-end -- [--repeats 15] [--json FILE]
import { join } from "node:path";
import * as ort from "onnxruntime-web";
import type { Denoiser } from "../src/index.ts";
import { sample } from "../src/index.ts";
import { loadModel, type OrtLike } from "../src/onnx/index.ts";
import { spread } from "./support/measure.ts";
import { digits, options, Report, range, root } from "./support/report.ts";

interface Clock {
  milliseconds: number;
}

/** Returns the denoiser with a clock that runs while it works. */
function timed<C>(denoiser: Denoiser<C>, clock: Clock): Denoiser<C> {
  async function measure<T>(call: () => T | Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await call();
    } finally {
      clock.milliseconds += performance.now() - started;
    }
  }
  const { predictGuided } = denoiser;
  return {
    prediction: denoiser.prediction,
    predict: (request) => measure(() => denoiser.predict(request)),
    ...(predictGuided && { predictGuided: (request) => measure(() => predictGuided.call(denoiser, request)) }),
  };
}

const { repeats, json } = options({ repeats: "15", json: "" });
const report = new Report("end-to-end", json);
const guidanceScale = 7.5;
// As the command line: threads bring nothing for a network this small.
ort.env.wasm.numThreads = 1;
const model = await loadModel({ ort: ort as unknown as OrtLike, folder: join(root, "models/digits") });
report.note(`models/digits on onnxruntime-web ${ort.env.versions.web}, 1 thread, guidance ${guidanceScale}`);

const cases = [
  { items: 10, steps: 5 },
  { items: 1, steps: 5 },
  { items: 1, steps: 50 },
];
const setups = cases.map(({ items, steps }) => {
  const plan = model.plan({ steps, guidanceScale });
  const condition = Array.from({ length: items }, (_, i) => i % 10);
  const unconditional = condition.map(() => -1);
  const shape = [items, ...model.shape];
  return { items, steps, plan, condition, unconditional, shape, network: [] as number[], rest: [] as number[] };
});
// The first round warms up and does not count; the cases take turns.
for (let repeat = -1; repeat < Number(repeats); repeat++) {
  for (const { plan, condition, unconditional, shape, network, rest } of setups) {
    const clock: Clock = { milliseconds: 0 };
    const denoiser = timed(model.denoiser, clock);
    const started = performance.now();
    await sample({ plan, denoiser, shape, seed: repeat + 1, condition, unconditional, guidanceScale });
    const all = performance.now() - started;
    if (repeat < 0) continue;
    network.push(clock.milliseconds);
    rest.push(all - clock.milliseconds);
  }
}
await model.dispose();

const rows = setups.map(({ items, steps, plan, network, rest }) => {
  const share = spread(rest.map((r, i) => (100 * r) / (r + (network[i] as number))));
  const [inNetwork, inSolver] = [spread(network), spread(rest)];
  const perStep = (1000 * inSolver.median) / steps;
  return {
    cells: [
      `${items} × ${steps} steps`,
      String(plan.nfe),
      range(inNetwork),
      range(inSolver),
      digits(perStep),
      range(share),
    ],
    numbers: {
      items,
      steps,
      nfe: plan.nfe,
      networkMilliseconds: inNetwork,
      solverMilliseconds: inSolver,
      percent: share,
    },
  };
});
const head = ["items", "model calls", "network, ms", "solver, ms", "solver, µs/step", "solver, % of the run"];
report.table("time of a sampling run; plans are made beforehand, noise is part of the solver", head, rows);
report.note("");
for (const { numbers } of rows) {
  const { items, steps, percent } = numbers;
  report.figure(`solver's share, ${items} items, ${steps} steps`, percent, "%", { atMost: 1 });
}
report.finish();
