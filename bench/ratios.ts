// Makes models/digits/ratios again: searches, judges them on seeds they have not seen, keeps those that help, fits ratio models to them.
// node bench/run.mjs ratios [--ort MODULE --provider cpu] [--orders 3,2] [--stage search,judge,model,write] [--finished]
// Seeds: search 0–39, selection 1000–1099, test 2000–2199; labels go round the classes. Every finished cell is kept in build/ratios,
// so the work can be interrupted; a cell of another network or another rule is to be removed by hand. --finished takes only those.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mean, ratioEstimate, squaredErrors } from "../src/cli/compare/statistics.ts";
import { fitRatioModel, predictRatios } from "../src/compensation/cpr.ts";
import { type RatioSearch, ratioSearchFromJSON } from "../src/compensation/search-json.ts";
import { settingsOf } from "../src/compensation/settings.ts";
import { compensate, createPlan, type Plan, sample, searchRatios } from "../src/index.ts";
import { loadModel } from "../src/onnx/index.ts";

const { values } = parseArgs({
  options: {
    ort: { type: "string", default: "onnxruntime-web" },
    provider: { type: "string", default: "wasm" },
    orders: { type: "string", default: "3,2" },
    stage: { type: "string", default: "search,judge,model,write" },
    finished: { type: "boolean", default: false },
  },
});
const orders = values.orders.split(",").map(Number);
const stages = values.stage.split(",");
const guidances = [1, 3, 4.5, 6, 7.5, 9];
const stepCounts = [5, 6, 7, 8, 10];
// Settings that no model is fitted on.
const freshGuidances = [2, 5, 8];
const freshSteps = [5, 6, 7, 8, 9, 10];
const points = 40;
const selection = { first: 1000, count: 100 };
const test = { first: 2000, count: 200 };
// What the pictures are judged against: bench/quality prints how far it is from a finer one.
const fine = { solver: "unipc", order: 3, steps: 40, spacing: "logSNR" } as const;
// What the searches compare with on their way, through the times of the plan.
const reference = { solver: "unipc", order: 3, steps: 60 } as const;
const digits = 5;

const cache = "build/ratios";
mkdirSync(cache, { recursive: true });
const imported = (await import(values.ort)) as Record<string, unknown>;
const ort = (imported.InferenceSession === undefined ? imported.default : imported) as Parameters<
  typeof loadModel
>[0]["ort"];
const model = await loadModel({ ort, folder: withoutRatios, executionProviders: [values.provider] });

/** Reads the model without the ratios that are there from the last time. */
async function withoutRatios(path: string): Promise<Uint8Array> {
  if (path.startsWith("ratios/"))
    return new TextEncoder().encode('{"kind":"dc-solver/ratio-index","version":1,"files":[]}');
  return readFileSync(join("models/digits", path));
}

interface Seeds {
  readonly first: number;
  readonly count: number;
}

function problem({ first, count }: Seeds, guidanceScale: number) {
  const labels = Array.from({ length: count }, (_, i) => i % 10);
  return {
    denoiser: model.denoiser,
    shape: [count, ...model.shape],
    seed: labels.map((_, i) => first + i),
    condition: labels,
    ...(guidanceScale === 1 ? {} : { unconditional: labels.map(() => -1), guidanceScale }),
  };
}

const planOf = (order: number, steps: number) => createPlan({ schedule: model.schedule, steps, order });

/** Returns what `make` gives, from the cache if it is there. */
async function cached<T>(name: string, make: () => Promise<T>): Promise<T> {
  const path = join(cache, `${name}.json`);
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as T;
  const start = performance.now();
  const value = await make();
  writeFileSync(path, JSON.stringify(value));
  console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
  return value;
}

/** Final pictures in parts of 50: a batch of all would not fit the caches. */
async function pictures(plan: Plan, seeds: Seeds, guidanceScale: number): Promise<Float32Array> {
  const part = 50;
  const length = model.shape.reduce((a, b) => a * b, 1);
  const all = new Float32Array(seeds.count * length);
  for (let i = 0; i < seeds.count; i += part) {
    const some = { first: seeds.first + i, count: Math.min(part, seeds.count - i) };
    all.set((await sample({ ...problem(some, guidanceScale), plan })).data, i * length);
  }
  return all;
}

async function truth(seeds: Seeds, guidanceScale: number): Promise<Float32Array> {
  const path = join(cache, `truth-${seeds.first}-${seeds.count}-g${guidanceScale}.f32`);
  if (!existsSync(path)) {
    const data = await pictures(createPlan({ schedule: model.schedule, ...fine }), seeds, guidanceScale);
    writeFileSync(path, new Uint8Array(data.buffer));
    console.log(path);
  }
  return new Float32Array(new Uint8Array(readFileSync(path)).buffer);
}

/** Errors of each seed's picture, in `digits` significant figures. */
async function errors(plan: Plan, seeds: Seeds, guidanceScale: number): Promise<number[]> {
  const reference = await truth(seeds, guidanceScale);
  const found = squaredErrors(await pictures(plan, seeds, guidanceScale), reference, seeds.count);
  return found.map((e) => Number(e.toPrecision(digits)));
}

