// HTML from templates: what is put in is escaped, unless it is HTML already.
import { style } from "./style.ts";

/** A piece of HTML. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Html | string | number | undefined | readonly Content[];

export function escapeText(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (c) => names[c] as string);
}

function write(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Html) return content.text;
  if (typeof content === "object") return content.map(write).join("");
  return escapeText(String(content));
}

/** Returns the HTML of a template; lists are joined, undefined is nothing. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(parts.map((part, i) => part + write(contents[i])).join(""));
}

/** Returns a whole page that needs no network and no JavaScript: `body`, then a list of settings. */
export function document(
  title: string,
  settings: readonly (readonly [name: string, value: string])[],
  body: Html,
  ownStyle = "",
): string {
  return `<!DOCTYPE html>\n${
    html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(style + ownStyle)}</style>
</head>
<body>
${body}
<section>
<h2>Settings</h2>
<dl>${settings.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
</section>
</body>
</html>`.text
  }\n`;
}
