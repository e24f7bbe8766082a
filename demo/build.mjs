// Builds the demo page into build/demo: static files that work from any path. `node demo/build.mjs`.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { notices } from "../tools/notices.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const outdir = join(root, "build/demo");
const source = (name) => join(root, "demo", name);
const common = { bundle: true, format: "esm", target: "es2022", logLevel: "warning", legalComments: "none" };

/** Files below a folder, by paths in it. */
const filesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath ?? entry.path, entry.name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    )
    .sort();

/** Returns what Node makes of the scenario that the page runs too. */
async function serverBits() {
  const file = join(root, "build/demo-server-bits.mjs");
  const external = ["onnxruntime-web"];
  await build({ ...common, entryPoints: [source("server-bits.ts")], platform: "node", external, outfile: file });
  const module = await import(`${pathToFileURL(file)}?${Date.now()}`);
  return module.serverBits(join(root, "models/digits"));
}

/** Copies the network, under a name with its hash, and returns that and the text of the model folder's other files by their paths. */
function copyModel() {
  const from = join(root, "models/digits");
  const network = readFileSync(join(from, "unet/model.onnx"));
  const name = `digits-${createHash("sha256").update(network).digest("hex").slice(0, 8)}.onnx`;
  writeFileSync(join(outdir, name), network);
  const paths = filesOf(from).filter((path) => path.endsWith(".json"));
  return { name, texts: Object.fromEntries(paths.map((path) => [path, readFileSync(join(from, path), "utf8")])) };
}

/** Returns the licences of all that the page holds. ONNX Runtime's package names its licence and has no text of it; it is ours. */
function licences(ortVersion) {
  const mit = readFileSync(join(root, "LICENSE"), "utf8");
  const theirs = mit.replace(/^Copyright .*$/m, "Copyright (c) Microsoft Corporation");
  return `dc-solver\n\n${mit}\nonnxruntime-web ${ortVersion} (MIT)\n\n${theirs}\n${notices({})}`;
}

/** Builds the page anew and returns its folder. */
export async function buildDemo() {
  if (!existsSync(join(root, "src/wasm/bytes.ts"))) {
    execFileSync(process.execPath, [join(root, "tools/build.mjs"), "wasm"], { stdio: "inherit" });
  }
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  const model = copyModel();
  const runtime = createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm");
  const { version } = JSON.parse(readFileSync(join(dirname(dirname(runtime)), "package.json"), "utf8"));
  const ortWasm = `onnxruntime-${version}.wasm`;
  copyFileSync(runtime, join(outdir, ortWasm));
  copyFileSync(source("icon.svg"), join(outdir, "icon.svg"));
  const define = {
    // Forty small files in the worker's script: asked for one by one, they take longer than the network does.
    MODEL_TEXTS: JSON.stringify(JSON.stringify(model.texts)),
    NETWORK: JSON.stringify(model.name),
    ORT_WASM: JSON.stringify(ortWasm),
    SERVER_BITS: JSON.stringify(await serverBits()),
  };
  // Names carry a hash: a page never meets scripts of another version in some cache.
  const page = { ...common, outdir, minify: true, entryNames: "[name]-[hash]", define, metafile: true };
  const entryPoints = [source("main.ts"), source("worker.ts"), source("style.css")];
  const built = await build({ ...page, entryPoints });
  const boot = await build({ ...page, entryPoints: [source("boot.ts")], format: "iife", target: "es2015" });
  let html = readFileSync(source("index.html"), "utf8");
  for (const [file, { entryPoint }] of Object.entries({ ...built.metafile.outputs, ...boot.metafile.outputs })) {
    const plain = entryPoint.split("/").at(-1).replace(/\.ts$/, ".js");
    html = html.replaceAll(`"${plain}"`, `"${file.split("/").at(-1)}"`);
  }
  writeFileSync(join(outdir, "index.html"), html);
  writeFileSync(join(outdir, "licences.txt"), licences(version));

  const files = filesOf(outdir);
  const digest = createHash("sha256");
  for (const path of files) digest.update(path).update(readFileSync(join(outdir, path)));
  const serviceWorker = {
    // The page by the path of its folder: servers that redirect from the file's own name would have the redirection kept.
    FILES: JSON.stringify(files.map((path) => (path === "index.html" ? "./" : path))),
    VERSION: JSON.stringify(digest.digest("hex").slice(0, 16)),
  };
  await build({ ...common, minify: true, entryPoints: [source("sw.ts")], outdir, define: serviceWorker });
  return outdir;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.chdir(root);
  await buildDemo();
  console.log("build/demo: serve it from any path, or start `npm run demo`");
}
