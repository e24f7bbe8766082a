// Writes docs/solvers.md from the registry of solvers and docs/sampler-names.md from the table of names: `npm run docs`. Tests compare
// the files with what this gives.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Returns what a source exports. */
async function load(path) {
  const bundle = await build({
    entryPoints: [join(root, path)],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "warning",
  });
  return import(`data:text/javascript;base64,${Buffer.from(bundle.outputFiles[0].contents).toString("base64")}`);
}

const code = (text) => `\`${text}\``;

/** Returns the lines of a table, its columns aligned as the formatter wants them. */
function table(head, rows) {
  const widths = head.map((_, i) => Math.max(3, ...[head, ...rows].map((cells) => `${cells[i]}`.length)));
  const row = (cells) => `| ${cells.map((cell, i) => `${cell}`.padEnd(widths[i])).join(" | ")} |`;
  return [row(head), row(widths.map((width) => "-".repeat(width))), ...rows.map(row)];
}

/** Values that an option might take besides its default; its check says which of them it does. */
const pool = [true, false, 0.5, 1, 2, 3, 4];

function accepts(option, name, value) {
  try {
    option.check(name, value, 1);
    return true;
  } catch {
    return false;
  }
}

/** The observed order for each order up to 4, and where it is another one, what sets it apart. */
function orderTable({ options, observedOrder }) {
  const defaults = Object.fromEntries(Object.entries(options).map(([name, { default: value }]) => [name, value]));
  const orders = options.order === undefined ? [] : [1, 2, 3, 4].filter((n) => accepts(options.order, "order", n));
  const settings = orders.length === 0 ? [defaults] : orders.map((order) => ({ ...defaults, order }));
  const observed = (change) => settings.map((o) => observedOrder({ ...o, ...change }) ?? "none, it is stochastic");
  const columns = [["observed", observed({})]];
  for (const [name, option] of Object.entries(options)) {
    if (name === "order") continue;
    const change = pool
      .filter((value) => value !== option.default && accepts(option, name, value))
      .map((value) => ({ [name]: value }))
      .find((o) => `${observed(o)}` !== `${columns[0][1]}`);
    if (change !== undefined) columns.push([`with ${code(`${name}: ${change[name]}`)}`, observed(change)]);
  }
  const rows = settings.map(({ order }, i) => [order ?? "", ...columns.map(([, values]) => values[i])]);
  return table(["`order`", ...columns.map(([head]) => head)], rows);
}

function section(solver) {
  const { name, aliases, about, options, multistep } = solver;
  const others = aliases.length === 0 ? "" : ` Also called ${aliases.map(code).join(", ")}.`;
  const compensation = multistep
    ? "Takes `ratios`: each step starts from a model output at the grid's time."
    : "Takes no `ratios`: its steps do not start from a model output at the grid's time.";
  const rows = Object.entries(options).map(([option, { default: value, about }]) => [
    code(option),
    code(JSON.stringify(value)),
    about,
  ]);
  return [
    `## ${code(name)}`,
    "",
    `${about}.${others} ${compensation}`,
    "",
    ...table(["option", "default", ""], rows),
    "",
    "Order of the error on a smooth problem, as the tests measure it:",
    "",
    ...orderTable(solver),
    "",
  ];
}

