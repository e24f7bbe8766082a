// Edge workers: workerd by itself, through miniflare, and with what wrangler bundles.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { here, modules } from "./support/consumer.mjs";
import { kill, run, start, within } from "./support/processes.mjs";

const newest = join(modules, "workerd/bin/workerd");
const wranglers = join(modules, "wrangler/node_modules/workerd/bin/workerd");
/** No later than the oldest workerd here; no flags. */
const compatibilityDate = "2026-04-20";

const kinds = { ".js": "esModule", ".wasm": "wasm", ".onnx": "data" };

/** Writes the configuration of a worker whose files are in a folder, the entry first, and returns its path. */
function configure(folder, entry) {
  const files = readdirSync(folder).filter((file) => extname(file) in kinds && file !== entry);
  const module = (file) => `(name = "${file}", ${kinds[extname(file)]} = embed "${file}")`;
  const path = join(folder, "config.capnp");
  const text = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")] );
const main :Workerd.Worker = (
  compatibilityDate = "${compatibilityDate}",
  modules = [${[entry, ...files].map(module).join(", ")}] );
`;
  writeFileSync(path, text);
  return path;
}

/** Returns what a worker in a folder answers. */
async function serve(workerd, folder, entry) {
  const config = configure(folder, entry);
  const child = start(workerd, ["serve", config, "--control-fd=3"], { stdio: ["ignore", "pipe", "pipe", "pipe"] });
  let said = "";
  child.stdout.resume();
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const port = new Promise((resolve, reject) => {
    let events = "";
    child.stdio[3].on("data", (chunk) => {
      events += chunk;
      const found = /"port":\s*(\d+)/.exec(events);
      if (found !== null) resolve(found[1]);
    });
    child.on("error", reject);
    child.on("close", (code) => reject(new Error(`workerd ended with ${code}`)));
  });
  try {
    const answer = async () => (await fetch(`http://127.0.0.1:${await port}/`)).text();
    return parse(await within(120, "workerd", answer()));
  } catch (error) {
    throw new Error(`${error.message}\n${said.slice(-2000)}`);
  } finally {
    kill(child);
  }
}

/** Returns the outcome in what a worker answered; an error that it has caught is thrown on. */
function parse(text) {
  if (!text.startsWith("{")) throw new Error(`answered: ${text.slice(0, 200)}`);
  const outcome = JSON.parse(text);
  if (outcome.error !== undefined) throw new Error(outcome.error);
  return outcome;
}

/** Returns the folder with a worker as esbuild bundles it, under the conditions given. */
async function bundle(folder, name, conditions) {
  const { build } = await import("esbuild");
  const outdir = join(folder, "out", name);
  await build({
    entryPoints: [join(folder, "entries", `${name}.mjs`)],
    outdir,
    bundle: true,
    format: "esm",
    conditions,
    loader: { ".wasm": "copy", ".onnx": "copy" },
    assetNames: "[name]",
    logLevel: "error",
  });
  return outdir;
}

const conditions = ["workerd", "worker", "browser"];

async function wrangle(folder) {
  const config = {
    name: "digits",
    main: "entries/edge.mjs",
    compatibility_date: compatibilityDate,
    rules: [{ type: "Data", globs: ["**/*.onnx"], fallthrough: true }],
  };
  writeFileSync(join(folder, "wrangler.json"), JSON.stringify(config));
  const outdir = join(folder, "out/wrangler");
  const env = { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false", XDG_CONFIG_HOME: join(folder, "config") };
  const args = ["deploy", "--dry-run", "--outdir", outdir, "--config", "wrangler.json"];
  await run(join(modules, ".bin/wrangler"), args, { cwd: folder, env });
  return outdir;
}

const versionOf = (package_) => JSON.parse(readFileSync(join(modules, package_, "package.json"), "utf8")).version;
const workerdVersion = async (binary) => /\d+-\d+-\d+/.exec(await run(binary, ["--version"]))?.[0];

export const workers = [
  {
    name: "workerd",
    version: () => workerdVersion(newest),
    run: async ({ folder }) => serve(newest, await bundle(folder, "edge", conditions), "edge.js"),
  },
  {
    name: "workerd, bundled without its condition",
    refuses: true,
    version: () => workerdVersion(newest),
    run: async ({ folder }) => serve(newest, await bundle(folder, "edge-plain", []), "edge-plain.js"),
  },
  {
    name: "miniflare",
    version: async () => versionOf("miniflare"),
    async run({ folder }) {
      const outdir = await bundle(folder, "edge", conditions);
      return parse(await run(process.execPath, [join(here, "miniflare.mjs"), outdir, compatibilityDate]));
    },
  },
  {
    name: "workerd, bundled by wrangler",
    version: async () => `${versionOf("wrangler")}, ${await workerdVersion(wranglers)}`,
    run: async ({ folder }) => serve(wranglers, await wrangle(folder), "edge.js"),
  },
];