interface Judged {
  with: number[];
  without: number[];
}

async function judge(
  name: string,
  order: number,
  steps: number,
  guidance: number,
  ratios: readonly number[],
  seeds: Seeds,
) {
  const without = await cached(`without-o${order}-g${guidance}-n${steps}-${seeds.first}`, () =>
    errors(planOf(order, steps), seeds, guidance),
  );
  const judged: Judged = {
    without,
    with: await cached(`with-${name}-${seeds.first}`, () =>
      errors(compensate(planOf(order, steps), ratios), seeds, guidance),
    ),
  };
  return judged;
}

const summary = ({ with: w, without }: Judged) => {
  const { value, low, high } = ratioEstimate(w, without);
  const figures = { mseWith: mean(w), mseWithout: mean(without), ratio: value, low, high };
  return Object.fromEntries(
    Object.entries(figures).map(([k, v]) => [k, Number(v.toPrecision(digits))]),
  ) as typeof figures;
};
const show = (s: ReturnType<typeof summary>) => `${s.ratio.toFixed(3)} [${s.low.toFixed(3)}, ${s.high.toFixed(3)}]`;

const nameOf = (order: number, guidance: number, steps: number) => `unipc${order}-g${guidance}-n${steps}`;

async function search(order: number, guidance: number, steps: number): Promise<unknown> {
  return cached(`search-${nameOf(order, guidance, steps)}`, async () => {
    const seeds = { first: 0, count: points };
    const found = await searchRatios({ ...problem(seeds, guidance), plan: planOf(order, steps), reference });
    const json = found.toJSON() as { settings: object };
    return { ...json, settings: { ...json.settings, model: model.hash() } };
  });
}

/** Whether a setting is in the cache as far as selection goes. */
function isJudged(order: number, guidance: number, steps: number): boolean {
  const name = nameOf(order, guidance, steps);
  const parts = [
    `search-${name}`,
    `with-${name}-${selection.first}`,
    `without-o${order}-g${guidance}-n${steps}-${selection.first}`,
  ];
  return parts.every((part) => existsSync(join(cache, `${part}.json`)));
}

interface Row {
  name: string;
  order: number;
  guidance: number;
  steps: number;
  selection: ReturnType<typeof summary>;
  test?: ReturnType<typeof summary>;
  errors?: { selection: Judged; test?: Judged };
}

const results: { searches: Row[]; models: (Row & { fresh: true })[] } = { searches: [], models: [] };
const shipped: { file: string; json: unknown }[] = [];

for (const order of orders) {
  const searches: RatioSearch[] = [];
  for (const guidance of guidances) {
    for (const steps of stepCounts) {
      if (values.finished && !isJudged(order, guidance, steps)) continue;
      const json = (await search(order, guidance, steps)) as object;
      const found = ratioSearchFromJSON(json);
      searches.push(found);
      if (!stages.includes("judge")) continue;
      const name = nameOf(order, guidance, steps);
      const judged = await judge(name, order, steps, guidance, found.ratios, selection);
      const row: Row = { name, order, guidance, steps, selection: summary(judged), errors: { selection: judged } };
      const ships = row.selection.high < 1;
      if (ships) {
        const tested = await judge(name, order, steps, guidance, found.ratios, test);
        row.test = summary(tested);
        row.errors = { selection: judged, test: tested };
        const judgement = {
          selection: row.selection,
          test: row.test,
          seeds: { points, selection, test },
          reference: fine,
        };
        shipped.push({ file: `${name}.json`, json: { ...json, judged: judgement } });
      }
      results.searches.push(row);
      console.log(
        `${name}: selection ${show(row.selection)}${row.test ? `, test ${show(row.test)}` : ", not shipped"}`,
      );
    }
  }
  if (!stages.includes("model")) continue;
  await modelOf(order, searches);
}

/** Fits a ratio model to the searches of one order and keeps it where it helps at settings it has not seen. */
async function modelOf(order: number, searches: readonly RatioSearch[]): Promise<void> {
  const fitted = fitRatioModel(searches);
  const held: { guidance: number; steps: number; ok: boolean }[] = [];
  for (const guidance of freshGuidances) {
    for (const steps of freshSteps) {
      if (!inside(fitted.range, { guidance, steps })) continue;
      const name = `model-${nameOf(order, guidance, steps)}`;
      const judged = await judge(
        name,
        order,
        steps,
        guidance,
        predictRatios(fitted, { steps, guidanceScale: guidance }),
        selection,
      );
      const row: Row & { fresh: true } = {
        name,
        order,
        guidance,
        steps,
        selection: summary(judged),
        errors: { selection: judged },
        fresh: true,
      };
      held.push({ guidance, steps, ok: row.selection.high < 1 });
      results.models.push(row);
      console.log(`${name}: selection ${show(row.selection)}`);
    }
  }
  const range = largestRange(held);
  if (range === undefined) {
    console.log(`no ratio model for order ${order}: it does not help in any rectangle of fresh settings`);
    return;
  }
  for (const row of results.models.filter((r) => r.order === order)) {
    if (!inside(range, row)) continue;
    const ratios = predictRatios(fitted, { steps: row.steps, guidanceScale: row.guidance });
    const tested = await judge(row.name, order, row.steps, row.guidance, ratios, test);
    row.test = summary(tested);
    row.errors = { selection: row.errors?.selection as Judged, test: tested };
    console.log(`${row.name}: test ${show(row.test)}`);
  }
  const settings = { ...settingsOf(planOf(order, 5)), model: model.hash() };
  shipped.push({ file: `unipc${order}-model.json`, json: { ...(fitted.toJSON() as object), range, settings } });
}

