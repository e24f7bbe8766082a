// The examples outside Node: the server in Deno and Bun, the edge worker as wrangler bundles it, the page with and without a bundler in
// headless Chromium; text to image there too, and all its runs. `npm run test:examples`; arguments, if any, pick some by their names. `npm run build` comes first.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModel } from "dc-solver/onnx";
import { decode } from "fast-png";
import * as ort from "onnxruntime-web";
import { failure, installChromium, launch } from "../runtimes/browser.mjs";
import { installRuntimes, modules } from "../runtimes/support/consumer.mjs";
import { kill, run, start, within } from "../runtimes/support/processes.mjs";
import { serve } from "../runtimes/support/server.mjs";
import { checkTextToImagePage } from "./text-to-image-page.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const examples = join(root, "examples");
const require = createRequire(join(modules, "package.json"));
// The network's bits are ONNX Runtime's own, and so far the same everywhere. Guidance amplifies what float32 leaves open.
const tolerance = 1e-3;

ort.env.wasm.numThreads = 1;
const model = await loadModel({ ort, folder: join(root, "models/digits") });
const wishes = [3, 1, 4, 1, 5, 9].map((digit, i) => ({
  digit,
  steps: 2 + (i % 3),
  guidance: [7.5, 1][i % 2],
  seed: i,
}));
const alone = [];
for (const { digit, steps, guidance: guidanceScale, seed } of wishes) {
  // An edge worker has no ratios beside its network.
  const plan = (ratios) => model.plan({ steps, guidanceScale, ratios });
  const sample = async (ratios) => {
    const { data } = await model.sample({ plan: plan(ratios), condition: [digit], guidanceScale, seed });
    return data;
  };
  alone.push({ auto: await sample("auto"), off: await sample("off") });
}
const query = ({ digit, steps, guidance, seed }) => `class=${digit}&steps=${steps}&guidance=${guidance}&seed=${seed}`;

function expect(what, actual, expected) {
  if (actual !== expected) throw new Error(`${what}: expected ${expected}, got ${actual}`);
}

function near(what, actual, expected, most = tolerance) {
  expect(`${what}: numbers`, actual.length, expected.length);
  const difference = actual.reduce((d, v, i) => Math.max(d, Math.abs(v - expected[i])), 0);
  if (!(difference <= most)) throw new Error(`${what}: differs by ${difference}`);
  return difference;
}

/** Asks for all wishes at once and compares the numbers; returns the largest difference. */
async function compare(fetchSample, ratios) {
  const answers = await Promise.all(wishes.map((wish) => fetchSample(`${query(wish)}&format=float32`)));
  const differences = answers.map(async (answer, i) => {
    expect(query(wishes[i]), answer.status, 200);
    return near(query(wishes[i]), new Float32Array(await answer.arrayBuffer()), alone[i][ratios]);
  });
  const picture = await fetchSample("class=2&steps=2");
  const signature = new Uint8Array(await picture.arrayBuffer()).subarray(1, 4);
  expect("signature of a picture", String.fromCharCode(...signature), "PNG");
  for (const [wrong, message] of [
    ["class=2&steps=0", '"steps": expected an integer ≥ 1, got 0'],
    ["class=12", '"class": expected integers from -1 to 9, got 12'],
    ["class=1&seed=0.5", '"seed": expected an integer from 0 to 2^53 − 1, got 0.5'],
  ]) {
    const answer = await fetchSample(wrong);
    expect(wrong, answer.status, 400);
    expect(wrong, (await answer.json()).error, message);
  }
  return Math.max(...(await Promise.all(differences)));
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function checkServer(command, args) {
  const child = start(command, [...args, `${await freePort()}`], { cwd: root });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  try {
    const address = await within(
      60,
      "start",
      firstAddress(child, ended, () => said),
    );
    const sample = (text, init) => fetch(`${address}/sample?${text}`, init);
    const difference = await compare(sample, "auto");
    const large = await sample("", { method: "POST", body: " ".repeat(70_000) });
    expect("a large body", large.status, 413);
    const requests = async () => (await (await fetch(`${address}/healthz`)).json()).requests;
    const cut = new AbortController();
    const lost = sample("class=1&steps=100", { signal: cut.signal }).catch(() => {});
    for (let i = 0; i < 200 && (await requests()) === 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    cut.abort();
    await lost;
    // Of 100 steps it is the cut that ends it.
    for (let i = 0; i < 20 && (await requests()) > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect("requests after a cut", await requests(), 0);
    const last = sample("class=1&steps=10");
    for (let i = 0; i < 200 && (await requests()) === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGTERM");
    expect("an answer while closing", (await last).status, 200);
    expect("exit code", await within(20, "end", ended), 0);
    if (said !== "") throw new Error(`it complained: ${said}`);
    return difference;
  } finally {
    kill(child);
  }
}

function firstAddress(child, ended, said) {
  return new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      const found = /http:\/\/[^/]+/.exec(String(chunk));
      if (found !== null) resolve(found[0]);
    });
    ended.then((code) => reject(new Error(`ended with ${code}: ${said()}`)));
  });
}

