// Model folders for loadModel: the bundled one, one at a URL, one of the visitor's files.
import type { Folder } from "../src/onnx/index.ts";
import type { Source } from "./protocol.ts";

/** Set by the build: the name of the bundled network beside the page, and the other files of its folder as JSON, text by path. */
declare const NETWORK: string;
declare const MODEL_TEXTS: string;

const index = "ratios/index.json";

export function folderOf(source: Source): Folder {
  if (source.kind === "url") return new URL(source.url);
  if (source.kind === "files") {
    return listed([...source.files.keys()], async (path) => {
      return new Uint8Array(await (source.files.get(path) as Blob).arrayBuffer());
    });
  }
  const texts = JSON.parse(MODEL_TEXTS) as Record<string, string>;
  return listed([...Object.keys(texts), "unet/model.onnx"], async (path) => {
    const text = texts[path];
    if (text !== undefined) return new TextEncoder().encode(text);
    const response = await fetch(new URL(NETWORK, location.href));
    if (!response.ok) throw new Error(`HTTP ${response.status} ${response.statusText}`.trimEnd());
    return new Uint8Array(await response.arrayBuffer());
  });
}

/** Returns a folder whose files are known: what is not there is not asked for, and ratios need no index. */
function listed(paths: readonly string[], read: (path: string) => Promise<Uint8Array>): Folder {
  return async (path) => {
    if (paths.includes(path)) return read(path);
    const ratios = paths.filter((name) => /^ratios\/[^/]+\.json$/.test(name)).sort();
    if (path !== index || ratios.length === 0) throw new Error("there is no such file");
    const files = ratios.map((name) => name.slice("ratios/".length));
    return new TextEncoder().encode(JSON.stringify({ kind: "dc-solver/ratio-index", version: 1, files }));
  };
}
