// dc-solver compare: error against model calls for several solvers, on one page.
import { cpus } from "node:os";
import { basename } from "node:path";
import type { SolverOptions } from "../diffusers/names.ts";
import { type LoadedModel, loadModel } from "../onnx/load-model.ts";
import { difference, isModel } from "../onnx/ratios.ts";
import type { Plan } from "../plan/plan.ts";
import { libraryVersion } from "../version.ts";
import { type Contender, measure, type Panel, type Task, unitsOf, type Work } from "./compare/measure.ts";
import { digits, page, range } from "./compare/page.ts";
import { checkFree, writeWhole } from "./files.ts";
import { startLongProgress } from "./progress.ts";
import { type GivenRatios, planWith, readRatios } from "./ratios.ts";
import { loadOrt, modelFolder } from "./runtime.ts";
import { readSolver } from "./solver.ts";
import { blameUsage, parse, readCount, readInteger, readNumber, readProvider, UsageError } from "./usage.ts";

const defaults = {
  model: "",
  steps: "5,6,8,10",
  solvers: "ddim,dpmpp,unipc,dc",
  guidance: "1,3,7.5",
  count: "20",
  seed: "0",
  "reference-steps": "40",
  ratios: "auto",
  provider: "wasm",
  out: "report.html",
};

export const compareHelp = `dc-solver compare: solvers against a fine reference, on one page of HTML

  --model DIR             model folder in the diffusers layout, a path or a URL (the bundled digits)
  --steps N,N,…           (${defaults.steps})
  --solvers NAME,NAME,…   names as of "dc-solver info", with an order as in unipc@3, or a sampler of A1111, ComfyUI,
                          k-diffusion or diffusers by its name there, as in "DPM++ 2M Karras"; dc is UniPC with
                          compensation ratios, dc@3 its order 3 (${defaults.solvers})
  --guidance W,W,…        (${defaults.guidance})
  --count N               pictures of each setting; a class each, one after the other (${defaults.count})
  --seed N                the pictures have the seeds N, N + 1, … (${defaults.seed})
  --reference-steps N     the reference is UniPC of order 3 with so many steps, uniform in log-SNR
                          where the network allows it (${defaults["reference-steps"]})
  --ratios R              of dc: auto (the model folder's), or a file of search or fit (${defaults.ratios})
  --provider P            wasm or webgpu (${defaults.provider})
  --out FILE              (${defaults.out})
  --force                 overwrites FILE
  --json                  the numbers as JSON on stdout
  --help`;

/** Returns what a list of the command line holds, each thing once. */
function readList<T>(name: string, text: string | undefined, read: (name: string, part: string) => T): T[] {
  const list = (text ?? "").split(",").map((part) => read(name, part.trim()));
  const twice = list.find((value, i) => list.indexOf(value) !== i);
  if (twice !== undefined) throw new UsageError(`--${name}: ${twice} is there twice`);
  return list;
}

function readContender(name: string): Contender {
  const [, method = "", order] = /^([^@]*)(?:@(.*))?$/.exec(name) ?? [];
  const compensated = method === "dc";
  const options = compensated ? { solver: "unipc" } : readSolver("solvers", method);
  if (order === undefined) return { name, options, compensated };
  return { name, options: { ...options, order: readInteger("solvers", order, 1) }, compensated };
}

/** Returns the solvers of the command line. */
function readContenders(text: string | undefined): Contender[] {
  const names = readList("solvers", text, (_, name) => name);
  try {
    return names.map(readContender);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`--solvers: ${cause.message.replace(/^--solvers: /, "")}; dc is UniPC with ratios`, { cause });
  }
}

/** Returns the plan with the ratios for these steps and this guidance; undefined if there are none. */
async function compensatedPlan(
  model: LoadedModel,
  given: GivenRatios,
  o: SolverOptions & { steps: number; guidanceScale: number },
): Promise<Plan | undefined> {
  if (Array.isArray(given) && given.length !== o.steps) return undefined;
  if (typeof given === "object" && !Array.isArray(given)) {
    const plan = blameUsage(() => model.plan({ ...o, ratios: "off" }));
    const found = difference(given.ratios, { plan, guidanceScale: o.guidanceScale, model: model.hash() });
    if (found?.name === "steps" || found?.name === "guidanceScale") return undefined;
    if (found === undefined && isModel(given.ratios) && !within(given.ratios.range, o)) return undefined;
  }
  const plan = await planWith(model, given, o);
  return plan.options.ratios === undefined ? undefined : plan;
}

