// The page of examples/text-to-image in headless Chromium, filled in as a visitor does, against the pictures of test/fixtures/tiny-sd.
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode } from "fast-png";
import { failure, launch } from "../runtimes/browser.mjs";
import { within } from "../runtimes/support/processes.mjs";
import { serve } from "../runtimes/support/server.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const fixture = join(root, "test/fixtures/tiny-sd");

/** Returns the largest difference of a canvas from a picture of the reference, in an 8-bit value. */
async function difference(page, file) {
  const expected = decode(readFileSync(join(fixture, file)));
  const { width, data } = await page.evaluate(() => {
    const canvas = document.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return { width: canvas.width, data: Array.from(data).filter((_, at) => at % 4 < 3) };
  });
  if (width !== expected.width || data.length !== expected.data.length) throw new Error(`a canvas ${width} wide`);
  return data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.data[i])), 0);
}

async function fill(page, values) {
  for (const [label, value] of Object.entries(values)) await page.getByLabel(label, { exact: true }).fill(`${value}`);
}

/** Returns the text of the page once it is in one of some states. */
async function wait(page, ...states) {
  await page.waitForSelector(states.map((state) => `body[data-state=${state}]`).join(", "), { timeout: 120_000 });
  return page.locator("output").textContent();
}

function expect(what, actual, expected) {
  if (!expected.test(actual)) throw new Error(`${what}: expected ${expected}, got ${JSON.stringify(actual)}`);
}

/** Returns the largest difference that a visit finds; `built` is a folder with the bundled page in it. */
export async function checkTextToImagePage(built) {
  cpSync(join(fixture, "model"), join(built, "model"), { recursive: true });
  const server = await serve(built);
  const browser = await launch();
  try {
    const page = await browser.newPage({ viewport: { width: 800, height: 900 } });
    const failed = failure(page);
    return await within(300, "the page", Promise.race([visit(page, server.address), failed]));
  } finally {
    await browser.close();
    server.close();
  }
}

async function visit(page, address) {
  await page.goto(`${address}/index.html`);
  await wait(page, "ready");
  const generate = page.getByRole("button", { name: "Generate" });

  await generate.click();
  expect("without a folder", await wait(page, "failed"), /choose a model folder/);

  const boat = { Prompt: "a red boat on a quiet lake", "Negative prompt": "blurry", Seed: 1234 };
  await fill(page, { "or its address": "model", ...boat, Steps: 6, Guidance: 7.5, "Preview every": 2 });
  await fill(page, { Scheduler: "UniPCMultistepScheduler" });
  await generate.click();
  expect("a guided run", await wait(page, "done", "failed"), /^Done in/);
  const first = await difference(page, "images/unipc-guided.png");

  // A long run is stopped once a preview is there; nothing is loaded anew, and the next run is whole.
  await fill(page, { Steps: 500, "Preview every": 1 });
  const preview = page.evaluate(() => {
    const place = document.querySelector("#pictures");
    return new Promise((resolve) => new MutationObserver(resolve).observe(place, { childList: true }));
  });
  await generate.click();
  await preview;
  await page.getByRole("button", { name: "Stop" }).click();
  expect("after Stop", await wait(page, "stopped", "done", "failed"), /^Stopped$/);

  // The same folder as files of the visitor.
  await page.getByLabel("Model folder").setInputFiles(join(fixture, "model"));
  await fill(page, { "Negative prompt": "", Guidance: 1, Steps: 6, Scheduler: "DDIMScheduler" });
  await generate.click();
  expect("a run from files", await wait(page, "done", "failed"), /^Done in/);
  const second = await difference(page, "images/ddim.png");

  await page.getByLabel("Start from an image").setInputFiles(join(fixture, "images/input.png"));
  await fill(page, { ...boat, Guidance: 7.5, Steps: 10, Strength: 0.6 });
  await generate.click();
  expect("a run from an image", await wait(page, "done", "failed"), /^Done in/);
  const third = await difference(page, "images/image-ddim-guided.png");

  await page.evaluate(() => document.querySelector("form").reset());
  await fill(page, { "or its address": "nowhere" });
  await generate.click();
  expect("a missing file", await wait(page, "done", "failed"), /^"model_index.json": cannot be read: HTTP 404/);
  const { screenshots } = process.env;
  if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, "text-to-image.png") });
  const largest = Math.max(first, second, third);
  if (largest > 1) throw new Error(`the pictures differ by ${largest}`);
  return largest;
}
