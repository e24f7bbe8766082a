// What the benchmarks print: where they ran, tables, figures beside their targets; and the same as JSON for those who compare runs.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Spread } from "./measure.ts";

/** The repository; the bundle lies as deep in it as this file. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Returns the options of the command line, `--name value` each, with defaults; others are an error. */
export function options<T extends Record<string, string>>(defaults: T): T {
  const given: Record<string, string> = { ...defaults };
  const argv = process.argv.slice(2);
  for (let i = 0; i < argv.length; i += 2) {
    const [name, value] = [argv[i]?.replace(/^--/, "") ?? "", argv[i + 1]];
    if (!(name in defaults) || value === undefined) {
      const valid = Object.keys(defaults).map((n) => `--${n} VALUE`);
      throw new Error(`unknown or incomplete option "${argv[i]}"; valid: ${valid.join(", ")}`);
    }
    given[name] = value;
  }
  return given as T;
}

/** Collects what a benchmark measures while it prints it. */
export class Report {
  private readonly results: Record<string, unknown>[] = [];
  private readonly environment: Record<string, unknown>;
  private readonly name: string;
  private readonly file: string;

  /** @param file where `finish` writes JSON; "" for nowhere */
  constructor(name: string, file: string) {
    this.name = name;
    this.file = file;
    const processors = cpus();
    this.environment = {
      date: new Date().toISOString(),
      node: process.versions.node,
      v8: process.versions.v8,
      platform: `${process.platform} ${process.arch}`,
      processor: processors[0]?.model.trim() ?? "unknown",
      processors: processors.length,
      load: loadavg().map((l) => Math.round(100 * l) / 100),
    };
    const e = this.environment;
    console.log(`bench:${name}, ${e.date}`);
    console.log(`Node ${e.node} (V8 ${e.v8}), ${e.platform}, ${e.processors} × ${e.processor}`);
    console.log(
      `load average ${loads()}; medians and quartiles of ratios within rounds in which contenders take turns`,
    );
  }

  /** Prints a table and keeps its rows. Cells are the row's own text; `numbers` is what goes into the JSON. */
  table(title: string, head: readonly string[], rows: readonly { cells: readonly string[]; numbers: object }[]): void {
    const lines = [head, ...rows.map((row) => row.cells)];
    const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
    console.log(`\n${title}`);
    for (const line of lines) {
      const padded = line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)));
      console.log(padded.join("  ").trimEnd());
    }
    this.results.push(...rows.map((row) => ({ table: title, ...row.numbers })));
  }

  /** Prints a number, or the median and quartiles of many, beside what is wanted of it. */
  figure(
    what: string,
    result: number | Spread,
    unit: string,
    wanted: { atLeast?: number; atMost?: number } = {},
  ): void {
    const { atLeast, atMost } = wanted;
    const value = typeof result === "number" ? result : result.median;
    const text = typeof result === "number" ? digits(result) : range(result);
    const missed = (atLeast !== undefined && value < atLeast) || (atMost !== undefined && value > atMost);
    const limit = atLeast === undefined ? (atMost === undefined ? "" : `≤ ${atMost}`) : `≥ ${atLeast}`;
    const verdict = limit === "" ? "" : ` (wanted ${limit}${missed ? ": MISSED" : ""})`;
    console.log(`${what}: ${text} ${unit}${verdict}`);
    this.results.push({ figure: what, value: result, unit, ...wanted });
  }

  note(text: string): void {
    console.log(text);
  }

  finish(): void {
    console.log(`\nload average at the end ${loads()}`);
    if (this.file === "") return;
    mkdirSync(dirname(this.file), { recursive: true });
    const content = { benchmark: this.name, ...this.environment, loadAtEnd: loadavg(), results: this.results };
    writeFileSync(this.file, `${JSON.stringify(content, undefined, 2)}\n`);
    console.log(`numbers in ${this.file}`);
  }
}

function loads(): string {
  return loadavg()
    .map((l) => l.toFixed(2))
    .join(", ");
}

/** Returns a number with three significant digits, or all before the point. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(places, 6));
}

/** Returns median and quartiles as text. */
export function range({ low, median, high }: Spread): string {
  return `${digits(median)} [${digits(low)}–${digits(high)}]`;
}

export function grouped(n: number): string {
  return n.toLocaleString("en-US");
}
