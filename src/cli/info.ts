// dc-solver info: what this machine has, what the model says about itself, and a plan with its coefficients.
import { readConfig } from "../onnx/config.ts";
import { reader } from "../onnx/files.ts";
import { isModel, type RatioFile, readRatioFiles } from "../onnx/ratios.ts";
import { digest } from "../plan/digest.ts";
import type { Operation, Plan } from "../plan/plan.ts";
import { createPlan, solvers } from "../solvers/index.ts";
import { libraryVersion } from "../version.ts";
import { wasmHex } from "../wasm/bytes.ts";
import { wasm } from "../wasm/module.ts";
import { hasWebGpu, loadOrt, modelFolder } from "./runtime.ts";
import { readSolver } from "./solver.ts";
import { blameUsage, parse, readInteger } from "./usage.ts";

const defaults = { model: "", solver: "unipc", steps: "5" };

export const infoHelp = `dc-solver info: runtime, providers, WebAssembly, model card, and the plan of a configuration with its coefficients

  --model DIR     model folder (the bundled digits)
  --solver NAME   (${defaults.solver}); others as for "dc-solver sample"
  --steps N       (${defaults.steps})
  --json          everything as JSON on stdout
  --help`;

async function onnxRuntime(): Promise<{ version: string | null; providers: string[]; note?: string }> {
  try {
    const { env } = await loadOrt("wasm");
    return { version: env.versions.web ?? "unknown", providers: hasWebGpu() ? ["wasm", "webgpu"] : ["wasm"] };
  } catch (error) {
    return { version: null, providers: [], note: error instanceof Error ? error.message : String(error) };
  }
}

function runtime(): string {
  const { versions, platform, arch } = process;
  const name = versions.deno ? `Deno ${versions.deno}` : versions.bun ? `Bun ${versions.bun}` : `Node ${versions.node}`;
  return `${name}, ${platform} ${arch}`;
}

function webAssembly(): { simd: boolean; bytes: number; note?: string } {
  const bytes = wasmHex.length / 2;
  try {
    // The module is SIMD code throughout: it compiles where the runtime has SIMD, and nowhere else.
    wasm();
    return { simd: true, bytes };
  } catch (error) {
    return { simd: false, bytes, note: error instanceof Error ? error.message : String(error) };
  }
}

/** Returns the `key: value` lines that a model card begins with, between lines of three dashes; none if it has none. */
async function modelCard(folder: string): Promise<Record<string, string>> {
  const text = await reader(folder)("README.md").then(
    (bytes) => new TextDecoder().decode(bytes),
    () => "",
  );
  const block = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1] ?? "";
  const pairs = block.split(/\r?\n/).map((line) => /^(\w+):\s*(.+)$/.exec(line));
  return Object.fromEntries(pairs.flatMap((m) => (m === null ? [] : [[m[1] as string, m[2] as string]])));
}

