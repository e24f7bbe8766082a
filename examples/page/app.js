// Draws digits on the page it runs in, step by step. The same file serves a page without a bundler and a bundled one.
import { sampleSteps } from "dc-solver";
import { loadModel } from "dc-solver/onnx";
import * as ort from "onnxruntime-web/wasm";

const form = document.querySelector("form");
const canvas = document.querySelector("canvas");
const status = document.querySelector("output");

/**
 * Makes the form work.
 * @param {{ folder: string, wasm?: string }} where the model folder is, and ONNX Runtime's .wasm file if it is not beside its script;
 *   both relative to the page
 */
export async function start({ folder, wasm }) {
  // Threads need a page that is isolated from others, and gain nothing for a network this small.
  ort.env.wasm.numThreads = 1;
  if (wasm !== undefined) ort.env.wasm.wasmPaths = { wasm: new URL(wasm, document.baseURI).href };
  tell("loading", "Loading the network …");
  const model = await loadModel({ ort, folder: new URL(folder, document.baseURI) });
  let running;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // A run that is under way ends, and the new one begins.
    running?.abort();
    const run = new AbortController();
    running = run;
    const wish = Object.fromEntries(Array.from(new FormData(form), ([name, value]) => [name, Number(value)]));
    try {
      tell("running", "Sampling …");
      const { steps, guidance: guidanceScale, seed } = wish;
      const condition = wish.class === -1 ? Array.from({ length: 10 }, (_, digit) => digit) : [wish.class];
      const events = sampleSteps({
        plan: model.plan({ steps, guidanceScale }),
        denoiser: model.denoiser,
        shape: [condition.length, ...model.shape],
        condition,
        unconditional: condition.map(() => -1),
        guidanceScale,
        seed,
        signal: run.signal,
      });
      for await (const { step, x, denoised, nfe } of events) {
        const last = step === steps - 1;
        draw(last ? x : denoised, model.shape);
        tell(last ? "done" : "running", `Step ${step + 1} of ${steps}, ${nfe} model calls`);
        // The network works on this thread: without a pause nothing is painted, and nothing is heard.
        await new Promise((resolve) => setTimeout(resolve));
      }
    } catch (error) {
      // What is said of it is the newer run's.
      if (run !== running) return;
      tell("failed", error.message);
    }
  });
  tell("ready", "Ready");
  form.querySelector("button").disabled = false;
}

function tell(state, text) {
  document.body.dataset.state = state;
  status.textContent = text;
}

/** Draws grey samples [count, 1, height, width] side by side; −1 is black, 1 is white. */
function draw(samples, [, height, wide]) {
  const count = samples.length / (height * wide);
  canvas.width = count * wide;
  canvas.height = height;
  const picture = new ImageData(canvas.width, height);
  for (const [i, value] of samples.entries()) {
    const row = Math.floor(i / wide) % height;
    const column = Math.floor(i / (wide * height)) * wide + (i % wide);
    const grey = Math.round(((value + 1) / 2) * 255);
    picture.data.set([grey, grey, grey, 255], 4 * (row * canvas.width + column));
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}