interface Range {
  steps: [number, number];
  guidanceScale: [number, number];
}

function inside({ steps, guidanceScale }: Range, row: { steps: number; guidance: number }): boolean {
  return (
    row.steps >= steps[0] &&
    row.steps <= steps[1] &&
    row.guidance >= guidanceScale[0] &&
    row.guidance <= guidanceScale[1]
  );
}

/** Returns the rectangle of settings with the most cells all of which hold, its ends seen; at least two step counts. */
function largestRange(held: readonly { guidance: number; steps: number; ok: boolean }[]): Range | undefined {
  let best: Range | undefined;
  let most = 0;
  for (const low of freshGuidances) {
    for (const high of freshGuidances) {
      for (const from of freshSteps) {
        for (const to of freshSteps) {
          if (high < low || to <= from) continue;
          const range: Range = { steps: [from, to], guidanceScale: [low, high] };
          const cells = held.filter((cell) => inside(range, cell));
          const seen = [low, high].every((end) => cells.some((cell) => cell.guidance === end));
          if (seen && cells.length > most && cells.every((cell) => cell.ok)) [best, most] = [range, cells.length];
        }
      }
    }
  }
  return best;
}

if (stages.includes("write")) {
  const folder = "models/digits/ratios";
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { file, json } of shipped) writeFileSync(join(folder, file), `${JSON.stringify(json)}\n`);
  const index = { kind: "dc-solver/ratio-index", version: 1, files: shipped.map((s) => s.file) };
  writeFileSync(join(folder, "index.json"), `${JSON.stringify(index, null, 2)}\n`);
  mkdirSync("bench/results", { recursive: true });
  const about = {
    date: new Date().toISOString().slice(0, 10),
    points,
    selection,
    test,
    reference: fine,
    model: model.hash(),
  };
  writeFileSync("bench/results/ratios.json", `${JSON.stringify({ about, ...results })}\n`);
  writeFileSync(join(folder, "README.md"), report());
  console.log(`${shipped.length} files in ${folder}`);
}

/** The card of the folder: what helps, what does not, by how much. */
function report(): string {
  const cells = ({ ratio, low, high, mseWith, mseWithout }: ReturnType<typeof summary>) =>
    `${(1e3 * mseWithout).toPrecision(3)} | ${(1e3 * mseWith).toPrecision(3)} | ${ratio.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
  const table = (rows: readonly Row[], part: "selection" | "test") => [
    "| solver | guidance | steps | without, 1e-3 | with, 1e-3 | with / without [95 %] |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.flatMap((row) => {
      const judged = row[part];
      return judged === undefined ? [] : [`| UniPC-${row.order} | ${row.guidance} | ${row.steps} | ${cells(judged)} |`];
    }),
  ];
  const { searches, models } = results;
  return [
    "# Compensation ratios of the digits",
    "",
    `Written by \`node bench/run.mjs ratios\`. Searched on seeds 0–${points - 1}; a search is here only if on seeds ${selection.first}–${selection.first + selection.count - 1} the 95 % bootstrap interval of its mean squared error, divided by the error without ratios, lies below 1. Errors are of the final picture to UniPC-${fine.order} with ${fine.steps} steps uniform in log-SNR. \`ratios: "auto"\` takes a file only for exactly its setting, and a model only inside its range.`,
    "",
    `## Shipped, on test seeds ${test.first}–${test.first + test.count - 1}`,
    "",
    ...table(
      searches.filter((row) => row.selection.high < 1),
      "test",
    ),
    "",
    "## Not shipped, on selection seeds",
    "",
    ...table(
      searches.filter((row) => row.selection.high >= 1),
      "selection",
    ),
    "",
    ...(models.length === 0
      ? ["No ratio model is shipped yet."]
      : [
          "## Predicted by the ratio model at settings it was not fitted on, on selection seeds",
          "",
          ...table(models, "selection"),
        ]),
    "",
    ...shipped
      .filter((s) => s.file.includes("model"))
      .map(({ file, json }) => {
        const { range } = json as { range: Range };
        return `\`${file}\` is used for steps ${range.steps.join(" to ")} and guidance ${range.guidanceScale.join(" to ")}, where every fresh setting helped.`;
      }),
    "",
  ].join("\n");
}

await model.dispose();