/** Returns what the folder's ratio files are, in a line each, or what is wrong with them. */
async function ratioLines(folder: string): Promise<string[]> {
  const hash = async () => digest(await reader(folder)("unet/model.onnx"));
  try {
    return (await readRatioFiles(folder, hash)).map(describeRatios);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function describeRatios({ path, ratios }: RatioFile): string {
  const { settings } = ratios;
  const solver = settings === undefined ? "" : `, ${settings.solver} order ${settings.order}`;
  if (isModel(ratios)) {
    const { range, rank } = ratios;
    const span = ([low, high]: [number, number]) => (low === high ? `${low}` : `${low} to ${high}`);
    return `${path}: model for ${span(range.steps)} steps, guidance ${span(range.guidanceScale)}, rank ${rank}${solver}`;
  }
  const { steps, guidanceScale, holdoutMse, holdoutMseWithout } = ratios;
  const judged = (holdoutMse ?? 0) / (holdoutMseWithout ?? 0);
  const gain = Number.isFinite(judged) ? `, held-out error ${judged.toFixed(3)} times that without` : "";
  return `${path}: search for ${steps} steps, guidance ${guidanceScale}${solver}${gain}`;
}

const value = (id: number): string => `v${id}`;

function describe(operation: Operation): string {
  switch (operation.kind) {
    case "evaluate": {
      const { to, x, space, modelTime } = operation;
      return `${value(to)} = ${space === "sample" ? "x₀" : "ε"} by the network at ${value(x)}, told ${modelTime}`;
    }
    case "combine": {
      const terms = operation.terms.map(([c, from]) => `${c < 0 ? "−" : "+"} ${Math.abs(c)} ${value(from)}`).join(" ");
      const replaces = operation.replaces === undefined ? "" : `   in place of ${value(operation.replaces)}`;
      return `${value(operation.to)} = ${terms.replace(/^\+ /, "")}${replaces}`;
    }
    case "draw":
      return `${value(operation.to)} = standard normals, draw ${operation.draw}`;
    case "clip":
      return `${value(operation.to)} = ${value(operation.from)} limited (ratio ${operation.ratio}, at least ${operation.maxValue})`;
  }
}

function planLines(plan: Plan): string[] {
  return plan.steps.flatMap((step, k) => [
    `  step ${k}: t ${step.start.t} → ${step.end.t}`,
    ...step.operations.map((operation) => `    ${describe(operation)}`),
    `    state ${value(step.state)}`,
  ]);
}

/** Runs `dc-solver info`. */
export async function runInfo(argv: readonly string[]): Promise<void> {
  const { text, on } = parse(argv, defaults, ["json", "help"]);
  if (on.has("help")) return void process.stdout.write(`${infoHelp}\n`);
  const steps = readInteger("steps", text.steps, 1);
  const { solver = "" } = text;
  const solverOptions = readSolver("solver", solver);
  const folder = modelFolder(text.model);
  const config = await readConfig(reader(folder));
  const { schedule } = config;
  const plan = blameUsage(() => createPlan({ schedule, ...solverOptions, steps }));
  const [card, ort, ratios] = await Promise.all([modelCard(folder), onnxRuntime(), ratioLines(folder)]);
  const module = webAssembly();
  const model = { folder, card, shape: config.shape, labels: config.labels, prediction: config.prediction };
  if (on.has("json")) {
    const range = { kind: schedule.kind, tMin: schedule.tMin, tMax: schedule.tMax };
    const all = {
      version: libraryVersion,
      runtime: runtime(),
      onnxRuntime: ort,
      webAssembly: module,
      model: { ...model, schedule: range, ratios },
      solvers: solverNames(),
      plan,
    };
    return void process.stdout.write(`${JSON.stringify(all, undefined, 2)}\n`);
  }
  const lines = [
    `dc-solver ${libraryVersion} on ${runtime()}`,
    `WebAssembly: ${module.bytes} bytes, SIMD ${module.simd ? "yes" : `no (${module.note})`}`,
    `ONNX Runtime: ${ort.version === null ? ort.note : `onnxruntime-web ${ort.version}, providers ${ort.providers.join(", ")}`}`,
    `solvers: ${solverNames().join(", ")}`,
    `model: ${folder}`,
    ...Object.entries(card).map(([key, fact]) => `  ${key}: ${fact}`),
    `  one sample: [${config.shape.join(", ")}], labels: ${config.labels === 0 ? "none" : `0 to ${config.labels - 1}`}`,
    `  output: ${config.prediction}, schedule: ${schedule.kind}, t from ${schedule.tMax} to ${schedule.tMin}`,
    ...(ratios.length === 0 ? ["  ratios: none"] : ratios.map((line) => `  ${line}`)),
    `plan: ${solver}, ${steps} steps, ${plan.nfe} model calls`,
    "  v0 is the initial noise",
    ...planLines(plan),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function solverNames(): string[] {
  return solvers.map((solver) => solver.name);
}
