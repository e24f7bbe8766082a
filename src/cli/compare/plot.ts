// The charts: Vega-Lite writes them as SVG, without a browser. Bundled by itself, so that only `compare` loads it.
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { escapeText } from "./html.ts";

/** A point of a curve, with an interval where it has one. */
export interface Point {
  readonly series: string;
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

export interface Chart {
  readonly points: readonly Point[];
  /** The series in order, those too that have no point here: colours are theirs in every chart. */
  readonly series: readonly string[];
  readonly x: string;
  readonly y: string;
  /** Places of the ticks. */
  readonly ticks: readonly number[];
  /** Limits of the vertical axis, shared by charts that are compared. */
  readonly domain: readonly [number, number];
  readonly log: boolean;
}

const shapes = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "stroke"];
const dashes = [[], [6, 3], [2, 2], [8, 3, 2, 3], [4, 2], [1, 3], [10, 4], [3, 3, 1, 3]];
/** Colours are the page's: --series-0 … --series-7 in its style sheet. */
const colours = shapes.map((_, i) => `var(--series-${i})`);

/** What charts on a page of this style have in common: a width in units of the page's own, and nothing behind them. */
export const frame = {
  $schema: undefined as never,
  width: 360,
  autosize: { type: "fit" as const, contains: "padding" as const },
  padding: 4,
  background: "transparent",
};

const cycle = <T>(values: readonly T[], count: number): T[] =>
  Array.from({ length: count }, (_, i) => values[i % values.length] as T);

/** Returns how many names fit beside each other below a chart: a letter takes about 7 of its 360 units, the symbol and the gap 30. */
function legendColumns(series: readonly string[]): number {
  const widest = 30 + 7 * Math.max(...series.map((name) => name.length));
  return Math.max(1, Math.min(4, Math.floor(300 / widest)));
}

function specification({ points, series, x, y, ticks, domain, log }: Chart): TopLevelSpec {
  const count = series.length;
  const scaled = <T>(range: T[]) => ({ domain: [...series], range });
  // Series side by side, or the bars of one hide those of another.
  const span = (ticks.at(-1) ?? 1) - (ticks[0] ?? 0) || 1;
  const apart = points.some((p) => p.low !== undefined) ? Math.min(0.12, span / 40) : 0;
  const values = points.map((p) => ({ ...p, x: p.x + (series.indexOf(p.series) - (count - 1) / 2) * apart }));
  const line = { stroke: "var(--rule)", labelColor: "currentColor", titleColor: "currentColor", labelFontSize: 12 };
  const axis = { ...line, titleFontSize: 12, titleFontWeight: "normal" as const, domainColor: "var(--rule)" };
  const margin = apart * count + span / 40;
  const places = {
    x: {
      field: "x",
      type: "quantitative" as const,
      title: x,
      scale: { domain: [(ticks[0] ?? 0) - margin, (ticks.at(-1) ?? 1) + margin], nice: false, zero: false },
      axis: { values: [...ticks], format: "d", grid: false },
    },
    y: {
      field: "y",
      type: "quantitative" as const,
      title: y,
      scale: { ...(log ? { type: "log" as const } : { zero: false }), domain: [...domain], nice: false },
      axis: log ? { values: logTicks(domain), format: "~g" } : { tickCount: 6 },
    },
  };
  const legend = {
    title: null,
    orient: "bottom" as const,
    direction: "horizontal" as const,
    columns: legendColumns(series),
    labelColor: "currentColor",
    labelFontSize: 12,
    symbolSize: 60,
    symbolStrokeWidth: 2,
  };
  const color = { field: "series", type: "nominal" as const, scale: scaled(cycle(colours, count)), legend };
  const shape = { field: "series", type: "nominal" as const, scale: scaled(cycle(shapes, count)), legend };
  // As marks, not as an encoding: the legend would cut its symbols into dashes too.
  const lines = series.map((name, i) => ({
    transform: [{ filter: { field: "series", equal: name } }],
    mark: { type: "line" as const, strokeWidth: 1.5, strokeDash: dashes[i % dashes.length] as number[] },
    encoding: places,
  }));
  return {
    ...frame,
    height: 300,
    config: {
      font: "inherit",
      view: { stroke: null },
      axis: { ...axis, gridColor: "var(--rule)", gridOpacity: 0.5, tickColor: "var(--rule)" },
    },
    data: { values },
    encoding: { color },
    layer: [
      ...lines,
      {
        transform: [{ filter: "isValid(datum.low)" }],
        mark: { type: "rule", strokeWidth: 1.5 },
        encoding: { x: places.x, y: { ...places.y, field: "low" }, y2: { field: "high" } },
      },
      { mark: { type: "point", filled: true, size: 45, opacity: 1 }, encoding: { ...places, shape } },
    ],
  };
}

/** Returns 1, 2 and 5 times the powers of ten in a domain, or the powers alone where there would be many. */
function logTicks([low, high]: readonly [number, number]): number[] {
  const ticks = (steps: readonly number[]) => {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      // From its decimal form: 10 ** −3 · 5 is not 0.005.
      for (const step of steps) found.push(Number(`${step}e${power}`));
    }
    return found.filter((v) => v >= low && v <= high);
  };
  const fine = ticks([1, 2, 5]);
  return fine.length <= 8 ? fine : ticks([1]);
}

/** Returns the chart as an SVG element without a size, colours left to the page; the text of its title is `label`. */
export function draw(chart: Chart, label: string): Promise<string> {
  return render(specification(chart), label);
}

/** Returns any specification as such an element. */
export async function render(specification: TopLevelSpec, label: string): Promise<string> {
  const view = new View(parse(compile(specification).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  const [, size = ""] = /viewBox="([^"]*)"/.exec(svg) ?? [];
  const text = escapeText(label);
  return svg.replace(/^<svg[^>]*>/, `<svg class="chart" viewBox="${size}" role="img" aria-label="${text}">`);
}
