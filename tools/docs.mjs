// Writes docs/solvers.md from the registry of solvers: `npm run docs`. A test compares the file with what this gives.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

async function registry() {
  const bundle = await build({
    entryPoints: [join(root, "src/solvers/index.ts")],
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
  const { solvers, commonOptions } = await registry();
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

if (argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(root, "docs/solvers.md"), await solversPage());
}
