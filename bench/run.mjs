// Runs a benchmark: node bench/run.mjs NAME [options]. Node 20 does not strip types, so esbuild makes one file of it first.
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [name = "", ...options] = process.argv.slice(2);
const entry = join(root, "bench", `${name}.ts`);
if (name === "" || !existsSync(entry)) {
  const names = readdirSync(join(root, "bench")).flatMap((file) => file.match(/^(.+)\.ts$/)?.[1] ?? []);
  throw new Error(`expected the name of a benchmark, one of ${names.join(", ")}; got "${name}"`);
}
if (!existsSync(join(root, "src/wasm/bytes.ts"))) throw new Error("the module is not built yet; run: npm run build");
const outfile = join(root, "build", "bench", `${name}.mjs`);
await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "es2023",
  external: ["onnxruntime-web", "esbuild"],
  logLevel: "warning",
});
process.argv.splice(1, process.argv.length, outfile, ...options);
await import(pathToFileURL(outfile).href);
