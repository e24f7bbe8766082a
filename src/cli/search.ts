// dc-solver search: compensation ratios of one setting, found with the network itself.
import { rm } from "node:fs/promises";
import { type RatioSearchOptions, searchRatios } from "../compensation/ratio-search.ts";
import { referencePlan } from "../compensation/reference.ts";
import type { RatioSearch } from "../compensation/search-json.ts";
import { type LoadedModel, loadModel } from "../onnx/load-model.ts";
import type { Plan } from "../plan/plan.ts";
import { findSolver } from "../solvers/index.ts";
import { checkFree, checkPlace, exists, writeJson } from "./files.ts";
import { timed } from "./listen.ts";
import { loadOrt, modelFolder } from "./runtime.ts";
import { readSolver } from "./solver.ts";
import {
  blameUsage,
  parse,
  readCount,
  readInteger,
  readNumber,
  readNumbers,
  readProvider,
  readWord,
  UsageError,
} from "./usage.ts";
import { Partial, partialOf, Work } from "./work.ts";

const defaults = {
  model: "",
  steps: "5",
  guidance: "7.5",
  solver: "unipc",
  order: "",
  "dc-order": "2",
  seed: "0",
  points: "10",
  holdout: "40",
  objective: "corrected",
  "reference-steps": "200",
  "reference-solver": "ddim",
  bounds: "0.25,2",
  tolerance: "2e-3",
  "max-evaluations": "9",
  provider: "wasm",
  out: "ratios.json",
};

export const searchHelp = `dc-solver search: finds compensation ratios for a model, by forward passes alone

  --model DIR            model folder in the diffusers layout, a path or a URL (the bundled digits)
  --steps N              steps of the sampler that the ratios are for (${defaults.steps})
  --guidance W           its classifier-free guidance scale, 1 = off (${defaults.guidance})
  --solver NAME          (${defaults.solver}); others as for "dc-solver sample"
  --order N              order of the solver (its own default)
  --dc-order K           degree of the interpolation; the first K ratios are 1 (${defaults["dc-order"]})
  --seed N               first seed; labels go round the classes (${defaults.seed})
  --points N             samples the ratios are found with: seeds N, N + 1, … (${defaults.points})
  --holdout N            other samples they are judged by: the seeds after those; 0 for none (${defaults.holdout})
  --objective O          corrected, or predicted: no model calls, but exact only for solvers without corrector (${defaults.objective})
  --reference-steps N    at least so many steps to compare with (${defaults["reference-steps"]})
  --reference-solver S   (${defaults["reference-solver"]})
  --bounds LOW,HIGH      smallest and largest ratio (${defaults.bounds})
  --tolerance X          a ratio this close to one tried before ends a step's search (${defaults.tolerance})
  --max-evaluations N    ratios tried in a step (${defaults["max-evaluations"]})
  --provider P           wasm or webgpu (${defaults.provider})
  --out FILE             (${defaults.out}); FILE.partial holds the finished steps until then
  --resume               goes on from FILE.partial
  --force                overwrites FILE
  --json                 the result as JSON on stdout
  --help`;

/** Seeds, and their labels. */
interface Batch {
  readonly seeds: number[];
  readonly classes: number[];
}

/** Returns the seeds first + from … first + to − 1; labels go round the classes, beginning with 0 at the first seed. */
function batchOf(first: number, from: number, to: number, labels: number): Batch {
  const indices = Array.from({ length: to - from }, (_, i) => from + i);
  return { seeds: indices.map((i) => first + i), classes: indices.map((i) => (labels === 0 ? -1 : i % labels)) };
}

/** Runs `dc-solver search` and prints what it has found. */
export async function runSearch(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const { text, on } = parse(argv, defaults, ["resume", "force", "json", "help"]);
  if (on.has("help")) return void process.stdout.write(`${searchHelp}\n`);
  const steps = readInteger("steps", text.steps, 1);
  const guidanceScale = readNumber("guidance", text.guidance);
  const first = readInteger("seed", text.seed, 0);
  const points = readInteger("points", text.points, 1);
  const held = readInteger("holdout", text.holdout, 0);
  const rules: Rules = {
    reference: {
      steps: readInteger("reference-steps", text["reference-steps"], steps),
      solver: text["reference-solver"] as string,
    },
    objective: readWord("objective", text.objective, ["corrected", "predicted"]),
    bounds: readNumbers("bounds", text.bounds, 2) as [number, number],
    tolerance: readNumber("tolerance", text.tolerance),
    maxEvaluations: readInteger("max-evaluations", text["max-evaluations"], 1),
  };
  const dcOrder = readInteger("dc-order", text["dc-order"], 1);
  const order = text.order === "" ? {} : { order: readInteger("order", text.order, 1) };
  const provider = readProvider(text.provider);
  const { out = "", solver = "" } = text;
  const solverOptions = readSolver("solver", solver);
  blameUsage(() => findSolver(rules.reference.solver));
  if (out === "") throw new UsageError('--out: expected a file name, got ""');
  await checkOut(out, on.has("resume"), on.has("force"));

  const ort = await loadOrt(provider);
  const model = await loadModel({ ort, folder: modelFolder(text.model), executionProviders: [provider] });
  try {
    const { labels } = model;
    if (labels === 0 && guidanceScale !== 1) {
      throw new UsageError("--guidance: this network takes no class, so there is nothing to guide; give --guidance 1");
    }
    const plan = blameUsage(() =>
      model.plan({ ...solverOptions, ...order, dcOrder, steps, guidanceScale, ratios: "off" }),
    );
    readCount("points", text.points, 1, model.shape);
    readCount("holdout", text.holdout, 0, model.shape);
    const train = batchOf(first, 0, points, labels);
    const holdout = held === 0 ? undefined : batchOf(first, points, points + held, labels);
    const partial = new Partial(out, { model: model.hash(), classes: train.classes });
    const resume = on.has("resume") ? await partial.read() : undefined;
    const search = await find(model, partial, resume, { plan, guidanceScale, train, holdout, rules, signal });
    const file = {
      ...(search.toJSON() as object),
      settings: { ...search.settings, model: model.hash() },
      classes: train.classes,
      ...(holdout === undefined ? {} : { holdout }),
    };
    writeJson(out, file);
    await rm(partial.path, { force: true });
    const result = on.has("json") ? JSON.stringify({ out, ...file }, undefined, 2) : report(search, points, held, out);
    process.stdout.write(`${result}\n`);
  } finally {
    await model.dispose();
  }
}

