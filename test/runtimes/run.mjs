// The packed library in every runtime: the solver's bits are the same everywhere, or the run fails. `npm run test:runtimes`.
// The list below is fixed: a runtime that is missing or does not start is a failure. Arguments, if any, pick some by their names.
import { installChromium, pages } from "./browser.mjs";
import { workers } from "./edge.mjs";
import { hosts } from "./hosts.mjs";
import { installRuntimes, makeConsumer } from "./support/consumer.mjs";

const all = [...hosts, ...pages, ...workers];
const picked = process.argv.slice(2);
const chosen = all.filter(({ name }, i) => i === 0 || picked.length === 0 || picked.some((p) => name.includes(p)));

// The network's bits are ONNX Runtime's own, and so far the same everywhere too. Guidance amplifies what float32 leaves open.
const networkTolerance = 1e-3;

/** Throws unless an outcome is that of the first runtime; returns the largest difference of the network's sample. */
function compare(runtime, outcome, first) {
  if (outcome.hash !== first.hash) {
    const other = first.cases.flatMap(([name, hash], i) => (outcome.cases[i]?.[1] === hash ? [] : [name]));
    throw new Error(`other bits in ${other.length} of ${first.cases.length} cases: ${other.slice(0, 5).join("; ")}`);
  }
  if (runtime.refuses) {
    const clear = /^this runtime does not compile WebAssembly .*hand it to useWasm\(module\) first$/;
    for (const message of outcome.refused) if (!clear.test(message)) throw new Error(`unclear refusal: ${message}`);
    return undefined;
  }
  const { network } = outcome;
  if (network?.length !== first.network.length) throw new Error("no sample of the network");
  const difference = network.reduce((most, v, i) => Math.max(most, Math.abs(v - first.network[i])), 0);
  if (!(difference <= networkTolerance)) throw new Error(`the network's sample differs by ${difference}`);
  return difference;
}

function table(rows) {
  const titles = ["runtime", "version", "hash", "network", "seconds"];
  const cells = [titles, ...rows].map((row) => titles.map((_, i) => String(row[i] ?? "–")));
  const widths = titles.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

await installRuntimes();
await installChromium();
const folder = await makeConsumer();
const rows = [];
const failures = [];
let first;
for (const runtime of chosen) {
  const row = [runtime.name];
  const before = failures.length;
  const started = performance.now();
  try {
    row[1] = await runtime.version();
    const outcome = await runtime.run({ folder });
    row[2] = outcome.hash;
    first ??= outcome;
    row[3] = compare(runtime, outcome, first);
  } catch (error) {
    failures.push(`${runtime.name}: ${error.message}`);
  }
  row[4] = ((performance.now() - started) / 1000).toFixed(1);
  rows.push(row);
  console.log(`${failures.length > before ? "failed" : "passed"}: ${runtime.name}`);
  // Without it there is nothing to hold the others against.
  if (first === undefined) break;
}

console.log(`\n${first?.cases.length ?? 0} cases; network: largest difference to ${all[0].name}\n${table(rows)}\n`);
for (const failure of failures) console.log(`FAILED ${failure}\n`);
const failed = chosen.length - rows.length + failures.length;
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
