// The demo page from end to end in headless Chromium. `npm run test:demo`; arguments pick tests by their names.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as ort from "onnxruntime-web";
import { buildDemo } from "../../demo/build.mjs";
import { serve } from "../../demo/serve.mjs";
import { loadModel } from "../../dist/onnx.js";
import { launch, open, pictures, pixels, tabTo } from "./browser.mjs";
import { faults } from "./faults.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const digits = join(root, "models/digits");
const small = "#class=3&steps=3&guidance=1&solver=unipc&seed=7&ratios=off";

const temporary = mkdtempSync(join(tmpdir(), "dc-solver-demo-"));
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));
const folder = await buildDemo();
const server = await serve(folder);
const browser = await launch();
const { page, complaints } = await open(browser);

/** Sets the page as a visitor does who follows a link. */
async function set(hash, steps) {
  await page.evaluate((value) => {
    document.getElementById("pictures").dataset.state = "waiting";
    // The setting may be there already, if only some tests run.
    if (location.hash === value) document.getElementById("draw").click();
    location.hash = value;
  }, hash);
  return pictures(page, steps);
}

const said = (id, text) =>
  page.waitForFunction(({ id, text }) => document.getElementById(id).textContent.includes(text), { id, text });

const tests = {
  async "becomes interactive and draws without being asked"() {
    await page.goto(server.address + small);
    await pictures(page, 3);
    const marks = await page.evaluate(() =>
      performance.getEntriesByType("mark").map(({ name, startTime }) => `${name} ${Math.round(startTime)} ms`),
    );
    console.log(`  ${marks.join(", ")}`);
  },

  async "draws the pictures that the library draws in Node"() {
    const hash = await pictures(page, 3);
    ort.env.wasm.numThreads = 1;
    const model = await loadModel({ ort, folder: digits });
    const plan = model.plan({ steps: 3, ratios: "off" });
    const { data } = await model.sample({ plan, condition: new Array(10).fill(3), seed: 7 });
    await model.dispose();
    const shown = (await pixels(page, "#pictures")).flat();
    assert.equal(shown.length, data.length);
    assert.ok(Math.max(...shown) > 200 && Math.min(...shown) < 50, "blank pictures");
    for (const [i, value] of data.entries()) {
      const expected = Math.min(Math.max((value + 1) / 2, 0), 1) * 255;
      assert.ok(Math.abs((shown[i] ?? 0) - expected) <= 2, `pixel ${i}: ${shown[i]}, not ${expected}`);
    }
    const film = await pixels(page, "#film");
    assert.equal(film.length, 6);
    for (const strip of film) assert.ok(new Set(strip).size > 20, "a blank strip");
    // The program that the page shows prints the hash that the page shows.
    const program = await page.textContent("#hash-program");
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", program], { cwd: root });
    assert.equal(printed.toString().trim(), hash);
  },

  async "has the solver's bits of the machine that built it"() {
    await page.waitForFunction(() => !document.getElementById("bits-solver").textContent.includes("…"));
    const cells = await page.$$eval("#bits-solver td", (all) => all.map((cell) => cell.textContent));
    assert.match(cells[0], /^[0-9a-f]{8}$/);
    assert.equal(cells[0], cells[1]);
    assert.equal(cells[2], "the same");
  },

  async "keeps a setting in the address and takes it from there"() {
    const shared = "#class=4&steps=4&guidance=2.5&solver=dpmpp&seed=99&ratios=1,1,0.9,1.1";
    const hash = await set(shared, 4);
    await page.reload();
    assert.equal(await pictures(page, 4), hash);
    const values = await page.$$eval("#setting select, #setting input", (all) => all.map(({ value }) => value));
    assert.deepEqual(values, ["4", "4", "2.5", "dpmpp", "searched", "99"]);
    assert.match(
      await page.textContent("#sample-command"),
      /--class 4 --steps 4 --guidance 2.5 --solver dpmpp --seed 99/,
    );
    await page.selectOption("#solver", "ddim");
    await pictures(page, 4);
    assert.match(page.url(), /solver=ddim&seed=99&ratios=auto$/, "ratios of another setting are dropped");
    await set("#class=x&steps=1e9&guidance=-1&solver=rm&seed=-5&ratios=1,NaN", 12);
    await page.click("#share");
    assert.match(page.url(), /#class=all&steps=12&guidance=1&solver=unipc&seed=0&ratios=auto$/);
  },

  async "aborts a run with the Escape key and a search with its button"() {
    await page.evaluate(() => {
      location.hash = "class=all&steps=12&guidance=12&solver=ddim&seed=1&ratios=off";
    });
    await page.waitForFunction(() => [1, 2].includes(document.querySelectorAll("#film li").length));
    await page.keyboard.press("Escape");
    await said("sample-status", "Stopped");
    await page.selectOption("#search-reference", "200");
    await page.click("#search");
    await page.waitForFunction(() => document.getElementById("search-progress").value > 0);
    await page.click("#search-abort");
    await said("search-status", "Stopped");
    const value = await page.$eval("#search-progress", (bar) => bar.value);
    assert.ok((await page.locator("#film li").count()) < 12);
    await set(small, 3);
    assert.equal(await page.$eval("#search-progress", (bar) => bar.value), value);
    assert.equal(await page.isDisabled("#search-abort"), true);
  },

  async "compares solvers"() {
    await page.selectOption("#compare-reference", "20");
    await page.click("#compare");
    await page.waitForSelector("#compare-table tr.best");
    assert.equal(await page.locator("#compare-table tbody tr").count(), 5);
    for (const strip of await pixels(page, "#compare-table")) assert.ok(new Set(strip).size > 20, "a blank strip");
  },

  async "searches ratios and uses them"() {
    await set(small.replace("steps=3", "steps=4"), 4);
    await page.selectOption("#points", "2");
    await page.selectOption("#search-reference", "20");
    await page.click("#search");
    await page.waitForSelector("#use-ratios", { state: "visible" });
    assert.equal(await page.locator("#search-table tbody tr").count(), 4);
    assert.equal(await page.locator("#search-chart circle").count(), 8);
    const download = page.waitForEvent("download");
    await page.click("#save-ratios");
    const file = await (await download).path();
    const { ratios, kind } = JSON.parse(readFileSync(file, "utf8"));
    assert.equal(kind, "dc-solver/ratios");
    const before = await pictures(page, 4);
    await page.click("#use-ratios");
    await page.waitForFunction((hash) => document.getElementById("pictures").dataset.hash !== hash, before);
    assert.ok(page.url().endsWith(`ratios=${ratios.join(",")}`));
    assert.equal(await page.inputValue("#ratios"), "searched");
  },

  async "refuses a broken network, says why, and goes on"() {
    const broken = join(temporary, "broken");
    cpSync(digits, broken, { recursive: true });
    const network = join(broken, "unet/model.onnx");
    writeFileSync(network, readFileSync(network).subarray(0, 100_000));
    await page.setInputFiles("#folder", broken);
    await page.waitForSelector("#model-error", { state: "visible" });
    assert.match(
      await page.textContent("#model-error"),
      /^"unet\/model.onnx": ONNX Runtime cannot load it with wasm: /,
    );
    rmSync(join(broken, "unet/config.json"));
    await page.setInputFiles("#folder", broken);
    await said("model-error", '"unet/config.json": cannot be read: there is no such file');
    await set(small, 3);
  },

  async "takes a folder and a URL"() {
    await page.setInputFiles("#folder", digits);
    await said("model-line", "the folder digits");
    for (const id of ["use-ratios", "search-table", "compare-table"])
      assert.equal(await page.isHidden(`#${id}`), true, `${id} is of another network`);
    assert.match(await page.textContent("#sample-command"), /--model DIR/);
    const before = complaints.length;
    const other = await serve(digits, { more: { "access-control-allow-origin": "*" } });
    await page.fill("#url", other.address);
    await page.press("#url", "Enter");
    await said("model-status", `${other.address} is loaded`);
    other.close();
    await page.fill("#url", `${server.address}nowhere`);
    await page.press("#url", "Enter");
    await said("model-error", "404");
    await page.click("#bundled");
    await said("model-line", "Network: digits,");
    await set(small, 3);
    // The browser itself complains of each file that a server lacks.
    const rest = complaints.splice(before).filter((text) => !/404 .*\/nowhere\/.*\.json\)$/.test(text));
    assert.deepEqual(rest, []);
  },

  async "can be used with the keyboard alone"() {
    await page.reload();
    await pictures(page, 3);
    await tabTo(page, "steps");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none", "the focus cannot be seen");
    await page.keyboard.press("ArrowRight");
    await pictures(page, 4);
    await tabTo(page, "draw");
    await page.evaluate(() => {
      document.getElementById("pictures").dataset.state = "waiting";
    });
    await page.keyboard.press("Enter");
    await pictures(page, 4);
    await tabTo(page, "search");
    await page.keyboard.press("Space");
    await page.waitForFunction(() => document.getElementById("search-progress").value > 0);
    await tabTo(page, "search-abort");
    await page.keyboard.press("Enter");
    await said("search-status", "Stopped");
    assert.equal(await page.evaluate(() => document.activeElement.id), "search");
    const unnamed = await page.$$eval("button, input, select, progress, canvas[role]", (all) =>
      all
        .filter((e) => !e.labels?.length && !e.getAttribute("aria-label") && !e.textContent.trim())
        .map((e) => e.outerHTML),
    );
    assert.deepEqual(unnamed, []);
  },

  async "has not complained"() {
    assert.deepEqual(complaints, []);
  },

  async "works from a path, on a phone, and without a network after the first visit"() {
    const other = await serve(folder, { base: "/some/where/" });
    const phone = { viewport: { width: 320, height: 700 }, isMobile: true, hasTouch: true, colorScheme: "dark" };
    const visit = await open(browser, phone);
    try {
      await visit.page.goto(other.address + small);
      const hash = await pictures(visit.page, 3);
      const width = await visit.page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(width, 320, "wider than the screen");
      await visit.page.waitForFunction(() => document.getElementById("kept").textContent.includes("offline"));
      await visit.context.setOffline(true);
      other.close();
      await visit.page.reload();
      assert.equal(await pictures(visit.page, 3), hash);
      assert.deepEqual(visit.complaints, []);
    } finally {
      await visit.context.close();
      other.close();
    }
  },

  async "says what it lacks in a browser without SIMD"() {
    const old = await launch(["--js-flags=--no-enable-sse4-1"]);
    try {
      const visit = await open(old);
      await visit.page.goto(server.address);
      assert.equal(await visit.page.isVisible("#unsupported"), true);
      assert.match(await visit.page.textContent("#unsupported"), /needs WebAssembly with SIMD/);
      assert.equal(await visit.page.isHidden("#app"), true);
      assert.deepEqual(visit.complaints, []);
    } finally {
      await old.close();
    }
  },

  async "says what it lacks in a browser without module workers"() {
    const visit = await open(browser);
    await visit.page.addInitScript(() => {
      // Reads no option, as browsers did before there was one.
      window.Worker = class {
        terminate() {}
      };
    });
    await visit.page.goto(server.address);
    assert.equal(await visit.page.isVisible("#unsupported"), true);
    assert.match(await visit.page.textContent("#unsupported"), /needs workers that are modules/);
    assert.deepEqual(visit.complaints, []);
    await visit.context.close();
  },

  ...faults({ browser, folder, server, small, digits, temporary }),
};

const picked = process.argv.slice(2);
let [passed, failed] = [0, 0];
try {
  for (const [name, test] of Object.entries(tests)) {
    // The first opens the page.
    if (picked.length > 0 && passed + failed > 0 && !picked.some((part) => name.includes(part))) continue;
    const started = performance.now();
    try {
      await test();
      passed++;
      console.log(`passed: ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed++;
      console.log(`FAILED: ${name}\n${error.stack}\n${complaints.join("\n")}`);
    }
  }
} finally {
  await browser.close();
  server.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
