// A project of a user in a temporary folder: the packed tarball installed, ONNX Runtime beside it, the scenario and its entries.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./processes.mjs";

export const here = dirname(dirname(fileURLToPath(import.meta.url)));
export const modules = join(here, "node_modules");
const root = dirname(dirname(here));

/** Runs npm. A development dependency of the library brings an old npm of its own, and npm's scripts find that one first. */
function npm(args, options) {
  const path = process.env.npm_execpath;
  return path === undefined ? run("npm", args, options) : run(process.execPath, [path, ...args], options);
}

/** Installs the runtimes of the lock file, unless they are those of an earlier run. */
export async function installRuntimes() {
  const lock = readFileSync(join(here, "package-lock.json"), "utf8");
  const stamp = join(modules, ".installed-lock.json");
  try {
    if (readFileSync(stamp, "utf8") === lock) return;
  } catch {
    // There is none yet.
  }
  console.log("npm ci in test/runtimes: about 1.3 GB");
  await npm(["ci", "--no-audit", "--no-fund"], { cwd: here, seconds: 900 });
  writeFileSync(stamp, lock);
}

/** Returns a module that imports all that a model folder holds for the library, as an edge worker has to. */
function importsOf(model) {
  const paths = readdirSync(model, { recursive: true }).filter((path) => /\.(json|onnx)$/.test(path));
  const imports = paths.map((path, i) => `import file${i} from "./digits/${path}";`);
  const entries = paths.map((path, i) => `["${path}", file${i}],`);
  return [...imports, "export const files = new Map([", ...entries, "]);\n"].join("\n");
}

/** Returns the folder of the project; it goes with this process. */
export async function makeConsumer() {
  const folder = mkdtempSync(join(tmpdir(), "dc-solver-runtimes-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  // `prepare` builds the package first.
  const packed = await npm(["pack", "--silent", "--pack-destination", folder], { cwd: root, seconds: 300 });
  const tarball = packed.trim().split("\n").at(-1);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const install = ["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", `./${tarball}`];
  await npm(install, { cwd: folder });
  for (const name of ["onnxruntime-web", "onnxruntime-common"]) {
    symlinkSync(join(modules, name), join(folder, "node_modules", name));
  }
  cpSync(join(here, "entries"), join(folder, "entries"), { recursive: true });
  cpSync(join(here, "scenario.mjs"), join(folder, "scenario.mjs"));
  cpSync(join(folder, "node_modules/dc-solver/models"), join(folder, "models"), { recursive: true });
  writeFileSync(join(folder, "models/digits.mjs"), importsOf(join(folder, "models/digits")));
  return folder;
}
