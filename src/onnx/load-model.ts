// A model folder as one object: network, schedule, plans and samples.
import { finite, integer, numbers, oneOf, options, wrongType, wrongValue } from "../check.ts";
import type { RatioModel } from "../compensation/cpr.ts";
import type { Denoiser } from "../denoisers/denoiser.ts";
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import { compensate } from "../plan/compensate.ts";
import { digest } from "../plan/digest.ts";
import { checkPlan } from "../plan/json.ts";
import type { Plan, PlanOptions } from "../plan/plan.ts";
import type { StepEvent } from "../sampling/run.ts";
import { type SampleResult, sample } from "../sampling/sample.ts";
import { createPlan } from "../solvers/index.ts";
import { type ModelConfig, readConfig } from "./config.ts";
import { onnxDenoiser } from "./denoiser.ts";
import { type Folder, reader } from "./files.ts";
import type { OrtLike, SessionLike } from "./ort.ts";
import { enqueue } from "./queue.ts";
import { fittingRatios, isModel, type RatioFile, readRatioFiles } from "./ratios.ts";
import { signature } from "./signature.ts";

/** What `loadModel` takes. */
export interface LoadModelOptions {
  ort: OrtLike;
  /** A path, a URL, or a function that returns the bytes of a path inside the folder. */
  folder: Folder;
  /** Default `["wasm"]`; handed to ONNX Runtime as it is, no fallback added. */
  executionProviders?: string[];
}

/** What `LoadedModel.plan` takes beside the options of the solver; `steps` defaults to 5. */
export type ModelPlanOptions = Omit<PlanOptions, "schedule" | "ratios"> & {
  /** The guidance that the plan is for; compensation ratios depend on it. Default 1. */
  guidanceScale?: number;
  /**
   * Compensation. "auto" (default): ratios of the model folder, searched ones if settings, steps and guidance are the plan's, else
   * predicted ones if the settings are and the range of the model holds the plan, else none. "off": none. Numbers: these.
   */
  ratios?: "auto" | "off" | readonly number[];
};

/** What `LoadedModel.sample` takes. */
export interface ModelSampleOptions {
  /** Default 5. */
  steps?: number;
  /** Default 1: no guidance. */
  guidanceScale?: number;
  /** One label per sample; −1 is no condition. */
  condition: readonly number[];
  seed?: number | readonly number[];
  /** Default `plan({ steps, guidanceScale })`. */
  plan?: Plan;
  signal?: AbortSignal;
  onStep?(event: StepEvent): void;
}

/** A network with all that is needed to sample from it. */
export interface LoadedModel {
  /** Conditions are labels, one per batch item; −1, or no condition, is the network's null class. */
  readonly denoiser: Denoiser<readonly number[]>;
  readonly schedule: NoiseSchedule;
  /** Shape of one item. */
  readonly shape: number[];
  /** Number of labels: 0 … labels − 1, and −1. */
  readonly labels: number;
  /** The model of compensation ratios in the folder, the first one if there are several. */
  readonly ratioModel?: RatioModel;
  /** Returns a hash of the network, 16 hex digits over the bytes of `unet/model.onnx`: `settings.model` of ratios made for it. */
  hash(): string;
  /**
   * Returns a plan for this network. Where the timestep is an integer tensor, the grid is moved onto the training steps.
   * @throws RangeError with the largest `steps` that works, if two times then fall on one training step.
   */
  plan(o?: ModelPlanOptions): Plan;
  /**
   * Returns `condition.length` samples, `[batch, ...shape]`.
   * @throws TypeError if `plan` and `steps` contradict each other; RangeError for a label that the network lacks.
   */
  sample(o: ModelSampleOptions): Promise<SampleResult>;
  /** Releases the session, after the runs that are under way. What is called later rejects. */
  dispose(): Promise<void>;
}

/**
 * Returns the network of a model folder in the diffusers layout: `model_index.json`, `unet/config.json`, `unet/model.onnx`,
 * `scheduler/scheduler_config.json`. For networks with labels, or without condition, in the space of the data.
 * Compensation ratios, if there are any, are the files that `ratios/index.json` lists (`{ kind: "dc-solver/ratio-index", version: 1,
 * files: ["…json", …] }`), or all of `ratios/*.json` where there is no index and the folder can be listed; each holds the JSON of a
 * search or of a ratio model.
 * @throws Error, TypeError, RangeError or SyntaxError that names the file if one is missing, damaged or not understood.
 */