/** Returns docs/solvers.md. */
export async function solversPage() {
  const { solvers, commonOptions } = await load("src/solvers/index.ts");
  const lines = [
    "# Solvers",
    "",
    "<!-- Generated from src/solvers by `npm run docs`; edit there. -->",
    "",
    `\`createPlan({ solver: "${solvers[0].name}", … })\` takes these, with the options below beside those of every solver: ${commonOptions.map(code).join(", ")}.`,
    "An option that a solver does not have is an error. How to add one: [adding-a-solver.md](adding-a-solver.md).",
    "",
    ...solvers.flatMap(section),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}

/** Returns an object as the text of a program that has it. */
function literal(object) {
  const entries = Object.entries(object).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return code(`{ ${entries.join(", ")} }`);
}

function samplerRow([name, { className, overrides = {}, solver, note = "" }]) {
  if (className === undefined && solver === undefined) return [code(name), "not supported", "", note];
  const arguments_ = Object.keys(overrides).length === 0 ? "" : `, ${literal(overrides)}`;
  return [
    code(name),
    className === undefined ? "none" : code(className) + arguments_,
    solver === undefined ? "none" : literal(solver),
    note,
  ];
}

function typeRow([name, { overrides, spacing, note = "" }]) {
  const refused = overrides === undefined && note !== "";
  const own = overrides === undefined ? "as the configuration has it" : literal(overrides);
  return [code(name), refused ? "not supported" : own, spacing === undefined ? "" : code(spacing), note];
}

function nameSection({ from, source, samplers, types }) {
  const path = /\/(?:blob|tree)\/[^/]+\/(.*)/.exec(source)[1];
  const lines = [`## ${from}, ${code(path)}`, "", `Read from <${source}>.`, ""];
  const rows = [Object.entries(samplers).map(samplerRow), Object.entries(types).map(typeRow)];
  if (rows[0].length > 0) lines.push(...table(["sampler", "class, overrides", "`createPlan`", ""], rows[0]), "");
  if (rows[1].length > 0) lines.push(...table(["schedule type", "overrides", "`spacing`", ""], rows[1]), "");
  return lines;
}

/** Returns docs/sampler-names.md. */
export async function namesPage() {
  const { nameGroups, overviewPage } = await load("src/diffusers/names.ts");
  const lines = [
    "# Names of samplers",
    "",
    "<!-- Generated from src/diffusers/names.ts by `npm run docs`; edit there. -->",
    "",
    "What samplers of other programs are here. `findSampler(name)` of `dc-solver/diffusers` gives the row of a name:",
    "",
    "```js",
    'import { findSampler, schedulerFromConfig } from "dc-solver/diffusers";',
    "",
    'const { className, overrides, solver } = findSampler("DPM++ 2M Karras");',
    "const plan = schedulerFromConfig(config).to(className, overrides).plan({ steps: 20 });",
    "const other = createPlan({ schedule, steps: 20, ...solver });",
    "```",
    "",
    'On the command line the second is `--solver "DPM++ 2M Karras"`. A schedule type may follow a sampler; without one, the noise levels',
    "are spaced as the configuration, or the default of `createPlan`, has it. Case, spaces, hyphens and underscores do not count; where two",
    "programs then have one name, the first on this page is meant.",
    "",
    "By its class, a name has the numbers of diffusers, which are not those of the program the name is from: the ends of the grid differ,",
    "programs leave out a noise level for some samplers, and random numbers come in another order. By `createPlan`, the method and the",
    "rule of the spacing are the same, and the grid ends where the schedule does.",
    "",
    `Names of A1111 and k-diffusion are mapped as <${overviewPage}> does, where they are in its table; the others by their code. Each`,
    "section names the address that its names were read from. A name that was found at none of them is left out.",
    "",
    ...nameGroups.flatMap(nameSection),
    "## Align Your Steps",
    "",
    'The grids of Sabour et al. 2024 (arXiv 2404.14507), for "sd15", "sdxl" and "svd", interpolated where `steps` is not 10. Where the',
    "numbers are from: src/diffusers/ays.ts. A scheduler takes them where its class takes `timesteps` ([schedulers.md](schedulers.md)).",
    "",
    "```js",
    'import { ays, aysTimes } from "dc-solver/diffusers";',
    "",
    'const plan = scheduler.plan({ timesteps: ays("sd15").timesteps });',
    'const other = createPlan({ schedule, grid: aysTimes("sd15", schedule, 8), solver: "dpmpp" });',
    "```",
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(root, "docs/solvers.md"), await solversPage());
  writeFileSync(join(root, "docs/sampler-names.md"), await namesPage());
}
