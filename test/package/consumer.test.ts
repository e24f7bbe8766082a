// A user's project compiles against the packed types, under every resolution, with and without the types of ONNX Runtime.
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command, type Project, packedProject } from "../support/packed.ts";

let bare: Project;
let withNode: Project;
let withRuntime: Project;
beforeAll(() => {
  bare = packedProject();
  withNode = packedProject(["@types/node", "undici-types"]);
  withRuntime = packedProject(["onnxruntime-web", "onnxruntime-common"]);
});
afterAll(() => {
  for (const { folder } of [bare, withNode, withRuntime]) rmSync(folder, { recursive: true, force: true });
});

const core = `
import {
  compensate, createPlan, edm, fitRatioModel, gaussianNoise, mixtureDenoiser, type NoiseSchedule, NonFiniteError, type Plan,
  type PlanOptions, planFromJSON, predictRatios, type RatioSearch, type SampleResult, sample, sampleSteps, searchRatios,
  startSampling, type StepEvent, useWasm, vpDiscrete,
} from "dc-solver";
import module from "dc-solver/dc-solver.wasm";
import { type DeviceLike, DeviceLostError, webgpuEngine } from "dc-solver/webgpu";
import { installOrtWasm } from "dc-solver/workerd";

useWasm(module);
installOrtWasm({ env: { wasm: {} } }, module);
const schedule: NoiseSchedule = vpDiscrete({ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 });
const options: PlanOptions = { schedule, steps: 5, solver: "unipc", order: 2 };
const plan: Plan = compensate(createPlan(options), [1, 1, 0.9, 1, 1]);
const denoiser = mixtureDenoiser({ schedule: edm(), means: [[0, 0]], std: [1], weights: [1] });
export const result: Promise<SampleResult> = sample({ plan: planFromJSON(plan.toJSON()), denoiser, shape: [1, 2], seed: 1 });
export async function steps(): Promise<StepEvent[]> {
  const events: StepEvent[] = [];
  for await (const event of sampleSteps({ plan, shape: [1, 2], seed: [1], denoiser: {
    prediction: "epsilon", predict: async ({ x, condition }: { x: Float32Array; condition: string | undefined }) => (condition === "a" ? x : x.slice()),
  }, condition: "a" })) events.push(event);
  return events;
}
const run = startSampling<number[]>({ plan, prediction: "v_prediction", shape: [1, 2], noise: gaussianNoise(1, [1, 2]) });
run.answer(run.requests.map(({ x, branch }) => (branch === "conditional" ? x : new Float32Array(2))));
export const found: Promise<RatioSearch> = searchRatios({ plan, denoiser, shape: [1, 2], seed: 1 });
export const ratios: number[] = predictRatios(fitRatioModel([await found]), { steps: 5, guidanceScale: 1 });
export async function onGpu(device: DeviceLike): Promise<SampleResult> {
  const engine = await webgpuEngine({ device });
  try {
    return await sample({ plan, denoiser, shape: [1, 2], seed: 1, engine });
  } finally {
    engine.dispose();
  }
}
export const isLost = (error: unknown): boolean => error instanceof DeviceLostError && error.step > 0;
export const isBad = (error: unknown): error is NonFiniteError => error instanceof NonFiniteError && error.step > 0;
// @ts-expect-error a plan needs a schedule
createPlan({ steps: 5 });
// @ts-expect-error no such kind of output
sample({ plan, shape: [1, 2], seed: 1, denoiser: { prediction: "noise", predict: ({ x }) => x } });
// @ts-expect-error no such spacing
createPlan({ schedule, steps: 5, spacing: "quadratic" });
`;

const network = `
import { type LoadedModel, loadModel, type OrtLike, onnxDenoiser, type SessionLike } from "dc-solver/onnx";

export async function draw(ort: OrtLike, session: SessionLike): Promise<Float32Array> {
  const model: LoadedModel = await loadModel({ ort, folder: "models/digits" });
  const denoiser = onnxDenoiser<string>({ ort, session, prediction: "epsilon", encodeCondition: () => ({}) });
  const { data } = await model.sample({ steps: 5, condition: [1], guidanceScale: 3, seed: 0 });
  await model.dispose();
  return denoiser.predict({ x: data, shape: [1, 1, 28, 28], t: 1, modelTime: 999, condition: "one" });
}
`;

const schedulers = `
import { randnTensor, type Scheduler, schedulerFromConfig, torchGenerator } from "dc-solver/diffusers";

const scheduler: Scheduler = schedulerFromConfig('{"_class_name": "PNDMScheduler"}', { overrides: { steps_offset: 1 } });
const swapped = scheduler.to("UniPCMultistepScheduler", { use_karras_sigmas: true });
export const planned: number = swapped.plan({ steps: 8, startIndex: 2 }).nfe;
export function loop(unet: (x: Float32Array, t: number) => Float32Array): Float32Array {
  const run = swapped.start({ steps: 8, shape: [1, 4, 8, 8] });
  let x: Float32Array = randnTensor([1, 4, 8, 8], torchGenerator(7)).map((v) => v * run.initNoiseSigma);
  for (const t of run.timesteps) x = run.step(unet(run.scaleModelInput(x), t), x).x;
  return x;
}
// @ts-expect-error steps are a number
swapped.timetable({ steps: "8" });
`;

const runtimes = ["onnxruntime-web", "onnxruntime-web/wasm", "onnxruntime-web/webgpu", "onnxruntime-common"].map(
  (name, i) => `
import * as ort${i} from "${name}";
import { loadModel as load${i}, onnxDenoiser as denoiser${i} } from "dc-solver/onnx";

export const model${i} = await load${i}({ ort: ort${i}, folder: new URL("./digits/", import.meta.url) });
const session${i} = await ort${i}.InferenceSession.create("model.onnx");
export const network${i} = denoiser${i}({ ort: ort${i}, session: session${i}, prediction: "epsilon" });
`,
);

/** Returns what the compiler says about a project's one file. */
function compile({ folder }: Project, code: string, settings: Record<string, unknown>): string {
  writeFileSync(join(folder, "app.ts"), code);
  const compilerOptions = {
    target: "es2022",
    lib: ["es2023", "dom", "dom.asynciterable"],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    noEmit: true,
    skipLibCheck: false,
    ...settings,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["app.ts"] }));
  const { stdout, status } = spawnSync(command("tsc"), ["--project", folder, "--pretty", "false"], {
    encoding: "utf8",
  });
  return status === 0 ? "" : stdout || `exit code ${status}`;
}

describe.each([
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
])("moduleResolution $moduleResolution", (settings) => {
  it("without ONNX Runtime's types", () => {
    expect(compile(bare, core + network + schedulers, settings)).toBe("");
  });

  it("in a project for Node, which has no DOM", () => {
    // Nor has it the namespace WebAssembly: as usual there, the declarations of packages are taken as they are.
    const own = { ...settings, lib: ["es2023"], types: ["node"], skipLibCheck: true };
    expect(compile(withNode, core + network + schedulers, own)).toBe("");
  });

  it("with them: each of its builds is one that can be handed in", () => {
    // The declarations of ONNX Runtime are checked as its own project wants: not here.
    const own = { ...settings, skipLibCheck: true };
    expect(compile(withRuntime, core + network + runtimes.join(""), own)).toBe("");
  });

  it("the compiler does see what is wrong", () => {
    expect(compile(bare, `${core}\nexport const wrong: string = plan.nfe;`, settings)).toMatch(/app\.ts\(.*TS2322/);
  });
});
