// How far the pictures of each solver are from a fine reference, at 3 to 10 model calls, without and with compensation: on the digits
// network and on an exact denoiser; for the network also how digit-like they are.
//   npm run bench:quality -- [--quick] [--ort MODULE --provider cpu] [--threads 1]   hours with onnxruntime-web, half an hour natively
//   npm run bench:quality -- --tables | --readme                                     the README's tables from the last full run
// Every finished cell is kept in build/bench/quality.partial.jsonl; the same command goes on from there.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { mean, meanEstimate, ratioEstimate, squaredErrors } from "../src/cli/compare/statistics.ts";
import type { OrtLike } from "../src/onnx/index.ts";
import { type Bed, digitsBed, draw, labelsOf, mixtureBed, readDigits } from "./quality/beds.ts";
import { readJudge } from "./quality/classifier.ts";
import { findRatios, fine, type Trajectory, trajectory, withRatios } from "./quality/ratios.ts";
import { type Cell, type Reference, type Results, solvers } from "./quality/results.ts";
import { Store } from "./quality/store.ts";
import { insert, tables } from "./quality/tables.ts";
import { root, digits as three } from "./support/report.ts";

const { values: given } = parseArgs({
  // npm takes the -- in front of them away, a shell does not.
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  options: {
    quick: { type: "boolean", default: false },
    ort: { type: "string", default: "onnxruntime-web" },
    provider: { type: "string", default: "wasm" },
    threads: { type: "string", default: "1" },
    tables: { type: "boolean", default: false },
    readme: { type: "boolean", default: false },
  },
});
const { quick } = given;
const output = join(root, quick ? "build/bench/quality-quick.json" : "bench/results/quality.json");

if (given.tables || given.readme) {
  if (!existsSync(output)) throw new Error(`${relative(root, output)} is not there yet; run the benchmark first`);
  const text = tables(JSON.parse(readFileSync(output, "utf8")) as Results);
  if (given.readme) insert(join(root, "README.md"), text);
  else console.log(text);
} else {
  await run();
}

/** What a run covers. Seeds 0–99 are for searches, 1000–1099 choose what is shipped, 2000–2199 judge. */
function scope() {
  const list = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);
  return quick
    ? { guidances: [1, 7.5], steps: [5, 8], test: list(2000, 10), search: list(0, 5), check: list(2000, 5) }
    : { guidances: [1, 3, 7.5], steps: list(3, 8), test: list(2000, 200), search: list(0, 40), check: list(2000, 20) };
}

interface Ort extends OrtLike {
  readonly env: { readonly versions: Readonly<Record<string, string>>; readonly wasm: { numThreads?: number } };
}

/** Returns ONNX Runtime, from a package or from the folder of one, with the number of threads that was asked for. */
async function loadOrt(): Promise<{ ort: OrtLike; name: string }> {
  const threads = Number(given.threads);
  const path = createRequire(join(process.cwd(), "x.js")).resolve(given.ort);
  const imported = (await (given.ort === "onnxruntime-web"
    ? import("onnxruntime-web")
    : import(pathToFileURL(path).href))) as { default: Ort } & Ort;
  const build = imported.InferenceSession === undefined ? imported.default : imported;
  build.env.wasm.numThreads = threads;
  const { common: _, ...versions } = build.env.versions;
  const [kind = "unknown", version = ""] = Object.entries(versions)[0] ?? [];
  const create: OrtLike["InferenceSession"]["create"] = (bytes, options) =>
    build.InferenceSession.create(bytes, {
      ...options,
      ...(kind === "node" ? { intraOpNumThreads: threads, interOpNumThreads: 1 } : {}),
    });
  return {
    ort: { Tensor: build.Tensor, InferenceSession: { create } },
    name: `onnxruntime-${kind} ${version}, ${given.provider}, ${threads} thread${threads === 1 ? "" : "s"}`,
  };
}

