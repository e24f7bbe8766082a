// @ts-check
// The page: the form, the pictures, and the worker that makes them.

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
const [start, stop] = /** @type {NodeListOf<HTMLButtonElement>} */ (form.querySelectorAll("button"));
const status = /** @type {HTMLOutputElement} */ (document.querySelector("output"));
const bar = /** @type {HTMLProgressElement} */ (document.querySelector("progress"));
const place = /** @type {HTMLElement} */ (document.querySelector("#pictures"));

/** @type {Record<string, string>} */
const phases = { text: "reading the prompt", image: "reading the image", denoise: "denoising", decode: "decoding" };

/**
 * Says where things stand. Tests look at `data-state`: ready, running, done, stopped, failed.
 * @param {string} state
 * @param {string} text
 */
function tell(state, text) {
  document.body.dataset.state = state;
  status.textContent = text;
  start.disabled = state === "running";
  stop.disabled = state !== "running";
}

/** Returns where the model is: files by their paths in the folder that holds model_index.json, or an address. */
function source() {
  const { files } = /** @type {HTMLInputElement} */ (form.elements.namedItem("folder"));
  const list = Array.from(files ?? []);
  const paths = list.map((file) => file.webkitRelativePath);
  const index = paths.filter((path) => path.endsWith("/model_index.json")).sort((a, b) => a.length - b.length)[0];
  if (list.length > 0 && index === undefined) throw new Error('the folder has no "model_index.json"');
  if (index !== undefined) {
    const root = index.slice(0, -"model_index.json".length);
    return { files: new Map(list.map((file, i) => [(paths[i] ?? "").slice(root.length), file])) };
  }
  const address = String(new FormData(form).get("address")).trim();
  if (address === "") throw new Error("choose a model folder, or give its address");
  return { address: new URL(address.replace(/\/*$/, "/"), document.baseURI).href };
}

/** Returns the options that the form has; empty fields are left to the pipeline. */
function options() {
  const fields = new FormData(form);
  const texts = ["prompt", "negativePrompt", "scheduler"];
  const image = /** @type {File} */ (fields.get("image"));
  const started = image.size > 0;
  const numbers = [
    "steps",
    "guidanceScale",
    "seed",
    "width",
    "height",
    "previewEvery",
    ...(started ? ["strength"] : []),
  ];
  const filled = (/** @type {string} */ name) => String(fields.get(name) ?? "") !== "";
  return Object.fromEntries([
    ...texts.filter(filled).map((name) => [name, fields.get(name)]),
    ...numbers.filter(filled).map((name) => [name, Number(fields.get(name))]),
    ...(started ? [["image", image]] : []),
  ]);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  try {
    const lowMemory = /** @type {HTMLInputElement} */ (form.elements.namedItem("lowMemory")).checked;
    worker.postMessage({ kind: "run", source: source(), options: options(), lowMemory });
    tell("running", "loading …");
    bar.value = 0;
  } catch (error) {
    tell("failed", error instanceof Error ? error.message : String(error));
  }
});
stop?.addEventListener("click", () => worker.postMessage({ kind: "stop" }));

worker.addEventListener("message", ({ data }) => {
  if (data.kind === "progress") {
    const { phase, doing, step, steps } = data.progress;
    if (phase === "denoise" && step !== undefined) bar.value = step / steps;
    tell("running", `${phases[phase]}: ${doing === "load" ? "loading the graph" : `${step} of ${steps}`}`);
  } else if (data.kind === "pictures") {
    draw(data.pictures);
    if (data.seconds !== undefined) tell("done", [`Done in ${data.seconds.toFixed(1)} s`, ...data.warnings].join("; "));
  } else tell(data.kind, data.message);
});
worker.addEventListener("error", (event) => tell("failed", `the worker failed: ${event.message}`));

/** @param {import("../pictures.js").Picture[]} pictures */
function draw(pictures) {
  place.replaceChildren(
    ...pictures.map(({ width, height, data }, i) => {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width, height });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Picture ${i + 1}`);
      const image = new ImageData(width, height);
      for (let p = 0; p < width * height; p++) image.data.set([...data.subarray(3 * p, 3 * p + 3), 255], 4 * p);
      canvas.getContext("2d")?.putImageData(image, 0, 0);
      return canvas;
    }),
  );
}

tell("ready", "Ready");
