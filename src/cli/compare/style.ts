// The style sheet of the page: light and dark, wide and narrow, screen and paper.

// Eight colours that keep a contrast of 3:1 to the page and differ for the colour-blind too; shapes and dashes tell the rest.
const light = ["#0060a8", "#c2410c", "#00795c", "#a3257f", "#8a6200", "#5b4fc4", "#4d4d4d", "#b3261e"];
const dark = ["#6cb6ff", "#ff9a5c", "#4fd1a5", "#f28fd0", "#e3b341", "#b4a7ff", "#c9c9c9", "#ff8f85"];

const variables = (colours: readonly string[], text: string, page: string, rule: string, soft: string) =>
  `--text: ${text}; --page: ${page}; --rule: ${rule}; --soft: ${soft}; ${colours.map((c, i) => `--series-${i}: ${c};`).join(" ")}`;

const onLight = variables(light, "#1a1a1a", "#ffffff", "#c8c8c8", "#595959");
const onDark = variables(dark, "#e8e8e8", "#14161a", "#4a4f57", "#a9b0ba");

export const style = `
:root { color-scheme: light dark; ${onLight} }
@media (prefers-color-scheme: dark) { :root { ${onDark} } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 0.5rem; }
p { max-width: 46rem; margin: 0.5rem 0; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1.5rem; }
.panels.wide, .panels.tables { grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption, caption { font-weight: 600; text-align: left; padding: 0.25rem 0; }
.chart { display: block; width: 100%; max-width: 30rem; height: auto; font-family: inherit; }
.scroll { overflow-x: auto; min-width: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.75rem 0.2rem 0; text-align: left; vertical-align: top; }
th { font-weight: 400; }
thead th { color: var(--soft); border-bottom: 1px solid var(--rule); }
tbody { border-bottom: 1px solid var(--rule); }
.best th[scope="row"], .best .error data { font-weight: 700; }
.interval, .note { color: var(--soft); }
.interval { white-space: nowrap; font-size: 0.9em; }
.ratios { font-size: 0.9rem; }
.ratios th[scope="row"] { white-space: nowrap; }
.strip { display: grid; grid-template-columns: 5.5rem 1fr; align-items: center; margin-bottom: 2px; }
.strip span { font-size: 0.85rem; overflow-wrap: anywhere; }
.strip img { display: block; width: 100%; height: auto; image-rendering: pixelated; background: #000; }
dl { margin: 0.5rem 0; }
dl div { display: grid; grid-template-columns: 11rem 1fr; gap: 0.75rem; padding: 0.15rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 32rem) {
  body { padding: 0.75rem; }
  dl div { grid-template-columns: 1fr; gap: 0; padding: 0.3rem 0; }
  table { font-size: 0.85rem; }
  .strip { grid-template-columns: 4.5rem 1fr; }
  th, td { padding-right: 0.4rem; }
  .scroll .interval { display: block; font-size: 0.85em; letter-spacing: -0.02em; }
}
@page { margin: 1.5cm; }
@media print {
  :root { color-scheme: light; ${onLight} }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .panels, .panels.wide { grid-template-columns: 1fr 1fr; gap: 0.5cm; }
  .panels.tables { grid-template-columns: 1fr; gap: 0.5cm; }
  .scroll { overflow: visible; }
  h2, h3, figcaption, caption { break-after: avoid; }
  figure, .scroll, tbody, dl div { break-inside: avoid; }
  .strip img { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