async function run(): Promise<void> {
  const { guidances, steps, test, search, check } = scope();
  const { ort, name: runtime } = await loadOrt();
  const digits = readDigits();
  const beds = [await digitsBed(ort, given.provider), mixtureBed(digits)];
  const judge = await readJudge(ort, given.provider, digits);
  const span = (seeds: readonly number[]) => `${seeds[0]}–${seeds.at(-1)}`;
  const processors = cpus();
  const processor = processors[0]?.model.trim() ?? "unknown";
  const about = Object.fromEntries(beds.map((bed) => [bed.name, bed.about]));
  // Not the processor: a run may go on elsewhere, and says where it ended.
  const identity = { version: 1, quick, runtime, about, seeds: [span(test), span(search)], fine, guidances, steps };
  const partial = join(root, `build/bench/quality${quick ? "-quick" : ""}.partial.jsonl`);
  const store = new Store(partial, identity);

  if (quick) console.log("QUICK: few seeds, to see that it runs; its figures are no results");
  console.log(`${processors.length} × ${processor}, Node ${process.versions.node}, ${runtime}`);
  if (store.size > 0) console.log(`going on from ${relative(root, partial)}: ${store.size} results are there`);
  const { frechet, expected } = await judge.check();
  console.log(`Fréchet distance of all held-out digits: ${frechet.toFixed(3)}; on file: ${expected.toFixed(3)}`);
  const heldOut = { ...(await judge.judgeHeldOut(test.length)), count: test.length };
  const total = beds.length * guidances.length * Object.keys(solvers).length * steps.length * 2;
  const started = performance.now();
  let [done, worked] = [0, 0];

  const references: Reference[] = [];
  const cells: Cell[] = [];
  for (const bed of beds) {
    for (const guidance of guidances) {
      const { reference, own } = await measure(bed, guidance);
      references.push(reference);
      cells.push(...own);
    }
  }
  const results: Results = {
    benchmark: "quality",
    quick,
    date: new Date().toISOString(),
    processor,
    processors: processors.length,
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    runtime,
    beds: about,
    seeds: { test: span(test), search: span(search), count: test.length },
    reference: `UniPC-${fine.order} (${fine.steps} steps, uniform in log-SNR)`,
    heldOut,
    references,
    cells,
  };
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, `${JSON.stringify(results, undefined, 1)}\n`);
  store.remove();
  if (quick) console.log(`\n${tables(results)}\n`);
  console.log(`${cells.length} cells in ${minutes()}; numbers in ${relative(root, output)}`);

  function minutes(): string {
    const seconds = Math.round((performance.now() - started) / 1000);
    return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }

  /** Does everything at one guidance. */
  async function measure(bed: Bed, guidance: number): Promise<{ reference: Reference; own: Cell[] }> {
    const place = `${bed.name}, guidance ${guidance}`;
    const isDigits = bed.name === "digits";
    const labels = labelsOf(test);
    let kept: Promise<Float32Array> | undefined;
    const truth = () => {
      kept ??= draw(bed, bed.plan(fine), guidance, test);
      return kept;
    };

    const reference = await store.once(`${place}, reference`, async (): Promise<Reference> => {
      const finer = await draw(bed, bed.plan({ ...fine, steps: 2 * fine.steps }), guidance, check);
      const coarse = (await truth()).subarray(0, finer.length);
      const value = mean(squaredErrors(coarse, finer, check.length));
      const judgement = isDigits ? { judgement: await judge.judge(await truth(), labels) } : {};
      return { bed: bed.name, guidance, uncertainty: { value, seeds: check.length }, ...judgement };
    });
    const { value } = reference.uncertainty;
    console.log(
      `${place}: ${fine.steps} steps differ from ${2 * fine.steps} by ${value.toExponential(2)}; ${minutes()}`,
    );

    const own: Cell[] = [];
    for (const n of steps) {
      let found: Promise<Trajectory> | undefined;
      const searched = () => {
        found ??= trajectory(bed, n, guidance, search);
        return found;
      };
      for (const [name, choice] of Object.entries(solvers)) {
        const plan = bed.plan({ ...choice, steps: n });
        const key = `${place}, ${name}, ${n} calls`;
        const before = store.has(`${key} + DC`);
        const pictures = async (compensated: typeof plan) => {
          const data = await draw(bed, compensated, guidance, test);
          const errors = squaredErrors(data, await truth(), test.length);
          return { errors, ...(isDigits ? { judgement: await judge.judge(data, labels) } : {}) };
        };
        const ratios = await store.once(`${key}, ratios`, () =>
          findRatios(bed, { ...choice, steps: n }, guidance, search, searched),
        );
        const without = await store.once(key, () => pictures(plan));
        const dc = await store.once(`${key} + DC`, () => pictures(withRatios(plan, ratios)));
        const common = { bed: bed.name, guidance, solver: name, steps: n };
        const { errors, ...rest } = without;
        const { errors: errorsDc, ...restDc } = dc;
        const error = meanEstimate(errors);
        const gain = ratioEstimate(errorsDc, errors);
        own.push({ ...common, compensated: false, error, ...rest });
        own.push({ ...common, compensated: true, ratios, error: meanEstimate(errorsDc), gain, ...restDc });
        done += 2;
        if (before) continue;
        worked += 2;
        const left = Math.round(((performance.now() - started) / 60000 / worked) * (total - done));
        const share = `${three(gain.value)} [${three(gain.low)}–${three(gain.high)}]`;
        console.log(`${done}/${total} ${key}: ${three(1000 * error.value)}e-3, with DC × ${share}; ${left} min left`);
      }
    }
    return { reference, own };
  }
}
