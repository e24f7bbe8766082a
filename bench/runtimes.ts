// The packed tarball in every runtime of test/runtimes that this machine has: speed, memory, bits. It measures and asserts nothing.
//   npm run bench:runtimes -- [--rounds 5] [--only "Node 20,Bun"] [--json FILE] [--page FILE]
// `npm run test:runtimes` installs what is missing. Tables are Markdown on stdout, progress is on stderr.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { figures, memoryAtStart, type Row, remarks, result, samples } from "./runtimes/figures.ts";
import { page } from "./runtimes/page.ts";
import { figureTable, markdown, relativeTable } from "./runtimes/table.ts";
import { findRuntimes, type Outcome, type Runtime, why } from "./runtimes/visit.ts";
import { options, root } from "./support/report.ts";

const { rounds, only, json, page: pageFile } = options({ rounds: "5", only: "", json: "", page: "" });
if (!(Number(rounds) >= 1)) throw new Error(`"--rounds": expected an integer ≥ 1, got "${rounds}"`);
const loads = () => loadavg().map((l) => Math.round(100 * l) / 100);
const started = new Date();
const before = loads();
const say = (text: string) => process.stderr.write(`${text}\n`);

function shuffled<T>(values: readonly T[]): T[] {
  const keyed = values.map((value) => ({ value, key: Math.random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value);
}

say("packing the library");
const { found, missing } = await findRuntimes();
const picked = only === "" ? found : found.filter(({ name }) => only.split(",").includes(name));

// A visit for the bits also fills the caches of files.
const hashes = new Map<Runtime, string>();
for (const runtime of picked) {
  say(`bits: ${runtime.name}`);
  try {
    hashes.set(runtime, await runtime.hash());
  } catch (error) {
    missing.push([runtime.name, why(error)]);
  }
}
const running = picked.filter((runtime) => hashes.has(runtime));
const outcomes = new Map<Runtime, (Outcome | undefined)[]>(running.map((runtime) => [runtime, []]));
for (let round = 1; round <= Number(rounds); round++) {
  say(`round ${round} of ${rounds}`);
  for (const runtime of shuffled(running)) {
    let outcome: Outcome | undefined;
    try {
      outcome = await runtime.measure();
    } catch (error) {
      say(`${runtime.name} failed: ${why(error)}`);
    }
    outcomes.get(runtime)?.push(outcome);
  }
}

const rows: Row[] = running.map((runtime) => ({
  runtime,
  hash: hashes.get(runtime),
  outcomes: outcomes.get(runtime) ?? [],
}));
const after = loads();
const seconds = Math.round((Date.now() - started.getTime()) / 1000);
const processors = cpus();
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const ortVersion = JSON.parse(readFileSync(join(root, "node_modules/onnxruntime-web/package.json"), "utf8")).version;
const settings: [string, string][] = [
  ["date", started.toISOString()],
  ["library", `dc-solver ${version}, packed; onnxruntime-web ${ortVersion}`],
  [
    "processor",
    `${processors.length} × ${processors[0]?.model.trim() ?? "unknown"}, ${process.platform} ${process.arch}`,
  ],
  ["load average", `${before.join(", ")} before; ${after.join(", ")} after`],
  ["rounds", `${rounds}, each with every runtime in an order of its own; ${seconds} s in all`],
  ...missing.map(([name, reason]): [string, string] => [`not measured: ${name}`, reason]),
];
const table = figureTable(rows);
const multiples = relativeTable(rows);
const notes = remarks(rows);
console.log("## dc-solver in every runtime\n");
for (const [name, value] of settings) console.log(`- ${name}: ${value}`);
console.log(`\n${markdown(table)}\n`);
if (multiples !== undefined) console.log(`${markdown(multiples)}\n`);
for (const { title, says } of figures) console.log(`- ${title}: ${says}`);
for (const note of notes) console.log(`- ${note}`);

function save(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  say(`wrote ${file}`);
}

if (json !== "") {
  const results = rows.map((row) => ({
    name: row.runtime.name,
    version: row.runtime.version,
    hash: row.hash,
    figures: Object.fromEntries(
      [...figures, memoryAtStart].map((figure) => [
        figure.key,
        { unit: figure.unit, ...result(figure, row), rounds: samples(figure, row) },
      ]),
    ),
    outcomes: row.outcomes.map((outcome) => outcome ?? null),
  }));
  const environment = {
    date: started.toISOString(),
    processor: processors[0]?.model.trim(),
    processors: processors.length,
  };
  const content = {
    benchmark: "runtimes",
    ...environment,
    load: before,
    loadAtEnd: after,
    version,
    seconds,
    results,
    missing,
    notes,
  };
  save(json, `${JSON.stringify(content, undefined, 2)}\n`);
}
if (pageFile !== "") {
  const tables = multiples === undefined ? [table] : [table, multiples];
  save(pageFile, await page({ settings, rows, tables, remarks: notes }));
}
