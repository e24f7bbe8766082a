// Headless Chromium of the system: a plain page, a module worker, two bundlers, and a page that may not compile WebAssembly.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { run, within } from "./support/processes.mjs";
import { serve } from "./support/server.mjs";

const options = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function chromium() {
  try {
    return execFileSync("sh", ["-c", "command -v chromium || command -v chromium-browser"], {
      encoding: "utf8",
    }).trim();
  } catch {
    throw new Error("chromium is missing; install it: apt-get install chromium");
  }
}

/** Installs Chromium from Debian's packages where it is missing and this process may. */
export async function installChromium() {
  try {
    chromium();
  } catch (missing) {
    if (process.platform !== "linux" || process.getuid() !== 0) throw missing;
    console.log("apt-get install chromium");
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update"], { env, seconds: 300 });
    await run("apt-get", ["install", "-y", "--no-install-recommends", "chromium"], { env, seconds: 600 });
  }
}

/** Returns a browser. */
export async function launch(flags = []) {
  const { chromium: driver } = await import("playwright-core");
  return driver.launch({ executablePath: chromium(), args: [...options, ...flags], timeout: 60_000 });
}

/** Returns a promise that rejects when a page throws or crashes; whoever does not wait for it is not troubled. */
export function failure(page) {
  const failed = new Promise((_, reject) => {
    page.on("pageerror", (error) => reject(new Error(`page error: ${error.message}`)));
    page.on("crash", () => reject(new Error("the page has crashed")));
  });
  failed.catch(() => {});
  return failed;
}

/** Returns what a page leaves in `outcome`. */
export async function open(folder, path, { headers, flags = [], seconds = 120 } = {}) {
  const server = await serve(folder, headers);
  const browser = await launch(flags);
  try {
    const page = await browser.newPage();
    const failed = failure(page);
    const missing = new Promise((_, reject) => {
      page.on("response", (response) => {
        const gone = response.status() >= 400 && response.request().resourceType() === "script";
        if (gone) reject(new Error(`${response.url()}: ${response.status()}`));
      });
    });
    missing.catch(() => {});
    const told = [];
    page.on("console", (message) => told.push(message.text()));
    await page.goto(server.address + path);
    const outcome = page
      .waitForFunction(() => globalThis.outcome, undefined, { timeout: 0 })
      .then((handle) => handle.jsonValue());
    // When the other has won, its end is no one's business.
    outcome.catch(() => {});
    return await within(seconds, `${path}: ${told.join("\n")}`, Promise.race([outcome, failed, missing]));
  } finally {
    await browser.close();
    server.close();
  }
}

/** Returns a runtime that opens a page; `build` bundles it before. */
function page(name, path, { build, ...rest } = {}) {
  return {
    name: `Chromium, ${name}`,
    version: async () => /\d+(\.\d+)+/.exec(await run(chromium(), ["--version"]))?.[0],
    async run({ folder }) {
      await build?.(folder);
      return open(folder, path, rest);
    },
    ...rest,
  };
}

async function esbuild(folder) {
  const { build } = await import("esbuild");
  const entryPoints = [join(folder, "entries/bundle.mjs")];
  await build({ entryPoints, outdir: join(folder, "out/esbuild"), bundle: true, format: "esm", logLevel: "error" });
}

async function vite(folder) {
  const { build } = await import("vite");
  const outDir = join(folder, "out/vite");
  await build({ root: join(folder, "entries/vite"), base: "/out/vite/", logLevel: "error", build: { outDir } });
}

export const pages = [
  page("plain page", "/entries/page.html"),
  page("module worker", "/entries/worker.html"),
  page("Vite build", "/out/vite/index.html", { build: vite }),
  page("esbuild bundle", "/entries/bundle.html", { build: esbuild }),
  page("strict policy", "/entries/strict.html", {
    refuses: true,
    headers: (path) =>
      path.endsWith(".html") ? { "content-security-policy": "default-src 'self'; img-src data:" } : {},
  }),
];
