// Model folders for loadModel: the bundled one, one at a URL, one of the visitor's files.
import type { Folder } from "../src/onnx/index.ts";
import type { Source } from "./protocol.ts";

/** Set by the build: the files of the bundled folder, beside the page. */
declare const MODEL_FILES: readonly string[];

const index = "ratios/index.json";

export function folderOf(source: Source): Folder {
  if (source.kind === "url") return new URL(source.url);
  if (source.kind === "files") {
    return listed([...source.files.keys()], async (path) => (source.files.get(path) as Blob).arrayBuffer());
  }
  return listed(MODEL_FILES, async (path) => {
    const response = await fetch(new URL(`digits/${path}`, location.href));
    if (!response.ok) throw new Error(`HTTP ${response.status} ${response.statusText}`.trimEnd());
    return response.arrayBuffer();
  });
}

/** Returns a folder whose files are known: what is not there is not asked for, and ratios need no index. */
function listed(paths: readonly string[], read: (path: string) => Promise<ArrayBuffer>): Folder {
  return async (path) => {
    if (paths.includes(path)) return new Uint8Array(await read(path));
    const ratios = paths.filter((name) => /^ratios\/[^/]+\.json$/.test(name)).sort();
    if (path !== index || ratios.length === 0) throw new Error("there is no such file");
    const files = ratios.map((name) => name.slice("ratios/".length));
    return new TextEncoder().encode(JSON.stringify({ kind: "dc-solver/ratio-index", version: 1, files }));
  };
}