function within(
  range: { steps: [number, number]; guidanceScale: [number, number] },
  o: { steps: number; guidanceScale: number },
): boolean {
  const inside = (value: number, [low, high]: [number, number]) => value >= low && value <= high;
  return inside(o.steps, range.steps) && inside(o.guidanceScale, range.guidanceScale);
}

/** Runs `dc-solver compare`. */
export async function runCompare(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const { text, on } = parse(argv, defaults, ["force", "json", "help"]);
  if (on.has("help")) return void process.stdout.write(`${compareHelp}\n`);
  const stepList = readList("steps", text.steps, (name, part) => readInteger(name, part, 1)).sort((a, b) => a - b);
  const contenders = readContenders(text.solvers);
  const guidances = readList("guidance", text.guidance, readNumber);
  const count = readInteger("count", text.count, 1);
  const seed = readInteger("seed", text.seed, 0);
  const referenceSteps = readInteger("reference-steps", text["reference-steps"], (stepList.at(-1) ?? 1) + 1);
  const provider = readProvider(text.provider);
  const { out = "" } = text;
  if (out === "") throw new UsageError('--out: expected a file name, got ""');
  if (text.ratios === "off") throw new UsageError("--ratios: expected auto or a file; without dc there are no ratios");
  await checkFree("--out", out, on.has("force"));
  const ratios = await readRatios(text.ratios ?? "auto");

  const ort = await loadOrt(provider);
  const folder = modelFolder(text.model);
  const model = await loadModel({ ort, folder, executionProviders: [provider] });
  try {
    if (model.labels === 0 && guidances.some((w) => w !== 1)) {
      throw new UsageError("--guidance: this network takes no class, so there is nothing to guide; give --guidance 1");
    }
    readCount("count", text.count, 1, model.shape);
    const tasks = await planTasks(model, contenders, guidances, stepList, ratios);
    const { reference, uniform } = planReference(model, referenceSteps);
    const referenceName = `UniPC of order 3 with ${referenceSteps} steps, uniform in ${uniform}`;
    const plans = tasks.map(({ plan, guidance }) => ({ plan, guidance }));
    plans.push(...guidances.map((guidance) => ({ plan: reference, guidance })));
    const total = plans.reduce((sum, { plan, guidance }) => sum + unitsOf(plan, guidance, count), 0);
    const progress = startLongProgress(total, "reference");
    let done = 0;
    const work: Work = {
      model,
      seeds: Array.from({ length: count }, (_, i) => seed + i),
      labels: Array.from({ length: count }, (_, i) => (model.labels === 0 ? -1 : i % model.labels)),
      reference,
      keep: Math.min(count, 10),
      signal,
      onWork(units, phase) {
        done += units;
        progress.update(done, phase);
      },
    };
    const panels: Panel[] = [];
    try {
      for (const guidance of guidances) {
        const own = tasks.filter((task) => task.guidance === guidance);
        panels.push(await measure(work, guidance, own));
      }
    } finally {
      progress.stop();
    }
    const version = ort.env.versions.web ?? "unknown";
    const settings: [string, string][] = [
      ["Model", `${folder} (network ${model.hash()})`],
      ["Solvers", contenders.map(describe).join("; ")],
      ["Model calls", stepList.join(", ")],
      ["Guidance", guidances.join(", ")],
      ["Seeds", count === 1 ? `${seed}` : `${seed} to ${seed + count - 1}`],
      ["Reference", referenceName],
      ["Ratios", ratios === "auto" ? "of the model folder" : (text.ratios ?? "")],
      ["Library", `dc-solver ${libraryVersion}`],
      ["Runtime", `Node ${process.versions.node}, onnxruntime-web ${version}, ${provider}, 1 thread`],
      ["Processor", `${cpus()[0]?.model.trim() ?? "unknown"}, ${process.platform} ${process.arch}`],
      ["Date", new Date().toISOString()],
    ];
    const title = `Solvers on ${basename(folder.replace(/[\\/]+$/, "")) || folder}`;
    const names = contenders.map(({ name }) => name);
    const { shape } = model;
    const { draw } = await import("./compare/plot.ts");
    const content = { title, settings, referenceName, names, panels, shape, keep: work.keep };
    const whole = await page(content, draw);
    signal.throwIfAborted();
    writeWhole(out, whole);
    report(on.has("json"), out, settings, panels);
  } finally {
    await model.dispose();
  }
}