export async function loadModel(o: LoadModelOptions): Promise<LoadedModel> {
  options<LoadModelOptions>("loadModel", o, ["ort", "folder", "executionProviders"]);
  const { ort, folder, executionProviders = ["wasm"] } = o;
  if (typeof ort?.InferenceSession?.create !== "function") wrongType("ort", "ONNX Runtime, the whole import", ort);
  const named = Array.isArray(executionProviders) && executionProviders.length > 0;
  if (!named) wrongType("executionProviders", "a list of names", executionProviders);
  const read = reader(folder);
  const config = await readConfig(read);
  const bytes = await read(networkFile);
  const hash = hashOf(bytes);
  // onnxruntime-web hands the bytes over to its worker, if it has one: later they are gone.
  if ((ort as { env?: { wasm?: { proxy?: unknown } } }).env?.wasm?.proxy === true) hash();
  let session: SessionLike;
  try {
    session = await ort.InferenceSession.create(bytes, { executionProviders });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    const what = `"${networkFile}": ONNX Runtime cannot load it with ${executionProviders.join(", ")}: ${detail}`;
    throw new Error(executionProviders.includes("webgpu") ? `${what}; ${webgpuNeeds}` : what, { cause });
  }
  let files: Awaited<ReturnType<typeof readRatioFiles>>;
  try {
    // After the network: of a damaged one, its ratios would only say that it is another.
    files = await readRatioFiles(folder, hash);
  } catch (cause) {
    await session.release?.();
    throw cause;
  }
  try {
    return build(ort, session, config, hash, files, executionProviders[0] === "webgpu");
  } catch (cause) {
    await session.release?.();
    throw new Error(`"${networkFile}": ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

const networkFile = "unet/model.onnx";
const webgpuNeeds = "webgpu needs a runtime with a GPU adapter (navigator.gpu) and the build onnxruntime-web/webgpu";

/** Returns a function that hashes once, when asked for the first time (7 ns a byte), and lets the bytes go then. */
function hashOf(bytes: Uint8Array): () => string {
  let source: Uint8Array | undefined = bytes;
  let known: string | undefined;
  return () => {
    known ??= digest(source);
    source = undefined;
    return known;
  };
}

function build(
  ort: OrtLike,
  session: SessionLike,
  config: ModelConfig,
  hash: () => string,
  files: readonly RatioFile[],
  webgpu: boolean,
): LoadedModel {
  const { schedule, shape, labels, prediction } = config;
  const { sample: input, timestep, condition: labelInput } = signature(session, {}, undefined);
  checkShape(input.shape, shape);
  if (labels > 0 && labelInput === undefined) {
    throw new TypeError(`unet/config.json says ${labels + 1} classes, but the network has no input for them`);
  }
  if (labels === 0 && labelInput !== undefined) {
    throw new TypeError(
      `the network has an input "${labelInput.name}", but unet/config.json no "num_class_embeds"; load the session yourself and use onnxDenoiser`,
    );
  }
  const network = onnxDenoiser<readonly number[]>({ ort, session, prediction, webgpu });
  const { predictOnDevice } = network;
  let disposed: Promise<void> | undefined;
  const alive = () => {
    if (disposed !== undefined) throw new Error("the model has been disposed of; load it again");
  };

  /** Returns labels as the network knows them; undefined where it takes none. */
  function encode(name: string, condition: readonly number[] | undefined, batch: number): number[] | undefined {
    const list = condition === undefined ? new Array<number>(batch).fill(-1) : numbers(name, condition);
    if (list.length !== batch) wrongValue(name, `${batch} labels, one per batch item`, condition);
    for (let i = 0; i < batch; i++) integer(`${name}[${i}]`, list[i], -1, labels - 1);
    return labels === 0 ? undefined : Array.from(list, (label) => (label === -1 ? labels : label));
  }

  const denoiser: Denoiser<readonly number[]> = {
    prediction,
    async predict(request) {
      alive();
      return network.predict({ ...request, condition: encode("condition", request.condition, request.shape[0] ?? 1) });
    },
    async predictGuided(request) {
      alive();
      const batch = request.shape[0] ?? 1;
      const condition = encode("condition", request.condition, batch);
      const unconditional = encode("unconditional", request.unconditional, batch) as number[];
      // onnxDenoiser always has it.
      return (network.predictGuided as NonNullable<typeof network.predictGuided>)({
        ...request,
        condition,
        unconditional,
      });
    },
    ...(predictOnDevice === undefined
      ? {}
      : {
          async predictOnDevice(request) {
            alive();
            const batch = request.shape[0] ?? 1;
            const condition = encode("condition", request.condition, batch);
            const unconditional = encode("unconditional", request.unconditional, batch);
            return predictOnDevice({ ...request, condition, unconditional });
          },
        }),
  };

  function plan(o: ModelPlanOptions = {}): Plan {
    if (typeof o !== "object" || o === null) wrongType("plan", "an object", o);
    const { guidanceScale = 1, ratios = "auto", ...rest } = o;
    finite("guidanceScale", guidanceScale);
    if ("schedule" in rest)
      throw new TypeError('"schedule": unknown option of LoadedModel.plan; it is the model\'s own');
    if (typeof ratios === "string") oneOf("ratios", ratios, ["auto", "off"]);
    const given = typeof ratios === "string" ? {} : { ratios };
    const made = place({ ...rest, ...given, schedule });
    if (ratios !== "auto" || files.length === 0) return made;
    const found = fittingRatios(files, { plan: made, guidanceScale, model: hash() }, rest.dcOrder);
    return found === undefined ? made : compensate(made, found.ratios, found.dcOrder);
  }

  /** Returns the plan on the times that the network can be told. */
  function place(full: PlanOptions): Plan {
    // Defaults stand in for undefined alone: null is a value of the wrong kind.
    if (full.grid === undefined && full.steps === undefined) full.steps = 5;
    if (timestep.type !== "int64" && timestep.type !== "int32") return createPlan(full);
    if (full.integerTimesteps === false) wrongValue("integerTimesteps", "true, as the network takes integers", false);
    return createPlan({ ...full, integerTimesteps: true });
  }

  const ratioModel = files.map((file) => file.ratios).find(isModel);
  return {
    denoiser,
    schedule,
    shape: [...shape],
    labels,
    ...(ratioModel === undefined ? {} : { ratioModel }),
    hash,
    plan,
    async sample(o) {
      alive();
      options<ModelSampleOptions>("LoadedModel.sample", o, [
        "steps",
        "guidanceScale",
        "condition",
        "seed",
        "plan",
        "signal",
        "onStep",
      ]);
      const { condition, guidanceScale = 1, seed, signal, onStep } = o;
      const batch = numbers("condition", condition).length;
      if (batch === 0) wrongValue("condition", "one label per sample, at least one", condition);
      encode("condition", condition, batch);
      finite("guidanceScale", guidanceScale);
      if (guidanceScale !== 1 && labels === 0) {
        wrongValue("guidanceScale", "1, for the network takes no condition", guidanceScale);
      }
      const given = o.plan === undefined ? undefined : checkPlan(o.plan);
      if (given !== undefined && o.steps !== undefined && o.steps !== given.steps.length) {
        throw new TypeError(
          `"steps": ${o.steps} contradicts "plan", which has ${given.steps.length}; give one of the two`,
        );
      }
      return sample<readonly number[]>({
        plan: given ?? plan({ ...(o.steps === undefined ? {} : { steps: o.steps }), guidanceScale }),
        denoiser,
        shape: [batch, ...shape],
        condition,
        guidanceScale,
        ...(guidanceScale === 1 ? {} : { unconditional: new Array<number>(batch).fill(-1) }),
        ...(seed === undefined ? {} : { seed }),
        ...(signal === undefined ? {} : { signal }),
        ...(onStep === undefined ? {} : { onStep }),
      });
    },
    dispose() {
      disposed ??= enqueue([ort.Tensor, session], undefined, async () => session.release?.());
      return disposed;
    },
  };
}

function checkShape(declared: readonly (number | string)[] | undefined, shape: readonly number[]): void {
  if (declared === undefined) return;
  const fits =
    declared.length === shape.length + 1 &&
    shape.every((n, i) => typeof declared[i + 1] === "string" || declared[i + 1] === n);
  if (fits) return;
  throw new RangeError(
    `its sample is [${declared.join(", ")}], but unet/config.json says [batch, ${shape.join(", ")}]`,
  );
}
