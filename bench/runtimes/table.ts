// The tables, and how they are written as Markdown.
import type { Spread } from "../support/measure.ts";
import { range } from "../support/report.ts";
import { clock, figures, type Row, relative, result } from "./figures.ts";

export type Cell = string | Spread | undefined;

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly [string, ...Cell[]])[];
}

/** Returns a cell's text; "–" where the runtime does not tell. */
function tableCell(cell: Cell): string {
  if (cell === undefined) return "–";
  return typeof cell === "string" ? cell : range(cell);
}

export function figureTable(rows: readonly Row[]): Table {
  const tick = (row: Row) => {
    const milliseconds = clock(row);
    return milliseconds === undefined ? undefined : String(Number(milliseconds.toPrecision(2)));
  };
  return {
    title: "medians and quartiles over the rounds",
    head: ["runtime", "version", ...figures.map(({ title, unit }) => `${title}, ${unit}`), "clock, ms", "hash"],
    rows: rows.map((row) => [
      row.runtime.name,
      row.runtime.version,
      ...figures.map((figure) => result(figure, row)),
      tick(row),
      row.hash,
    ]),
  };
}

/** Returns the times as multiples of the first runtime's; undefined if it is alone. */
export function relativeTable(rows: readonly Row[]): Table | undefined {
  const [base, ...others] = rows;
  if (base === undefined || others.length === 0) return undefined;
  const times = figures.filter(({ unit }) => unit === "µs" || unit === "ms");
  return {
    title: `times as multiples of ${base.runtime.name}'s in the same round`,
    head: ["runtime", ...times.map(({ title }) => title)],
    rows: others.map((row) => [row.runtime.name, ...times.map((figure) => relative(figure, row, base))]),
  };
}

export function markdown({ title, head, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = head.map((_, i) => (i === 0 ? "---" : "---:"));
  return [`**${title}**`, "", line(head), line(rule), ...rows.map((row) => line(row.map(tableCell)))].join("\n");
}
