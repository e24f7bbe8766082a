// The page of a comparison: one HTML file that needs no network and no JavaScript.
import { isPicture, png, tile } from "../picture.ts";
import { type Content, document, Html, html } from "./html.ts";
import type { Cell, Panel } from "./measure.ts";
import { noRatios } from "./measure.ts";
import type { Chart, Point } from "./plot.ts";
import type { Estimate } from "./statistics.ts";

export interface PageContent {
  readonly title: string;
  /** Names and values of what was compared and where. */
  readonly settings: readonly (readonly [string, string])[];
  /** What the errors are errors to. */
  readonly referenceName: string;
  readonly names: readonly string[];
  readonly panels: readonly Panel[];
  /** Shape of one item, and how many of each cell are kept. */
  readonly shape: readonly number[];
  readonly keep: number;
}

type Draw = (chart: Chart, label: string) => Promise<string>;

/** Returns a number with three digits that count. */
export function digits(value: number): string {
  if (value === 0) return "0";
  const exact = Math.abs(value) < 1e-4 ? value.toExponential(2) : value.toPrecision(3);
  return Math.abs(value) >= 1000 ? value.toFixed(0) : exact;
}

/** Returns an interval as text. */
export function range({ low, high }: Estimate): string {
  return `${digits(low)} – ${digits(high)}`;
}

const at = (guidance: number): string => (guidance === 1 ? "Guidance 1 (off)" : `Guidance ${guidance}`);

/** Returns the cells of each number of steps. */
function bySteps(cells: readonly Cell[]): [number, Cell[]][] {
  const steps = [...new Set(cells.map((cell) => cell.steps))].sort((a, b) => a - b);
  return steps.map((n) => [n, cells.filter((cell) => cell.steps === n)]);
}

/** Returns the page. */
export async function page(content: PageContent, draw: Draw): Promise<string> {
  const { title, settings, referenceName, panels } = content;
  const compensated = panels.some(({ cells }) => cells.some((cell) => cell.contender.compensated));
  const gains = panels.some(({ cells }) => cells.some((cell) => cell.gain));
  const body = html`<header>
<h1>${title}</h1>
<p>How far the pictures of each solver are from ${referenceName}, started from the same noise: mean squared error of the final picture, pixels from −1 to 1, mean over the seeds. Bars and brackets are 95 % bootstrap intervals of that mean.${compensated ? " dc is UniPC with compensation ratios." : ""}</p>
</header>
<section>
<h2>Error against model calls</h2>
<div class="panels">${await errorCharts(content, draw)}</div>
</section>
<section>
<h2>Numbers</h2>
<p>The lowest error of each number of calls is bold. Time is that of network and solver, for one call and one picture.${gains ? " The last column is the error of dc over that of the same solver without ratios, drawn seed by seed: below 1, compensation helps." : ""}</p>
<div class="panels tables">${panels.map((panel) => table(panel, gains))}</div>
</section>
<section>
<h2>Pictures</h2>
${pictures(content)}
</section>
<section>
<h2>Compensation ratios</h2>
${await ratioCharts(content, draw)}
</section>`;
  return document(title, settings, body);
}

async function errorCharts({ panels, names }: PageContent, draw: Draw): Promise<Content> {
  const points = panels.map(({ cells }) =>
    cells.flatMap(({ contender, steps, error }): Point[] =>
      // A logarithm has no place for an error of 0.
      error === undefined || error.low <= 0
        ? []
        : [{ series: contender.name, x: steps, y: error.value, low: error.low, high: error.high }],
    ),
  );
  const all = points.flat();
  if (all.length === 0) return html`<p>There is nothing to plot.</p>`;
  const [least, most] = [Math.min(...all.map((p) => p.low ?? p.y)), Math.max(...all.map((p) => p.high ?? p.y))];
  const ticks = [...new Set(panels.flatMap(({ cells }) => cells.map((cell) => cell.steps)))].sort((a, b) => a - b);
  const figures = panels.map(async ({ guidance }, i) => {
    const chart: Chart = {
      points: points[i] ?? [],
      series: names,
      x: "model calls",
      y: "mean squared error",
      ticks,
      domain: [least / 1.15, most * 1.15],
      log: true,
    };
    const label = `Mean squared error against model calls at guidance ${guidance}; the numbers are in the table "${at(guidance)}"`;
    return html`<figure><figcaption>${at(guidance)}</figcaption>${new Html(await draw(chart, label))}</figure>`;
  });
  return Promise.all(figures);
}

function table({ guidance, cells }: Panel, gains: boolean): Html {
  const name = `numbers-${String(guidance).replace(/[^\w.-]/g, "_")}`;
  const groups = bySteps(cells).map(([steps, group]) => {
    const least = Math.min(...group.map((cell) => cell.error?.value ?? Number.POSITIVE_INFINITY));
    const rows = group.map((cell, i) => {
      const first = i === 0 ? html`<th scope="rowgroup" rowspan="${group.length}">${steps}</th>` : undefined;
      return html`<tr${cell.error?.value === least ? html` class="best"` : ""}>${first}<th scope="row">${cell.contender.name}</th>${numbers(cell, gains)}</tr>`;
    });
    return html`<tbody>${rows}</tbody>`;
  });
  return html`<div class="scroll" role="region" tabindex="0" aria-labelledby="${name}"><table>
<caption id="${name}">${at(guidance)}</caption>
<thead><tr><th scope="col">Calls</th><th scope="col">Solver</th><th scope="col">Mean squared error</th><th scope="col">ms</th>${gains ? html`<th scope="col">With / without</th>` : ""}</tr></thead>
${groups}
</table></div>
`;
}

