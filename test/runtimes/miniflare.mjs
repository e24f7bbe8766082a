// Prints what a worker answers in miniflare: node miniflare.mjs FOLDER DATE. In a process of its own, so that it can be ended.
import { readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { Miniflare } from "miniflare";

const [folder, compatibilityDate] = process.argv.slice(2);
const kinds = { ".js": "ESModule", ".wasm": "CompiledWasm", ".onnx": "Data" };
const files = readdirSync(folder).filter((file) => extname(file) in kinds);
const modules = files
  .sort((a, b) => Number(b === "edge.js") - Number(a === "edge.js"))
  .map((file) => ({ type: kinds[extname(file)], path: join(folder, file) }));

// `cf` would be fetched from outside.
const miniflare = new Miniflare({ modules, modulesRoot: folder, compatibilityDate, cf: false });
try {
  console.log(await (await miniflare.dispatchFetch("http://localhost/")).text());
} finally {
  await miniflare.dispose();
}
