// The loss of each step with and without its ratio, on a logarithmic scale.
import type { SearchStep } from "./protocol.ts";

const [width, height] = [420, 240];
const box = { left: 44, right: width - 66, top: 12, bottom: height - 28 };

function svg(name: string, attributes: Record<string, string | number>, text = ""): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

/** Returns the chart of the steps found so far, of `count` in all. */
export function lossChart(found: readonly SearchStep[], count: number): SVGElement {
  const label = `Loss of ${found.length} of ${count} steps; the table beside it has the numbers`;
  const chart = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const values = found.flatMap(({ loss, lossWithout }) => [loss, lossWithout]).filter((v) => v > 0);
  const [low, high] = values.length === 0 ? [-3, -1] : decades(values);
  const x = (step: number) => box.left + ((step + 0.5) / count) * (box.right - box.left);
  const y = (v: number) =>
    box.bottom - ((Math.log10(Math.max(v, 10 ** low)) - low) / (high - low)) * (box.bottom - box.top);

  for (let exponent = low; exponent <= high; exponent++) {
    const at = y(10 ** exponent);
    chart.append(svg("line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at }));
    const mark = svg("text", { x: box.left - 8, y: at + 4, "text-anchor": "end" }, "10");
    mark.append(svg("tspan", { dy: -4, "font-size": 8 }, String(exponent).replace("-", "−")));
    chart.append(mark);
  }
  for (let step = 0; step < count; step++) {
    chart.append(svg("text", { x: x(step), y: height - 10, "text-anchor": "middle" }, String(step + 1)));
  }
  chart.append(svg("text", { x: box.right + 10, y: height - 10 }, "step"));
  for (const series of ["without", "with"] as const) {
    const points = found.map((s) => [x(s.step), y(series === "with" ? s.loss : s.lossWithout)] as const);
    chart.append(svg("polyline", { class: `line ${series}`, points: points.map((p) => p.join(",")).join(" ") }));
    for (const [cx, cy] of points) chart.append(svg("circle", { class: `dot ${series}`, cx, cy, r: 3.5 }));
  }
  nameSeries(chart, found.at(-1), y);
  return chart;
}

/** Writes the names of the series beside their ends, apart from each other. */
function nameSeries(chart: SVGElement, last: SearchStep | undefined, y: (value: number) => number): void {
  if (last === undefined) return;
  const [below, above] = [y(last.loss), y(last.lossWithout)];
  const near = Math.max(0, 14 - Math.abs(below - above)) / 2;
  const place = (at: number, shift: number) => Math.min(Math.max(at + shift, box.top + 8), box.bottom) + 4;
  const sign = below >= above ? 1 : -1;
  const at = { x: box.right + 4 };
  chart.append(svg("text", { class: "name with", ...at, y: place(below, sign * near) }, "with ratio"));
  chart.append(svg("text", { class: "name without", ...at, y: place(above, -sign * near) }, "ratio 1"));
}

function decades(values: readonly number[]): [number, number] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  return [Math.max(low, high - 12), high > low ? high : low + 1];
}