function numbers({ error, note, millisecondsPerCall, gain }: Cell, gains: boolean): Html {
  if (error === undefined) return html`<td colspan="${gains ? 3 : 2}" class="note">${note}</td>`;
  const last = gain === undefined ? html`<td></td>` : html`<td>${estimate(gain)}</td>`;
  return html`<td class="error">${estimate(error)}</td><td>${digits(millisecondsPerCall ?? 0)}</td>${gains ? last : ""}`;
}

function estimate(e: Estimate): Html {
  return html`<data value="${e.value}">${digits(e.value)}</data> <span class="interval">[${range(e)}]</span>`;
}

function pictures({ panels, shape, keep, referenceName }: PageContent): Content {
  if (!isPicture(shape)) {
    return html`<p>Samples of shape [${shape.join(", ")}] are not pictures of 1 or 3 channels, so there are none to show.</p>`;
  }
  const [, high = 1, wide = 1] = shape;
  const row = (name: string, data: Float32Array, text: string) => {
    const bytes = png(tile(data, [keep, ...shape], keep));
    const source = `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`;
    return html`<div class="strip"><span>${name}</span><img src="${source}" width="${keep * wide}" height="${high}" style="max-width: ${keep * 4}rem" alt="${text}"></div>`;
  };
  return panels.map(({ guidance, reference, cells }) => {
    const groups = bySteps(cells).map(([steps, group]) => {
      const rows = group.flatMap((cell) =>
        cell.pictures === undefined
          ? []
          : [row(cell.contender.name, cell.pictures, `${keep} pictures by ${cell.contender.name}, ${steps} calls`)],
      );
      return html`<figure class="strips"><figcaption>${steps} calls</figcaption>${row("reference", reference, `the same ${keep} pictures by ${referenceName}`)}${rows}</figure>`;
    });
    return html`<h3>${at(guidance)}</h3><div class="panels wide">${groups}</div>`;
  });
}

async function ratioCharts({ panels, names }: PageContent, draw: Draw): Promise<Content> {
  const cells = panels.flatMap((panel) => panel.cells).filter((cell) => cell.contender.compensated);
  if (cells.length === 0) return html`<p>No solver with compensation (dc) was compared.</p>`;
  const compensated = cells.filter((cell) => cell.plan?.options.ratios !== undefined);
  if (compensated.length === 0) {
    return html`<p>There are no ratios for any of these settings; <code>dc-solver search</code> finds them.</p>`;
  }
  const several = names.filter((name) => cells.some((cell) => cell.contender.name === name)).length > 1;
  const series = (cell: Cell) => `${several ? `${cell.contender.name}, ` : ""}${cell.steps} steps`;
  const all = [...new Set(cells.map(series))];
  const ratios = compensated.flatMap((cell) => cell.plan?.options.ratios ?? []);
  const longest = Math.max(...compensated.map((cell) => cell.steps));
  const [least, most] = [Math.min(...ratios, 1), Math.max(...ratios, 1)];
  const margin = (most - least) / 20 + 0.01;
  const figures = panels.map(async ({ guidance, cells: own }) => {
    const shown = own.filter((cell) => compensated.some((c) => c.plan !== undefined && c.plan === cell.plan));
    if (shown.length === 0) return html`<figure><figcaption>${at(guidance)}</figcaption><p>${noRatios}</p></figure>`;
    const points = shown.flatMap((cell) =>
      (cell.plan?.options.ratios ?? []).map((ratio, k) => ({ series: series(cell), x: k + 1, y: ratio })),
    );
    const ticks = Array.from({ length: longest }, (_, k) => k + 1).filter((k) => longest <= 15 || k % 5 === 0);
    const domain: [number, number] = [least - margin, most + margin];
    const chart: Chart = { points, series: all, x: "step", y: "ratio", ticks, domain, log: false };
    const rows = shown.map(
      (cell) =>
        html`<tr><th scope="row">${series(cell)}</th><td>${(cell.plan?.options.ratios ?? []).map((r) => r.toFixed(3)).join(" ")}</td></tr>`,
    );
    const svg = new Html(
      await draw(chart, `Compensation ratio of each step at guidance ${guidance}; the numbers follow`),
    );
    return html`<figure><figcaption>${at(guidance)}</figcaption>${svg}<table class="ratios"><thead><tr><th scope="col">Setting</th><th scope="col">Ratios</th></tr></thead><tbody>${rows}</tbody></table></figure>`;
  });
  const drawn = await Promise.all(figures);
  return html`<p>The ratio of each step; 1 is no compensation.</p><div class="panels">${drawn}</div>`;
}
