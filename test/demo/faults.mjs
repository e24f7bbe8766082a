// What goes wrong on the visitor's side or on the server's, and what a hasty visitor does: each test in a page of its own.
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { serve } from "../../demo/serve.mjs";
import { open, pictures } from "./browser.mjs";

const draws = async (page) => {
  await page.evaluate(() => {
    document.getElementById("pictures").dataset.state = "waiting";
    document.getElementById("draw").click();
  });
  return pictures(page, 3);
};
const text = (page, id) => page.textContent(`#${id}`);
const said = (page, id, part) =>
  page.waitForFunction(({ id, part }) => document.getElementById(id).textContent.includes(part), { id, part });
const lost = { status: 404, body: "lost" };

/** Returns the tests; `small` is an address of three quick steps, `digits` the model folder, `temporary` one to write to. */
export function faults({ browser, folder, server, small, digits, temporary }) {
  /** Opens the page in a context of its own, `before` it asks for anything. */
  async function visit(work, { hash = small, before = () => {}, options = {} } = {}) {
    const visited = await open(browser, options);
    try {
      await before(visited);
      await visited.page.goto(server.address + hash);
      await work(visited.page, visited);
    } finally {
      await visited.context.close();
    }
  }

  return {
    async "asks for no more files than it needs for the first pictures"() {
      const asked = [];
      const before = ({ context }) => context.on("request", (request) => asked.push(request.url().split("/").at(-1)));
      await visit((page) => pictures(page, 3), { before });
      const kinds = asked.map((name) => name.replace(/^.*\./, "").replace(/#.*/, "")).filter((name) => name !== "svg");
      // The page, its style, three scripts, the runtime, the network; what is kept for later comes later, from sw.js.
      const first = kinds.slice(0, 7).sort();
      assert.deepEqual(first, ["", "css", "js", "js", "js", "onnx", "wasm"]);
    },

    async "lets a seed be typed, and falls back to the last one that was a seed"() {
      await visit(async (page) => {
        await pictures(page, 3);
        await page.focus("#seed");
        await page.keyboard.press("End");
        await page.keyboard.press("Backspace");
        assert.equal(await page.inputValue("#seed"), "");
        await page.keyboard.type("12");
        assert.match(page.url(), /seed=12&/);
        await page.keyboard.press("Home");
        await page.keyboard.type("-");
        assert.equal(await page.inputValue("#seed"), "-12");
        await page.focus("#solver");
        assert.equal(await page.inputValue("#seed"), "12");
      });
    },

    async "takes an address that makes no sense for what makes sense of it"() {
      await visit(async (page) => {
        await pictures(page, 3);
        const told = {
          "class=99&steps=3&guidance=1": /#class=all&steps=3&guidance=1&/,
          "steps=NaN&guidance=Infinity&seed=1e999": /#class=all&steps=5&guidance=3&solver=unipc&seed=0&ratios=auto$/,
          [`=&&=;%%%&class=${"9".repeat(10_000)}&steps=1e400&guidance=-0`]: /#class=all&steps=5&guidance=1&/,
        };
        for (const [hash, address] of Object.entries(told)) {
          await page.evaluate((value) => {
            location.hash = value;
          }, hash);
          await page.waitForFunction((source) => new RegExp(source).test(location.href), address.source);
        }
        await pictures(page, 5);
        assert.equal(await page.isHidden("#sample-error"), true);
      });
    },

    async "goes on where the browser lets the address change no more"() {
      await visit(async (page, { complaints }) => {
        await pictures(page, 3);
        // As Safari does after a hundred changes in ten seconds.
        await page.evaluate(() => {
          const { replaceState } = history;
          history.replaceState = () => {
            history.replaceState = replaceState;
            throw new DOMException("too often", "SecurityError");
          };
        });
        await page.focus("#steps");
        await page.keyboard.press("ArrowRight");
        assert.equal(await text(page, "steps-value"), "4");
        await pictures(page, 4);
        await page.waitForFunction(() => location.hash.includes("steps=4"));
        assert.deepEqual(complaints, []);
      });
    },

    async "draws the same after clicks upon clicks and aborts upon aborts"() {
      await visit(async (page, { complaints }) => {
        const hash = await pictures(page, 3);
        for (let i = 0; i < 10; i++) {
          for (const id of ["draw", "compare", "search", "draw"]) await page.click(`#${id}`);
          if (i % 2 === 0) for (const id of ["compare", "search", "sample"]) await page.click(`#${id}-abort`);
        }
        for (const id of ["compare", "search"]) await page.click(`#${id}-abort`);
        assert.equal(await draws(page), hash);
        for (const id of ["compare", "search", "sample"]) assert.equal(await page.isDisabled(`#${id}-abort`), true);
        assert.deepEqual(complaints, []);
      });
    },

    async "moves nothing below while the film starts anew, and shows no hash of pictures that are gone"() {
      await visit(async (page) => {
        await pictures(page, 3);
        await page.evaluate(() => {
          const film = document.getElementById("film");
          window.seen = { height: film.offsetHeight, least: film.offsetHeight, hashes: [] };
          new MutationObserver(() => {
            window.seen.least = Math.min(window.seen.least, film.offsetHeight);
            window.seen.hashes.push(document.querySelector("#bits-pictures td").textContent);
          }).observe(film, { childList: true });
        });
        await draws(page);
        const { height, least, hashes } = await page.evaluate(() => window.seen);
        assert.equal(least, height);
        assert.deepEqual(new Set(hashes), new Set(["…"]));
      });
    },

    async "draws with the network that was asked for last, however slow one before it is"() {
      const slow = join(temporary, "slow");
      cpSync(digits, slow, { recursive: true });
      rmSync(join(slow, "ratios"), { recursive: true });
      const schedule = join(slow, "scheduler/scheduler_config.json");
      const config = JSON.parse(readFileSync(schedule, "utf8"));
      writeFileSync(schedule, JSON.stringify({ ...config, beta_end: config.beta_end / 2 }));
      const other = await serve(slow, { more: { "access-control-allow-origin": "*" } });
      const isFromThere = (url) => url.href.startsWith(other.address);
      let release = () => {};
      const released = new Promise((resolve) => {
        release = resolve;
      });
      const before = ({ context }) =>
        context.route(isFromThere, async (route) => {
          await released;
          await route.continue();
        });
      const work = async (page) => {
        const hash = await pictures(page, 3);
        const asked = page.waitForRequest((request) => isFromThere(new URL(request.url())));
        await page.fill("#url", other.address);
        await page.press("#url", "Enter");
        await asked;
        await page.setInputFiles("#folder", digits);
        await said(page, "model-line", "the folder digits");
        const arrived = page.waitForResponse(
          (response) => /onnx$/.test(response.url()) && isFromThere(new URL(response.url())),
        );
        release();
        await (await arrived).finished();
        // Long enough for the slow one to be taken, if it were.
        await page.waitForTimeout(2000);
        assert.equal(await draws(page), hash);
        // It is another network indeed.
        await page.press("#url", "Enter");
        await said(page, "model-status", "is loaded");
        assert.notEqual(await draws(page), hash);
      };
      await visit(work, { before }).finally(other.close);
    },

    async "says which script did not arrive"() {
      for (const name of ["main", "worker"]) {
        const before = ({ context }) => context.route(new RegExp(`/${name}-[^/]*js$`), (route) => route.fulfill(lost));
        const work = (page) =>
          page.waitForFunction(() => {
            const visible = (id) => document.getElementById(id).checkVisibility();
            const told = document.getElementById("missing").textContent.includes("did not arrive") && !visible("app");
            // The page itself says so if it is there by then.
            return told || (visible("sample-error") && /worker has stopped/.test(document.body.textContent));
          });
        await visit(work, { before });
      }
    },

    async "says beside the pictures that there is no network, and works with one of the visitor's"() {
      let isLost = true;
      const before = ({ context }) =>
        context.route(/digits-[^/]*onnx$/, (route) => (isLost ? route.fulfill(lost) : route.continue()));
      await visit(
        async (page) => {
          for (const id of ["draw", "compare", "search"]) assert.equal(await page.isDisabled(`#${id}`), true);
          await page.waitForSelector("#sample-error", { state: "visible" });
          assert.match(await text(page, "sample-error"), /unet\/model.onnx": cannot be read: HTTP 404/);
          assert.match(await text(page, "sample-status"), /^There is no network/);
          assert.equal(await page.isDisabled("#draw"), true);
          await page.setInputFiles("#folder", digits);
          await pictures(page, 3);
          assert.equal(await page.isHidden("#sample-error"), true);
          isLost = false;
          await page.click("#bundled");
          await said(page, "model-line", "Network: digits,");
          await draws(page);
        },
        { before },
      );
    },

    async "says what a URL lacks"() {
      const closed = await serve(digits);
      await visit(async (page) => {
        await pictures(page, 3);
        await page.fill("#url", "ftp://there/digits");
        await page.press("#url", "Enter");
        await said(page, "model-error", "expected one that begins with https://");
        await page.fill("#url", closed.address);
        await page.press("#url", "Enter");
        await said(page, "model-error", "has to allow this page (access-control-allow-origin)");
        await draws(page);
      }).finally(closed.close);
    },

    async "works without storage"() {
      const before = ({ page }) =>
        page.addInitScript(() => {
          const get = () => {
            throw new DOMException("denied", "SecurityError");
          };
          Object.defineProperty(navigator, "serviceWorker", { get });
          for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"])
            Object.defineProperty(window, name, { get });
        });
      const work = async (page, { complaints }) => {
        await pictures(page, 3);
        await said(page, "bits-solver", "the same");
        assert.equal(await text(page, "kept"), "");
        assert.deepEqual(complaints, []);
      };
      await visit(work, { before });
    },

    async "is kept for later by a browser whose server redirects from index.html"() {
      const inner = await serve(folder);
      const outer = createServer(async ({ url }, response) => {
        if (url.endsWith("/index.html")) return response.writeHead(301, { location: "./" }).end();
        const answer = await fetch(new URL(url, inner.address));
        response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") });
        response.end(Buffer.from(await answer.arrayBuffer()));
      });
      await new Promise((resolve) => outer.listen(0, "127.0.0.1", resolve));
      const { page, context } = await open(browser);
      try {
        const address = `http://127.0.0.1:${outer.address().port}/`;
        await page.goto(address + small);
        const hash = await pictures(page, 3);
        await said(page, "kept", "offline");
        await context.setOffline(true);
        outer.close();
        outer.closeAllConnections();
        for (const path of ["?from=there", "index.html", ""]) {
          await page.goto(address + path + small);
          assert.equal(await pictures(page, 3), hash);
        }
      } finally {
        await context.close();
        outer.close();
        inner.close();
      }
    },
  };
}
