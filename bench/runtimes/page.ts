// The chart page: one HTML file that needs no network and no JavaScript, in the style of the comparison's.
import { document, Html, html } from "../../src/cli/compare/html.ts";
import { digits, range } from "../support/report.ts";
import { drawBars } from "./chart.ts";
import { type Figure, figures, type Row, result } from "./figures.ts";
import type { Cell, Table } from "./table.ts";

export interface PageContent {
  readonly settings: readonly (readonly [string, string])[];
  readonly rows: readonly Row[];
  readonly tables: readonly Table[];
  readonly remarks: readonly string[];
}

async function chart(figure: Figure, rows: readonly Row[]): Promise<Html> {
  const { title, unit, says } = figure;
  // A heap is no resident set: a bar of it beside the others would say something false.
  const shown = figure.key === "memory" ? rows.filter(({ runtime }) => runtime.name !== "Chromium") : rows;
  const bars = shown.flatMap((row) => {
    const spread = result(figure, row);
    return spread === undefined ? [] : [{ name: row.runtime.name, ...spread, label: digits(spread.median) }];
  });
  const names = rows.map((row) => row.runtime.name).filter((name) => bars.some((bar) => bar.name === name));
  const caption = html`<figcaption>${title}, ${unit}</figcaption><p class="note">${says}</p>`;
  if (bars.length === 0) return html`<figure>${caption}<p>No runtime tells.</p></figure>`;
  const label = `${title} in ${unit} by runtime; the numbers are in the table`;
  return html`<figure>${caption}${new Html(await drawBars(bars, names, unit, label))}</figure>`;
}

function write(cell: Cell): Html | string {
  if (cell === undefined) return "–";
  if (typeof cell === "string") return cell;
  const [median = "", quartiles = ""] = range(cell).split(" ");
  return html`${median} <span class="interval">${quartiles}</span>`;
}

function htmlTable({ title, head, rows }: Table, index: number): Html {
  const lines = rows.map(
    ([name, ...cells]) =>
      html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${write(cell)}</td>`)}</tr>`,
  );
  const id = `table-${index}`;
  return html`<div class="scroll" role="region" tabindex="0" aria-labelledby="${id}"><table>
<caption id="${id}">${title}</caption>
<thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>${lines}</tbody>
</table></div>
`;
}

/** Returns the page. */
export async function page({ settings, rows, tables, remarks }: PageContent): Promise<string> {
  const title = "dc-solver in every runtime";
  const charts = [];
  for (const figure of figures) charts.push(await chart(figure, rows));
  const hashes = new Set(rows.flatMap(({ hash }) => hash ?? []));
  const bits =
    hashes.size === 1
      ? `The solver's bits are the same in all of them: ${[...hashes][0]}.`
      : `The solver's bits have ${hashes.size} hashes; they are in the table.`;
  const body = html`<header>
<h1>${title}</h1>
<p>The packed tarball in each runtime of one machine. Bars are medians, lines quartiles over rounds in which the runtimes take turns, each in a fresh process. Lower is better everywhere. ${bits}</p>
</header>
<section>
<h2>Figures</h2>
<div class="panels">${charts}</div>
</section>
<section>
<h2>Numbers</h2>
<div class="tables">${tables.map(htmlTable)}</div>
${remarks.map((remark) => html`<p>${remark}</p>`)}
</section>`;
  return document(title, settings, body, ".tables { display: grid; gap: 1.5rem; }");
}