async function checkWorker(folder) {
  const outdir = join(folder, "worker");
  const env = { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false", XDG_CONFIG_HOME: join(folder, "config") };
  const args = ["deploy", "--dry-run", "--outdir", outdir, "--config", join(examples, "worker/wrangler.json")];
  await run(join(modules, ".bin/wrangler"), args, { cwd: folder, env });
  rmSync(join(examples, "worker/.wrangler"), { recursive: true, force: true });
  const kinds = { ".js": "ESModule", ".wasm": "CompiledWasm", ".onnx": "Data" };
  const files = readdirSync(outdir).filter((file) => extname(file) in kinds);
  files.sort((a, b) => Number(b === "index.js") - Number(a === "index.js"));
  const { Miniflare } = require("miniflare");
  const miniflare = new Miniflare({
    modules: files.map((file) => ({ type: kinds[extname(file)], path: join(outdir, file) })),
    modulesRoot: outdir,
    compatibilityDate: "2026-04-20",
    // It would be fetched from outside.
    cf: false,
  });
  try {
    return await within(
      120,
      "the worker",
      compare((text) => miniflare.dispatchFetch(`http://localhost/?${text}`), "off"),
    );
  } finally {
    await miniflare.dispose();
  }
}

/** Fills in the form as a visitor does and compares the canvas with what Node samples. */
async function checkPage(folder, path) {
  const server = await serve(folder);
  const browser = await launch();
  try {
    const page = await browser.newPage({ viewport: { width: 800, height: 420 } });
    const failed = failure(page);
    const visit = async () => {
      await page.goto(server.address + path);
      await page.waitForSelector("body[data-state=ready]", { timeout: 60_000 });
      const differences = [];
      for (const [i, { digit, steps, guidance, seed }] of wishes.slice(0, 3).entries()) {
        await page.getByLabel("Digit (").fill(`${digit}`);
        await page.getByLabel("Steps").fill("50");
        await page.getByRole("button").click();
        // A second click ends the run that is under way.
        await page.getByLabel("Steps").fill(`${steps}`);
        await page.getByLabel("Guidance").fill(`${guidance}`);
        await page.getByLabel("Seed").fill(`${seed}`);
        await page.getByRole("button").click();
        await page.getByText(`Step ${steps} of ${steps}, ${model.plan({ steps }).nfe} model calls`).waitFor();
        const pixels = await page.evaluate(() => {
          const canvas = document.querySelector("canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return Array.from(data).filter((_, at) => at % 4 === 0);
        });
        const greys = Array.from(alone[i].auto, (v) => Math.min(Math.max(Math.round(((v + 1) / 2) * 255), 0), 255));
        differences.push(near("the canvas", pixels, greys, 1));
      }
      const { screenshots } = process.env;
      if (screenshots !== undefined)
        await page.screenshot({ path: join(screenshots, `${path.split("/").at(-2)}.png`) });
      return Math.max(...differences);
    };
    return await within(180, path, Promise.race([visit(), failed]));
  } finally {
    await browser.close();
    server.close();
  }
}

async function checkBundled(folder) {
  await run(process.execPath, [join(examples, "bundled/build.mjs"), join(folder, "some/where")], { cwd: folder });
  return checkPage(folder, "/some/where/index.html");
}

/** All runs of the reference; what compares them is a test of their own. */
async function checkTextToImageRuns() {
  const test = "test/examples/text-to-image-runs.test.ts";
  const env = { ...process.env, RUNS: "all" };
  await run(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run", test], {
    cwd: root,
    env,
    seconds: 900,
  });
  return "within the tolerances";
}

/** The command in another runtime; returns the largest difference from the reference's picture, in an 8-bit value. */
async function checkTextToImageCommand(folder, command, args) {
  const fixture = join(root, "test/fixtures/tiny-sd");
  const out = join(folder, "picture.png");
  const wish = ["--model", join(fixture, "model"), "--prompt", "night city, rain", "--scheduler", "DDIMScheduler"];
  const own = [join(examples, "text-to-image/node.js"), ...wish, "--steps", "10", "--seed", "1234", "--out", out];
  await run(command, [...args, ...own], { cwd: root });
  const [actual, expected] = [out, join(fixture, "images/ddim-guided.png")].map(
    (path) => decode(readFileSync(path)).data,
  );
  return near("the picture", actual, expected, 1);
}

async function checkTextToImage(folder) {
  const built = join(folder, "text/to/image");
  await run(process.execPath, [join(examples, "text-to-image/page/build.mjs"), built], { cwd: folder });
  return checkTextToImagePage(built);
}

const server = (name) => join(examples, "server", name);
const denoArgs = ["run", "--cached-only", "--no-prompt", "--unstable-no-legacy-abort", "--allow-net", "--allow-read"];
const commandArgs = [
  "run",
  "--cached-only",
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
];
const all = [
  ["server in Deno", () => checkServer(join(modules, ".bin/deno"), [...denoArgs, server("deno.js")])],
  ["server in Bun", () => checkServer(join(modules, ".bin/bun"), ["--no-install", server("bun.js")])],
  ["edge worker", checkWorker],
  ["page", () => checkPage(root, "/examples/page/index.html")],
  ["bundled page", checkBundled],
  ["text to image, all runs", checkTextToImageRuns],
  ["text to image, page", checkTextToImage],
  ["text to image in Bun", (folder) => checkTextToImageCommand(folder, join(modules, ".bin/bun"), ["--no-install"])],
  ["text to image in Deno", (folder) => checkTextToImageCommand(folder, join(modules, ".bin/deno"), commandArgs)],
];
const picked = process.argv.slice(2);
const chosen = all.filter(([name]) => picked.length === 0 || picked.some((p) => name.includes(p)));

await installRuntimes();
await installChromium();
const folder = mkdtempSync(join(tmpdir(), "dc-solver-examples-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
let failures = 0;
for (const [name, check] of chosen) {
  const started = performance.now();
  try {
    const difference = await check(folder);
    console.log(
      `passed: ${name}; largest difference ${difference}; ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
  } catch (error) {
    failures++;
    console.log(`FAILED ${name}: ${error.stack}`);
  }
}
console.log(`${chosen.length - failures} passed, ${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
