// The GPU engine of the packed library, on a GPU in software: SwiftShader, which comes with Chromium. `npm run test:webgpu`.
// The list of runtimes is fixed: one that is missing, or that finds no adapter, is a failure.
import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium, installChromium, open } from "../runtimes/browser.mjs";
import { installRuntimes, makeConsumer, modules } from "../runtimes/support/consumer.mjs";
import { run } from "../runtimes/support/processes.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** Returns where Debian's Chromium has its software GPU. */
async function swiftShader() {
  for (const folder of ["/usr/lib/chromium", "/usr/lib/chromium-browser", dirname(chromium())]) {
    try {
      if (readdirSync(folder).includes("vk_swiftshader_icd.json")) return folder;
    } catch {
      // Not there.
    }
  }
  throw new Error("Chromium's vk_swiftshader_icd.json is missing");
}

/** Returns what a program prints; with Vulkan's loader and driver from Chromium, so that all have the same adapter. */
async function printed(folder, command, args) {
  const gpu = await swiftShader();
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: gpu,
    VK_ICD_FILENAMES: join(gpu, "vk_swiftshader_icd.json"),
    NO_COLOR: "1",
  };
  return run(command, args, { cwd: folder, env, seconds: 240 });
}

const permissions = ["--cached-only", "--no-prompt", "--allow-read"];
const deno = (folder, args) => printed(folder, join(modules, ".bin/deno"), ["run", ...permissions, ...args]);
// The option: or Node 20 takes a minute to end after ONNX Runtime's WebGPU build.
const node = (folder, args) => printed(folder, process.execPath, ["--liftoff-only", ...args]);
const bun = (folder, args) => printed(folder, join(modules, ".bin/bun"), ["--no-install", ...args]);

/** What runs the scenario. */
const runtimes = {
  Chromium: (folder) => open(folder, "/webgpu/page.html", { flags: ["--enable-unsafe-webgpu"], seconds: 240 }),
  Deno: async (folder) => JSON.parse(await deno(folder, ["webgpu/host.mjs"])),
  Node: async (folder) => JSON.parse(await node(folder, ["webgpu/dawn-host.mjs"])),
  Bun: async (folder) => JSON.parse(await bun(folder, ["webgpu/dawn-host.mjs"])),
};

/** What runs the command line. */
const shells = {
  Deno: (folder, args) => deno(folder, ["--allow-write", "--allow-env", "--allow-sys", ...args]),
  Node: (folder, args) => node(folder, ["--import", "./webgpu/dawn.mjs", ...args]),
};

/** The command line draws an image with ONNX Runtime on WebGPU. */
async function commandLine(folder, name) {
  const cli = "node_modules/dc-solver/dist/cli.js";
  const options = ["--provider", "webgpu", "--model", "webgpu/perceptron", "--count", "2", "--steps", "3", "--json"];
  const image = `${name}.png`;
  const answer = await shells[name](folder, [cli, "sample", ...options, "--out", image]);
  const { provider } = JSON.parse(answer);
  if (provider !== "webgpu") throw new Error(`expected the provider webgpu, got ${answer}`);
  if (!readdirSync(folder).includes(image)) throw new Error("no image");
}

/** Gives the project the package `webgpu`, and the set-up for it that docs/webgpu.md shows. */
function setUpDawn(folder) {
  symlinkSync(join(modules, "webgpu"), join(folder, "node_modules/webgpu"));
  const page = readFileSync(join(here, "../../docs/webgpu.md"), "utf8");
  const shown = /```js\n(\/\/ dawn\.mjs[\s\S]*?)```/.exec(page);
  if (shown === null) throw new Error("docs/webgpu.md shows no dawn.mjs");
  writeFileSync(join(folder, "webgpu/dawn.mjs"), shown[1]);
}

await installRuntimes();
await installChromium();
const folder = await makeConsumer();
cpSync(join(here, "entries"), join(folder, "webgpu"), { recursive: true });
for (const name of ["scenario.mjs", "hardships.mjs", "tolerance.mjs"])
  cpSync(join(here, name), join(folder, "webgpu", name));
setUpDawn(folder);
const bundle = join(folder, "network.mjs");
await build({
  entryPoints: [join(here, "network.ts")],
  outfile: bundle,
  bundle: true,
  platform: "node",
  format: "esm",
  logLevel: "error",
});
const { perceptron, modelFolder, writeFiles } = await import(bundle);
writeFiles(join(folder, "webgpu/perceptron"), modelFolder(perceptron()));
writeFiles(join(folder, "webgpu/spoiled"), modelFolder(perceptron(400)));
rmSync(bundle);

let [passed, failed] = [0, 0];
const report = (name, seconds, error, told) => {
  if (error === undefined) passed++;
  else failed++;
  console.log(
    `${error === undefined ? "passed" : "FAILED"}: ${name} (${seconds.toFixed(1)} s)${told ? `: ${told}` : ""}`,
  );
  if (error !== undefined) console.log(error);
};
for (const [name, start] of Object.entries(runtimes)) {
  try {
    const { adapter, checks } = await start(folder);
    console.log(`${name}, ${adapter}`);
    for (const { name, seconds, error, told } of checks) report(name, seconds, error, told);
  } catch (error) {
    report(name, 0, error.message);
  }
}
for (const name of Object.keys(shells)) {
  const started = performance.now();
  const error = await commandLine(folder, name).then(
    () => undefined,
    (e) => e.message,
  );
  report(`command line: sample --provider webgpu in ${name}`, (performance.now() - started) / 1000, error);
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
