// Puts the parts of the page together.
import { startBits } from "./bits-section.ts";
import { Client } from "./client.ts";
import { startCompare } from "./compare-section.ts";
import { byId } from "./dom.ts";
import { startModel } from "./model-section.ts";
import { startSample } from "./sample-section.ts";
import { startSearch } from "./search-section.ts";
import { toHash } from "./setting.ts";
import { Store } from "./store.ts";

const { dcWorker } = window as unknown as { dcWorker: Worker };
const store = new Store(new Client(dcWorker));
const bits = startBits(store);
let isFirst = true;

const sample = startSample(store, bits.wait, (pictures, setting) => {
  bits.show(pictures, setting);
  if (!isFirst) return;
  isFirst = false;
  performance.mark("first-picture");
  // What is not needed for the first pictures comes after them.
  void bits.check();
  void keep();
});
const others = [startCompare(store), startSearch(store)];
const takeOther = () => {
  // What the old network was asked for is of no use, nor is what it found.
  for (const other of others) other.forget();
  sample.draw();
};
const model = startModel(store, takeOther, sample.refuse);

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
  const text = byId(button.dataset.copy ?? "");
  button.setAttribute("aria-label", `Copy ${button.dataset.what}`);
  button.addEventListener("click", () => copy(button, text.textContent ?? ""));
}
byId("share").addEventListener("click", (event) => copy(event.currentTarget as HTMLButtonElement, shareUrl()));

function shareUrl(): string {
  store.change({});
  return new URL(`#${toHash(store.setting)}`, location.href).href;
}

/** Copies a text, and says so on the button; where that is not allowed the text is selected, or is the address itself. */
async function copy(button: HTMLButtonElement, text: string): Promise<void> {
  button.dataset.label ??= button.textContent ?? "";
  const label = button.dataset.label;
  const source = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    if (source !== undefined) getSelection()?.selectAllChildren(byId(source));
    button.textContent = source === undefined ? "It is in the address bar" : "Selected";
  }
  const said = byId("said");
  said.textContent = button.textContent;
  setTimeout(() => {
    button.textContent = label;
    said.textContent = "";
  }, 2000);
}

/** Keeps the page for when there is no network. */
async function keep(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("sw.js");
    await navigator.serviceWorker.ready;
    byId("kept").textContent = "This page is kept by your browser and works offline.";
  } catch {
    // It works as long as there is a network.
  }
}

document.documentElement.dataset.state = "interactive";
performance.mark("interactive");
void model.load({ kind: "bundled" }, "digits");
