// The form, the pictures, and the steps on the way to them.
import { byId, element, milliseconds, say, Task } from "./dom.ts";
import { paintEach, strip } from "./pictures.ts";
import type { PictureStep, Pictures } from "./protocol.ts";
import { type Setting, type SolverName, toHash } from "./setting.ts";
import type { Store } from "./store.ts";

/** So long a slider rests before the pictures follow it. */
const patience = 120;

const form = byId<HTMLFormElement>("setting");
const fields = {
  label: byId<HTMLSelectElement>("label"),
  steps: byId<HTMLInputElement>("steps"),
  guidance: byId<HTMLInputElement>("guidance"),
  solver: byId<HTMLSelectElement>("solver"),
  ratios: byId<HTMLSelectElement>("ratios"),
  seed: byId<HTMLInputElement>("seed"),
};
const status = byId("sample-status");
const progress = byId<HTMLProgressElement>("sample-progress");
const film = byId("film");
const pictures = byId("pictures");

/** Fills in the form. */
function show({ setting, model, fitting }: Store): void {
  const labels = model?.labels ?? 10;
  if (fields.label.length !== Math.max(labels, 1) + 1 || fields.label.length === 0) {
    const names = Array.from({ length: labels }, (_, i) => element("option", { value: String(i) }, String(i)));
    const all = labels === 0 ? "no classes" : "all in turn";
    fields.label.replaceChildren(element("option", { value: "all" }, all), ...names);
  }
  fields.label.disabled = labels === 0;
  fields.guidance.disabled = labels === 0;
  fields.label.value = String(setting.label);
  fields.solver.value = setting.solver;
  for (const name of ["steps", "guidance", "seed"] as const) {
    const field = fields[name];
    // While a number is typed, "07" stays as it is, and so does what is no number yet.
    const isTyped = document.activeElement === field && !field.validity.valid;
    if (!isTyped && (Number(field.value) !== setting[name] || field.value === "")) field.value = String(setting[name]);
  }
  byId("steps-value").textContent = String(setting.steps);
  const guidance = setting.guidance === 1 ? "off" : String(setting.guidance);
  byId("guidance-value").textContent = guidance;
  fields.guidance.setAttribute("aria-valuetext", guidance);
  byId<HTMLButtonElement>("draw").disabled = model === undefined;
  const searched = fields.ratios.options[2] as HTMLOptionElement;
  searched.disabled = fitting === undefined;
  fields.ratios.value = typeof setting.ratios === "string" ? setting.ratios : "searched";
}

function read(store: Store): Setting {
  const { label, steps, guidance, solver, ratios, seed } = fields;
  const list = ratios.value === "searched" ? (store.fitting ?? "auto") : (ratios.value as "auto" | "off");
  return {
    label: label.value === "all" ? "all" : Number(label.value),
    steps: Number(steps.value),
    guidance: Number(guidance.value),
    solver: solver.value as SolverName,
    seed: seed.validity.valid ? Number(seed.value) : store.setting.seed,
    ratios: list,
  };
}

/** Starts the section; `onStart` hears of every run, `onPictures` of every finished one. `refuse` says why there is no network. */
export function startSample(
  store: Store,
  onStart: () => void,
  onPictures: (pictures: Pictures, setting: Setting) => void,
): { draw(): void; refuse(message: string): void } {
  const task = new Task({
    abort: byId<HTMLButtonElement>("sample-abort"),
    error: byId("sample-error"),
    aborted: () => {
      status.textContent = "Stopped.";
      progress.value = 0;
      film.style.minHeight = "";
    },
  });
  let isFirst = true;
  let shown = toHash(store.setting);
  let timer: ReturnType<typeof setTimeout> | undefined;

  const draw = () => {
    clearTimeout(timer);
    const { setting, model } = store;
    shown = toHash(setting);
    if (model === undefined) return;
    void task.run(async (signal) => {
      progress.value = 0;
      progress.max = setting.steps;
      status.textContent = "Drawing…";
      pictures.dataset.state = "waiting";
      onStart();
      // What is below stays where it is while the film starts anew.
      film.style.minHeight = `${film.offsetHeight}px`;
      const onEvent = (event: PictureStep) => {
        progress.value = event.step + 1;
        paintEach(pictures, event.denoised, model.shape);
        if (isFirst) performance.mark("first-preview");
        isFirst = false;
        pictures.dataset.state = "preview";
        pictures.setAttribute("aria-label", `Preview of the pictures after step ${event.step + 1} of ${event.steps}`);
        filmStep(event, model.shape);
      };
      const result = await store.client.run("sample", setting, { signal, onEvent });
      paintEach(pictures, result.data, model.shape);
      film.style.minHeight = "";
      pictures.dataset.state = "done";
      pictures.dataset.hash = result.hash;
      const what = setting.label === "all" ? "all labels in turn" : `label ${setting.label}`;
      pictures.setAttribute("aria-label", `${pictures.childElementCount} pictures, ${what}`);
      // Drawn from the function that draws, so that it says what was drawn and not what is set by now.
      status.textContent = `${pictures.childElementCount} pictures in ${result.nfe} model calls: ${milliseconds(result.network)} in the network, ${milliseconds(result.solver)} in the solver.`;
      sayRatios(result, setting);
      onPictures(result, setting);
    });
  };

  store.listen((setting) => {
    show(store);
    if (toHash(setting) === shown) return;
    clearTimeout(timer);
    timer = setTimeout(draw, patience);
  });
  form.addEventListener("input", () => store.change(read(store)));
  // What was typed and is no seed gives way to the one that is drawn.
  fields.seed.addEventListener("blur", () => show(store));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    store.change(read(store));
    draw();
  });
  byId("dice").addEventListener("click", () => {
    // Short enough to be typed; the field takes more.
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    store.change({ seed: seed % 100000 });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && task.isRunning) byId("sample-abort").click();
  });
  show(store);
  return {
    draw,
    refuse(message) {
      status.textContent = "There is no network to draw with. Reload the page, or load a network of your own below.";
      say(byId("sample-error"), message);
    },
  };
}

function sayRatios({ ratios }: Pictures, setting: Setting): void {
  const list = ratios?.map((ratio) => ratio.toFixed(3)).join(" ");
  const none = setting.ratios === "off" ? "" : "The model folder has none for this setting; search for some below.";
  byId("ratios-hint").textContent = list ?? none;
}

/** Puts a step into the film; the first one begins a new film. */
function filmStep({ step, t, nfe, x, denoised }: PictureStep, shape: readonly number[]): void {
  if (step === 0) film.replaceChildren();
  const name = `step ${step + 1}`;
  film.append(
    element(
      "li",
      {},
      element(
        "span",
        {},
        element("b", {}, `Step ${step + 1}`),
        ` t ${t.toFixed(3)}, ${nfe} call${nfe === 1 ? "" : "s"}`,
      ),
      strip(x, shape, `State after ${name}`),
      strip(denoised, shape, `Denoised preview of ${name}`),
    ),
  );
}
