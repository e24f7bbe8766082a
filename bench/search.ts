// What a ratio search costs: its model calls beside those of the published search, on the published settings; and the time of one guided
// setting of the bundled digits. node bench/run.mjs search [--json FILE]
import { readFileSync } from "node:fs";
import { createPlan, mixtureDenoiser, ratioReference, searchRatios, vpDiscrete } from "../src/index.ts";
import { loadModel } from "../src/onnx/index.ts";
import { options, Report } from "./support/report.ts";

const report = new Report("search", options({ json: "" }).json);

interface Published {
  kind: string;
  schedule: string;
  variant: "bh1" | "bh2";
  prediction: "epsilon" | "sample";
  order: number;
  steps: number;
  cfg: number | null;
  dcOrder: number;
  x10: number[][];
  y10: number[];
}
const { mixture, cases } = JSON.parse(readFileSync("test/fixtures/dc-unipc.json", "utf8")) as {
  mixture: { means: number[][]; std: number[]; weights: number[]; labels: number[] };
  cases: Published[];
};

report.note(
  "the published search: 40 iterations for each of the steps − 3 corrected steps, a forward and a backward pass each, worth 3 forward passes",
);
const rows: { cells: string[]; numbers: object }[] = [];
let [ours, theirs] = [0, 0];
for (const c of cases.filter((c) => c.kind === "dc-search")) {
  const scaled = { betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 } as const;
  const schedule = vpDiscrete(c.schedule === "discrete-linear" ? {} : scaled);
  const { steps, order, variant, prediction: predict, dcOrder } = c;
  const { nfe } = await searchRatios<readonly number[]>({
    plan: createPlan({ schedule, steps, order, variant, predict, dcOrder }),
    denoiser: mixtureDenoiser({ schedule, ...mixture }),
    shape: [c.x10.length, c.x10[0]?.length as number],
    noise: Float32Array.from(c.x10.flat()),
    ...(c.cfg === null ? {} : { condition: c.y10, unconditional: c.y10.map(() => -1), guidanceScale: c.cfg }),
  });
  const published = (steps - 3) * 40 * 3;
  ours += nfe.search;
  theirs += published;
  rows.push({
    cells: [
      `${c.schedule}, guidance ${c.cfg ?? "none"}, ${steps} steps`,
      `${nfe.search}`,
      `${published}`,
      `${nfe.reference}`,
    ],
    numbers: { schedule: c.schedule, guidance: c.cfg, steps, search: nfe.search, published, reference: nfe.reference },
  });
}
report.table("model calls on the published settings", ["setting", "search", "published", "reference, for both"], rows);
const schedule = vpDiscrete();
const plans = [5, 6, 8, 10].map((steps) => createPlan({ schedule, steps, spacing: "logSNR" }));
const data = {
  denoiser: mixtureDenoiser({ schedule, ...mixture }),
  seed: 0,
  shape: [10, mixture.means[0]?.length as number],
};
const shared = await ratioReference<readonly number[]>({ plans, ...data });
let own = 0;
for (const plan of plans)
  own += (await searchRatios<readonly number[]>({ plan, ...data, reference: shared })).nfe.reference;
report.note(
  `\nreference of searches with ${plans.map((plan) => plan.steps.length).join(", ")} steps: ${shared.nfe} calls once, and ${own} in the searches that share it`,
);
report.figure("published model calls for one of ours, summed", theirs / ours, "×", { atLeast: 10 });

const ort = (await import("onnxruntime-web")) as unknown as Parameters<typeof loadModel>[0]["ort"];
const model = await loadModel({ ort, folder: "models/digits" });
const labels = Array.from({ length: 10 }, (_, i) => i);
const start = performance.now();
const { nfe } = await searchRatios({
  plan: model.plan({ steps: 5, ratios: "off" }),
  denoiser: model.denoiser,
  shape: [labels.length, ...model.shape],
  seed: labels,
  condition: labels,
  unconditional: labels.map(() => -1),
  guidanceScale: 7.5,
});
const seconds = (performance.now() - start) / 1000;
report.note(
  `\ndigits, guidance 7.5, 5 steps, 10 samples: ${nfe.reference} calls for the reference, ${nfe.search} for the search`,
);
report.figure("time of that search, reference included", seconds, "s", { atMost: 120 });
await model.dispose();
report.finish();
