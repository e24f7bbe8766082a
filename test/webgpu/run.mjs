// The GPU engine of the packed library, on a GPU in software: SwiftShader, which comes with Chromium. `npm run test:webgpu`.
// The list of runtimes is fixed: one that is missing, or that finds no adapter, is a failure.
import { cpSync, readdirSync, rmSync } from "node:fs";
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

const permissions = ["--cached-only", "--no-prompt", "--allow-read"];
/** Returns what Deno prints; with Vulkan's loader and driver from Chromium, so that it has the same adapter. */
async function deno(folder, args) {
  const gpu = await swiftShader();
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: gpu,
    VK_ICD_FILENAMES: join(gpu, "vk_swiftshader_icd.json"),
    NO_COLOR: "1",
  };
  return run(join(modules, ".bin/deno"), ["run", ...permissions, ...args], { cwd: folder, env, seconds: 240 });
}

/** What runs the scenario. */
const runtimes = {
  Chromium: (folder) => open(folder, "/webgpu/page.html", { flags: ["--enable-unsafe-webgpu"], seconds: 240 }),
  Deno: async (folder) => JSON.parse(await deno(folder, ["webgpu/host.mjs"])),
};

/** The command line draws an image with ONNX Runtime on WebGPU. */
async function commandLine(folder) {
  const cli = "node_modules/dc-solver/dist/cli.js";
  const options = ["--provider", "webgpu", "--model", "webgpu/perceptron", "--count", "2", "--steps", "3", "--json"];
  const rights = ["--allow-write", "--allow-env", "--allow-sys"];
  const printed = await deno(folder, [...rights, cli, "sample", ...options, "--out", "samples.png"]);
  const { provider } = JSON.parse(printed);
  if (provider !== "webgpu") throw new Error(`expected the provider webgpu, got ${printed}`);
  if (!readdirSync(folder).includes("samples.png")) throw new Error("no image");
}

await installRuntimes();
await installChromium();
const folder = await makeConsumer();
cpSync(join(here, "entries"), join(folder, "webgpu"), { recursive: true });
for (const name of ["scenario.mjs", "tolerance.mjs"]) cpSync(join(here, name), join(folder, "webgpu", name));
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
const started = performance.now();
const error = await commandLine(folder).then(
  () => undefined,
  (e) => e.message,
);
report("command line: sample --provider webgpu in Deno", (performance.now() - started) / 1000, error);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
