// Chromium of the system, the page in it, and everything that a page complains about.
import { installChromium, launch as start } from "../runtimes/browser.mjs";
import { installRuntimes } from "../runtimes/support/consumer.mjs";

/** Returns a browser; what it needs is installed where it is missing. */
export async function launch(more = []) {
  await installRuntimes();
  await installChromium();
  return start(more);
}

/** Returns a page in a context of its own, and the list of its complaints. */
export async function open(browser, contextOptions = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...contextOptions });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`page error: ${error.message}`));
  page.on("crash", () => complaints.push("the page has crashed"));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.text()} (${message.location().url})`);
  });
  return { context, page, complaints };
}

/** Waits until the pictures on the page are those of its setting, and returns their hash. */
export async function pictures(page, steps) {
  const isDone = ({ steps }) => {
    const done = document.getElementById("pictures").dataset.state === "done";
    const films = document.querySelectorAll("#film li").length;
    return done && /model calls:/.test(document.getElementById("sample-status").textContent) && films === steps;
  };
  await page.waitForFunction(isDone, { steps });
  return page.getAttribute("#pictures", "data-hash");
}

/** Returns the red values of each canvas below an element. */
export function pixels(page, selector) {
  return page.$$eval(`${selector} canvas`, (canvases) =>
    canvases.map((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return Array.from(data).filter((_, i) => i % 4 === 0);
    }),
  );
}

/** Goes on with the Tab key until the element of an id has the focus. */
export async function tabTo(page, id) {
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    if ((await page.evaluate(() => document.activeElement?.id)) === id) return;
  }
  throw new Error(`the Tab key does not lead to #${id}`);
}