/**
 * Returns the plan of the reference. Uniform in log-SNR its mean squared difference to the limit is 4 to 40 times smaller than uniform in
 * time (bundled digits, 40 and 80 steps); schedules with an infinite end and networks that take whole timesteps may have no such grid.
 */
function planReference(model: LoadedModel, steps: number): { reference: Plan; uniform: string } {
  const o = { solver: "unipc", order: 3, steps, ratios: "off" } as const;
  try {
    return { reference: model.plan({ ...o, spacing: "logSNR" }), uniform: "log-SNR" };
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return { reference: blameUsage(() => model.plan(o)), uniform: "time" };
  }
}

async function planTasks(
  model: LoadedModel,
  contenders: readonly Contender[],
  guidances: readonly number[],
  stepList: readonly number[],
  ratios: GivenRatios,
): Promise<Task[]> {
  const tasks: Task[] = [];
  for (const guidance of guidances) {
    for (const steps of stepList) {
      for (const contender of contenders) {
        const { options, compensated } = contender;
        const o = { ...options, steps, guidanceScale: guidance };
        const plan = compensated
          ? await compensatedPlan(model, ratios, o)
          : blameUsage(() => model.plan({ ...o, ratios: "off" }));
        tasks.push({ contender, guidance, steps, plan });
      }
    }
  }
  const unused = tasks.every(({ contender, plan }) => !contender.compensated || plan === undefined);
  if (unused && ratios !== "auto") {
    const file = typeof ratios === "object" && "file" in ratios ? ` "${ratios.file}"` : "";
    throw new Error(`--ratios:${file} fits no setting of this comparison; its solvers need dc, its steps and guidance`);
  }
  return tasks;
}

function describe({ name, options: { solver, order, ...others }, compensated }: Contender): string {
  const method = `${solver}${order === undefined ? "" : ` of order ${order}`}${compensated ? " with compensation" : ""}`;
  const what = [method, ...Object.entries(others).map(([option, value]) => `${option} ${value}`)].join(", ");
  return what === name ? name : `${name}: ${what}`;
}

function report(
  asJson: boolean,
  out: string,
  settings: readonly (readonly [string, string])[],
  panels: readonly Panel[],
): void {
  const cells = panels.flatMap((panel) => panel.cells);
  if (asJson) {
    const rows = cells.map(({ contender, guidance, steps, plan, error, errors, gain, millisecondsPerCall, note }) => ({
      guidance,
      solver: contender.name,
      steps,
      nfe: plan?.nfe ?? null,
      ratios: plan?.options.ratios ?? null,
      error: error ?? null,
      errors: errors ?? null,
      gain: gain ?? null,
      millisecondsPerCall: millisecondsPerCall ?? null,
      ...(note === undefined ? {} : { note }),
    }));
    const all = { settings: Object.fromEntries(settings), cells: rows, out };
    return void process.stdout.write(`${JSON.stringify(all, undefined, 2)}\n`);
  }
  const lines = cells.map(({ contender, guidance, steps, error, note }) => {
    const head = `guidance ${guidance}, ${steps} steps, ${contender.name}: `;
    return head + (error === undefined ? note : `${digits(error.value)} [${range(error)}]`);
  });
  process.stdout.write(`${lines.join("\n")}\nmean squared errors with 95 % intervals; the page is ${out}\n`);
}
