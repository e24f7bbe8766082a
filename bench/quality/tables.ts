// The tables of the README, from the numbers of a run.
import { readFileSync, writeFileSync } from "node:fs";
import type { Estimate } from "../../src/cli/compare/statistics.ts";
import type { Cell, Results } from "./results.ts";

const [startMark, endMark] = ["<!-- quality:start -->", "<!-- quality:end -->"];

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(row)].join("\n");

const precise = (v: number): string => {
  const text = v >= 1000 ? v.toFixed(0) : v.toPrecision(3);
  return text.includes("e") ? v.toFixed(6) : text;
};
const interval = ({ value, low, high }: Estimate, scale: number): string =>
  `${precise(scale * value)} [${precise(scale * low)}–${precise(scale * high)}]`;

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

class Tables {
  private readonly results: Results;
  private readonly solvers: string[];
  private readonly steps: number[];
  private readonly guidances: number[];

  constructor(results: Results) {
    this.results = results;
    this.solvers = unique(results.cells.map((cell) => cell.solver));
    this.steps = unique(results.cells.map((cell) => cell.steps)).sort((a, b) => a - b);
    this.guidances = unique(results.cells.map((cell) => cell.guidance)).sort((a, b) => a - b);
  }

  private cell(bed: string, guidance: number, solver: string, steps: number, compensated: boolean): Cell | undefined {
    return this.results.cells.find(
      (c) =>
        c.bed === bed &&
        c.guidance === guidance &&
        c.solver === solver &&
        c.steps === steps &&
        c.compensated === compensated,
    );
  }

  /** Errors times a thousand; the lowest of each column is bold. */
  errors(bed: string, guidance: number): string {
    const rows = this.solvers.flatMap((solver) =>
      [false, true].map((dc) => ({
        name: dc ? `${solver} + DC` : solver,
        cells: this.steps.map((n) => this.cell(bed, guidance, solver, n, dc)),
      })),
    );
    const least = this.steps.map((_, i) => Math.min(...rows.map((r) => r.cells[i]?.error.value ?? Infinity)));
    const body = rows.map(({ name, cells }) => [
      name,
      ...cells.map((cell, i) => {
        if (cell === undefined) return "";
        const text = interval(cell.error, 1000);
        return cell.error.value === least[i] ? `**${text}**` : text;
      }),
    ]);
    return table([`guidance ${guidance}`, ...this.steps.map((n) => `${n} calls`)], body);
  }

  /** Error with compensation over error without; bold where the interval lies below 1, italic where it lies above. */
  gains(bed: string): string {
    const rows = this.guidances.flatMap((guidance) =>
      this.solvers.map((solver) => [
        `${solver}, guidance ${guidance}`,
        ...this.steps.map((n) => {
          const cell = this.cell(bed, guidance, solver, n, true);
          if (cell?.gain === undefined) return "";
          const text = interval(cell.gain, 1) + (cell.ratios?.source === "model folder" ? " ●" : "");
          return cell.gain.high < 1 ? `**${text}**` : cell.gain.low > 1 ? `*${text}*` : text;
        }),
      ]),
    );
    return table(["", ...this.steps.map((n) => `${n} calls`)], rows);
  }

  /** Accuracy and Fréchet distance at a few numbers of calls. */
  judgements(): string {
    const shown = this.steps.filter((n) => n === 5 || n === 10 || this.steps.length <= 2);
    const head = this.guidances.flatMap((w) => shown.map((n) => `guidance ${w}, ${n} calls`));
    const text = (j: Cell["judgement"]) =>
      j === undefined ? "" : `${(100 * j.accuracy).toFixed(1)} / ${precise(j.frechet)}`;
    const rows = this.solvers.flatMap((solver) =>
      [false, true].map((dc) => [
        dc ? `${solver} + DC` : solver,
        ...this.guidances.flatMap((w) => shown.map((n) => text(this.cell("digits", w, solver, n, dc)?.judgement))),
      ]),
    );
    const fine = this.guidances.flatMap((w) => {
      const found = this.results.references.find((r) => r.bed === "digits" && r.guidance === w);
      return shown.map(() => text(found?.judgement));
    });
    const { heldOut } = this.results;
    const real = head.map(() => text(heldOut));
    return table(["", ...head], [...rows, ["the reference", ...fine], [`${heldOut.count} held-out digits`, ...real]]);
  }

  /** How far the reference itself is from a finer one. */
  uncertainty(bed: string): string {
    const own = this.results.references.filter((r) => r.bed === bed);
    return own.map((r) => `${precise(1000 * r.uncertainty.value)} at guidance ${r.guidance}`).join(", ");
  }

  text(): string {
    const { results } = this;
    const { seeds, reference } = results;
    const quick = results.quick ? ["**A quick run: few seeds, no figures to rely on.**", ""] : [];
    const bed = (name: string) => this.guidances.flatMap((w) => [this.errors(name, w), ""]);
    return [
      ...quick,
      `Mean squared error of the final picture to ${reference} from the same noise, times 1000, over ${seeds.count} seeds (${seeds.test}), with 95 % bootstrap intervals. DC: compensation ratios of the model folder where it has some for the setting (● below), else searched on seeds ${seeds.search}. The reference differs from one of twice as many steps by ${this.uncertainty("digits")} (same unit).`,
      "",
      ...bed("digits"),
      "Error with compensation over error without, drawn seed by seed; bold where the interval lies below 1 (it helps), italic where it lies above (it harms).",
      "",
      this.gains("digits"),
      "",
      `Share of pictures that the classifier takes for their class, in %, and Fréchet distance of its features to those of the training digits, both of ${seeds.count} pictures.`,
      "",
      this.judgements(),
      "",
      `<details><summary>The same on an exact denoiser: ${results.beds.mixture}</summary>`,
      "",
      `The reference differs from one of twice as many steps by ${this.uncertainty("mixture")}.`,
      "",
      ...bed("mixture"),
      this.gains("mixture"),
      "",
      "</details>",
      "",
      `Made by \`npm run bench:quality\` on ${results.date.slice(0, 10)}: ${results.processor}, Node ${results.node}, ${results.runtime}. All numbers: [bench/results/quality.json](bench/results/quality.json).`,
    ].join("\n");
  }
}

/** Returns the tables as Markdown. */
export function tables(results: Results): string {
  return new Tables(results).text();
}

/** Puts text between the marks of a Markdown file. */
export function insert(file: string, text: string): void {
  const content = readFileSync(file, "utf8");
  const [from, to] = [content.indexOf(startMark), content.indexOf(endMark)];
  if (from < 0 || to < from) throw new Error(`${file} has no lines ${startMark} and ${endMark} for the tables`);
  writeFileSync(file, `${content.slice(0, from + startMark.length)}\n${text}\n${content.slice(to)}`);
}