/** Throws unless the result may be put at `out`, and no finished steps get lost. */
async function checkOut(out: string, resume: boolean, force: boolean): Promise<void> {
  await checkFree("--out", out, force);
  const partial = partialOf(out);
  await checkPlace("--out", partial);
  const there = await exists(partial);
  if (resume && !there) throw new Error(`--resume: "${partial}" is not there; start without --resume`);
  if (!resume && there && !force) {
    throw new Error(`--out: "${partial}" holds a search that stopped; go on with --resume, or start anew with --force`);
  }
}

type Rules = Required<Pick<RatioSearchOptions<unknown>, "bounds" | "tolerance" | "maxEvaluations" | "objective">> & {
  reference: { steps: number; solver: string };
};

interface Problem {
  plan: Plan;
  guidanceScale: number;
  train: Batch;
  holdout: Batch | undefined;
  rules: Rules;
  signal: AbortSignal;
}

/** Returns the result of the search; progress goes to stderr, finished steps to the partial file. */
async function find(model: LoadedModel, partial: Partial, resume: unknown, o: Problem): Promise<RatioSearch> {
  const { plan, guidanceScale, train, holdout, rules, signal } = o;
  const work = new Work({
    ...rules,
    plan,
    referenceCalls: blameUsage(() => referencePlan(plan, rules.reference)).nfe,
    points: train.seeds.length,
    holdout: holdout?.seeds.length ?? 0,
    replayed: partial.steps,
  });
  const data = ({ seeds, classes }: Batch) => ({
    seed: seeds,
    shape: [seeds.length, ...model.shape],
    condition: classes,
    ...(guidanceScale === 1 ? {} : { unconditional: classes.map(() => -1) }),
  });
  try {
    const search = await searchRatios<readonly number[]>({
      ...rules,
      plan,
      guidanceScale,
      denoiser: timed(model.denoiser, { seconds: 0, elsewhere: 0 }, (batch) => work.called(batch)),
      ...data(train),
      ...(holdout === undefined ? {} : { holdout: data(holdout) }),
      ...(resume === undefined ? {} : { resume }),
      signal,
      onStep(event) {
        partial.keep(event);
        work.found(event);
      },
    });
    work.stop();
    return search;
  } catch (error) {
    work.stop();
    const { message } = error as Error;
    if (resume !== undefined && message.startsWith('"resume')) partial.refuse(error);
    // The library checks its options before the first model call.
    if (/^"(bounds|tolerance|maxEvaluations|(holdout\.)?seed|plan\.options\.dcOrder)/.test(message))
      throw new UsageError(message, { cause: error });
    const kept = `"${partial.path}" holds ${partial.steps} of ${plan.steps.length} steps; go on with --resume`;
    process.stderr.write(`${partial.steps === 0 ? "no step was finished" : kept}\n`);
    throw error;
  }
}

/** Returns what the held-out errors say of the ratios, in words. */
function verdict({ holdoutMse = 0, holdoutMseWithout = 0 }: RatioSearch): string {
  return holdoutMse < holdoutMseWithout ? "" : "; the ratios do not help there";
}

/** Returns the result as text. */
function report(search: RatioSearch, points: number, held: number, out: string): string {
  const { settings, guidanceScale, ratios, loss, lossWithout, nfe } = search;
  const small = (x: number | undefined) => (x ?? 0).toExponential(4);
  const judged = (with_: number | undefined, without: number | undefined) =>
    `${small(with_)}, without ${small(without)}: ${((with_ ?? 0) / (without ?? 0)).toFixed(3)} times`;
  return [
    `${settings.solver}, order ${settings.order}, ${search.steps} steps, guidance ${guidanceScale}: ratios in ${out}`,
    "step   ratio  loss        without",
    ...ratios.map((r, k) =>
      [`${k + 1}`.padStart(4), r.toFixed(4).padStart(7), small(loss[k]).padEnd(11), small(lossWithout[k])].join(" "),
    ),
    `mean squared error of the final state, ${points} points: ${judged(search.mse, search.mseWithout)}`,
    ...(held === 0
      ? []
      : [`held out, ${held} points: ${judged(search.holdoutMse, search.holdoutMseWithout)}${verdict(search)}`]),
    `model calls: ${nfe.reference} for the reference, ${nfe.search} for the search`,
  ].join("\n");
}
