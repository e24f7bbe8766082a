// dc-solver sample: pictures from a model folder.
import { loadModel } from "../onnx/load-model.ts";
import { sample } from "../sampling/sample.ts";
import { checkPlace, writeWhole } from "./files.ts";
import { type Clock, timed } from "./listen.ts";
import { isPicture, png, tile } from "./picture.ts";
import { startProgress } from "./progress.ts";
import { planWith, readRatios } from "./ratios.ts";
import { loadOrt, modelFolder } from "./runtime.ts";
import { readSolver } from "./solver.ts";
import { parse, readCount, readInteger, readNumber, readProvider, UsageError } from "./usage.ts";

const defaults = {
  model: "",
  solver: "unipc",
  steps: "5",
  guidance: "7.5",
  class: "all",
  count: "10",
  seed: "0",
  ratios: "auto",
  provider: "wasm",
  out: "samples.png",
};

export const sampleHelp = `dc-solver sample: draws samples and writes them as one PNG

  --model DIR        model folder in the diffusers layout, a path or a URL (the bundled digits)
  --solver NAME      ${defaults.solver}; others: see "dc-solver info"; or a sampler of A1111, ComfyUI, k-diffusion or diffusers
                     by its name there, as in --solver "DPM++ 2M Karras"
  --steps N          steps, for most solvers one model call each (${defaults.steps})
  --guidance W       classifier-free guidance scale, 1 = off (${defaults.guidance})
  --class K          a label, or all: one after the other (${defaults.class})
  --count N          number of samples (${defaults.count})
  --seed N           the same seed gives the same picture everywhere (${defaults.seed})
  --ratios R         compensation: auto (the model folder's, if some fit), off, or a file of ratios: what search or fit
                     wrote, an array in JSON, a ratio model in .npy (${defaults.ratios})
  --provider P       wasm or webgpu (${defaults.provider})
  --out FILE         (${defaults.out})
  --json             the result as JSON on stdout
  --help`;

function readClasses(text: string | undefined, count: number, labels: number): number[] {
  if (text !== "all") {
    const label = readInteger("class", text, 0);
    if (label < labels) return new Array<number>(count).fill(label);
    const range = labels === 0 ? "all; this network takes no class" : `all or 0 to ${labels - 1}`;
    throw new UsageError(`--class: expected ${range}, got ${label}`);
  }
  return Array.from({ length: count }, (_, i) => (labels === 0 ? -1 : i % labels));
}

/** Runs `dc-solver sample` and prints what it has done. */
export async function runSample(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const { text, on } = parse(argv, defaults, ["json", "help"]);
  if (on.has("help")) return void process.stdout.write(`${sampleHelp}\n`);
  const steps = readInteger("steps", text.steps, 1);
  const count = readInteger("count", text.count, 1);
  const seed = readInteger("seed", text.seed, 0);
  const guidanceScale = readNumber("guidance", text.guidance);
  if (text.class !== "all") readInteger("class", text.class, 0);
  const provider = readProvider(text.provider);
  const { out = "", solver = "" } = text;
  const solverOptions = readSolver("solver", solver);
  if (out === "") throw new UsageError('--out: expected a file name, got ""');
  await checkPlace("--out", out);
  const ratios = await readRatios(text.ratios ?? "auto");

  const ort = await loadOrt(provider);
  const model = await loadModel({ ort, folder: modelFolder(text.model), executionProviders: [provider] });
  try {
    if (!isPicture(model.shape)) {
      throw new Error(`samples of shape [${model.shape.join(", ")}] are no pictures of 1 or 3 channels`);
    }
    readCount("count", text.count, 1, model.shape);
    const condition = readClasses(text.class, count, model.labels);
    if (model.labels === 0 && guidanceScale !== 1) {
      throw new UsageError("--guidance: this network takes no class, so there is nothing to guide; give --guidance 1");
    }
    const plan = await planWith(model, ratios, { ...solverOptions, steps, guidanceScale });
    const clock: Clock = { seconds: 0, elsewhere: 0 };
    const progress = startProgress(plan.nfe, "model calls");
    let calls = 0;
    const denoiser = timed(model.denoiser, clock, () => progress.update(++calls));
    const shape = [count, ...model.shape];
    const started = performance.now();
    let result: Awaited<ReturnType<typeof sample>>;
    try {
      result = await sample<readonly number[]>({
        plan,
        denoiser,
        shape,
        seed,
        condition,
        guidanceScale,
        ...(guidanceScale === 1 ? {} : { unconditional: condition.map(() => -1) }),
        signal,
      });
    } finally {
      progress.stop();
    }
    const solverSeconds = (performance.now() - started) / 1000 - clock.seconds - clock.elsewhere;
    const picture = tile(result.data, shape, Math.min(count, 10));
    signal.throwIfAborted();
    writeWhole(out, png(picture));
    report(on.has("json"), {
      solver,
      steps,
      nfe: result.nfe,
      guidance: guidanceScale,
      classes: condition,
      seed,
      ratios: plan.options.ratios ?? null,
      provider,
      modelSeconds: clock.seconds,
      solverSeconds,
      out,
      width: picture.width,
      height: picture.height,
    });
  } finally {
    await model.dispose();
  }
}

interface Report {
  solver: string;
  ratios: readonly number[] | null;
  nfe: number;
  modelSeconds: number;
  solverSeconds: number;
  out: string;
  classes: readonly number[];
  [more: string]: unknown;
}

function report(asJson: boolean, r: Report): void {
  const solver = r.ratios === null ? r.solver : `${r.solver} with compensation`;
  const text = `${solver}: nfe ${r.nfe}, ${r.modelSeconds.toFixed(3)} s in the model, ${r.solverSeconds.toFixed(4)} s in the solver; ${r.classes.length} samples in ${r.out}`;
  process.stdout.write(`${asJson ? JSON.stringify(r, undefined, 2) : text}\n`);
}
