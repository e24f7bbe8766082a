// Bundles the page: node examples/text-to-image/page/build.mjs [folder]. What it writes is static, and works from any path of any server.
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = process.argv[2] ?? here("../../../build/examples/text-to-image");

await build({
  entryPoints: [here("main.js"), here("worker.js")],
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
});
mkdirSync(folder, { recursive: true });
cpSync(here("index.html"), join(folder, "index.html"));
cpSync(
  fileURLToPath(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm")),
  join(folder, "ort-wasm-simd-threaded.wasm"),
);
console.log(folder);
