// Bars of one figure over the runtimes, with quartiles: Vega-Lite writes static SVG whose colours are the page's.
import type { TopLevelSpec } from "vega-lite";
import { frame, render } from "../../src/cli/compare/plot.ts";
import type { Spread } from "../support/measure.ts";

export interface Bar extends Spread {
  readonly name: string;
  readonly label: string;
}

function specification(bars: readonly Bar[], names: readonly string[], unit: string): TopLevelSpec {
  const most = Math.max(...bars.map((bar) => bar.high));
  const y = {
    field: "name",
    type: "nominal" as const,
    sort: [...names],
    scale: { domain: [...names], paddingInner: 0.4, paddingOuter: 0.2 },
    title: null,
    axis: { ticks: false, domain: false, labelPadding: 8 },
  };
  // Room for the labels beside the longest bar.
  const scale = { domain: [0, most * 1.45], nice: false };
  const x = { type: "quantitative" as const, title: unit, scale, axis: { tickCount: 5 } };
  return {
    ...frame,
    height: 30 * names.length + 50,
    config: {
      font: "inherit",
      view: { stroke: null },
      axis: {
        labelColor: "currentColor",
        titleColor: "currentColor",
        labelFontSize: 12,
        titleFontSize: 12,
        titleFontWeight: "normal",
        domainColor: "var(--rule)",
        gridColor: "var(--rule)",
        gridOpacity: 0.5,
        tickColor: "var(--rule)",
      },
      axisY: { grid: false },
    },
    data: { values: bars.map((bar) => ({ ...bar })) },
    encoding: { y },
    layer: [
      { mark: { type: "bar", color: "var(--series-0)", opacity: 0.7 }, encoding: { x: { ...x, field: "median" } } },
      {
        mark: { type: "rule", color: "var(--text)", strokeWidth: 1.5 },
        encoding: { x: { ...x, field: "low" }, x2: { field: "high" } },
      },
      {
        mark: { type: "text", align: "left", dx: 6, fontSize: 12, color: "var(--text)" },
        encoding: { x: { ...x, field: "high" }, text: { field: "label", type: "nominal" } },
      },
    ],
  };
}

/** Returns the chart as an SVG element without a size; `label` says what it shows. A runtime without a bar keeps its line. */
export function drawBars(bars: readonly Bar[], names: readonly string[], unit: string, label: string) {
  return render(specification(bars, names, unit), label);
}
