// A Denoiser from a session of ONNX Runtime. Imports nothing of it: the runtime is handed in.
import { boolean, isTypedArray, options, show, wrongType, wrongValue } from "../check.ts";
import type { AffinePrediction, Denoiser, DenoiserInput, DeviceInput, PredictionType } from "../denoisers/denoiser.ts";
import { checkPrediction } from "../diffusion/prediction.ts";
import { contents, type Feeds, integers, join, type MakeTensor, readLabels } from "./encode.ts";
import { fromHalf, toHalf } from "./half.ts";
import type { OrtLike, SessionLike, TensorLike } from "./ort.ts";
import { enqueue } from "./queue.ts";
import { type Input, type InputNames, listInputs, type Signature, signature, timestepDims } from "./signature.ts";

/** What `onnxDenoiser` takes. */
export interface OnnxDenoiserOptions<C> {
  /** The build of ONNX Runtime that made the session. */
  ort: Pick<OrtLike, "Tensor" | "env">;
  session: SessionLike;
  /** What the network's raw output means. */
  prediction: PredictionType | AffinePrediction;
  /** Names of inputs; default: `sample`, `timestep`, `class_labels` or `encoder_hidden_states`, else found by type and rank. */
  inputs?: InputNames;
  /** Name of the output; default `out_sample`, else the only one. */
  output?: string;
  /** What the network is told at time t, in place of the schedule's `modelTime`; e.g. `(t) => t` for one that takes sigma itself. */
  modelTime?: (t: number) => number;
  /**
   * Returns the inputs that say the condition, by name, first dimension `batch`. They stay the caller's: they are not disposed, so one
   * tensor may serve many calls. Default: `condition` is one label ≥ 0 per item, an int64 (or int32) tensor [batch].
   */
  encodeCondition?: (condition: C | undefined, batch: number) => Record<string, TensorLike>;
  /**
   * Whether the session runs on WebGPU (it was made with `executionProviders: ["webgpu"]`): under an engine of dc-solver/webgpu its
   * input and output then stay on the device, if both are float32. Default false; `loadModel` knows by itself.
   */
  webgpu?: boolean;
}

/**
 * Returns the denoiser of a network in ONNX Runtime. A guided pair is one batch of 2N, conditional half first (two runs where the
 * network declares a batch of N and no other). Runs of one runtime wait for each other; a request that is aborted while it waits is
 * dropped. Type and rank of the timestep are those of the session's metadata, else float32 [batch].
 * @throws TypeError if an option is of the wrong kind, or if the session leaves open which input is which (the message lists them).
 */
export function onnxDenoiser<C>(o: OnnxDenoiserOptions<C>): Denoiser<C> {
  options<OnnxDenoiserOptions<C>>("onnxDenoiser", o, [
    "ort",
    "session",
    "prediction",
    "inputs",
    "output",
    "modelTime",
    "encodeCondition",
    "webgpu",
  ]);
  const { ort, session, prediction, encodeCondition } = o;
  if (typeof ort?.Tensor !== "function") wrongType("ort", "ONNX Runtime, the whole import", ort);
  if (typeof session?.run !== "function" || !Array.isArray(session.inputNames) || !Array.isArray(session.outputNames)) {
    wrongType("session", "an InferenceSession", session);
  }
  checkPrediction(prediction, "prediction");
  for (const name of ["modelTime", "encodeCondition"] as const) {
    if (o[name] !== undefined && typeof o[name] !== "function") wrongType(name, "a function", o[name]);
  }
  if (o.webgpu !== undefined) boolean("webgpu", o.webgpu);
  const given = options<InputNames>("inputs", o.inputs ?? {}, ["sample", "timestep", "condition"]);
  const names = signature(session, given, o.output);
  if (encodeCondition === undefined) checkLabelInput(names, session);

  /** Returns the inputs that say the conditions, one or the guided pair. */
  async function encode(make: MakeTensor, conditions: readonly (C | undefined)[], batch: number): Promise<Feeds> {
    const each = batch / conditions.length;
    if (encodeCondition !== undefined) {
      const [first = {}, second] = conditions.map((c) => encodeCondition(c, each));
      return second === undefined ? first : join(make, first, second);
    }
    if (names.condition !== undefined) {
      const { name, type } = names.condition;
      const labels = conditions.flatMap((c, i) => readLabels(i === 0 ? "condition" : "unconditional", c, each));
      return { [name]: make(type, integers(type, labels), [batch]) };
    }
    if (conditions.every((c) => c === undefined)) return {};
    throw new TypeError(`"condition": the network takes none; its inputs: ${listInputs(session)}`);
  }

  type Request = Omit<DenoiserInput<C>, "x">;
  /** Runs the network; `conditions` are encoded one after the other along the batch. */
  async function call<T>(
    input: Request,
    batch: number,
    conditions: readonly (C | undefined)[],
    { sample, target, take }: Ends<T>,
  ): Promise<T> {
    const dims = [batch, ...input.shape.slice(1)];
    const time = o.modelTime === undefined ? input.modelTime : o.modelTime(input.t);
    return enqueue([ort.Tensor, session], input.signal, async () => {
      const own: TensorLike[] = [];
      const make: MakeTensor = (type, data, size) => {
        const tensor = new ort.Tensor(type, data, size) as TensorLike;
        own.push(tensor);
        return tensor;
      };
      let outputs: Record<string, TensorLike> = {};
      try {
        const feeds: Feeds = {
          [names.sample.name]: sample(make, dims),
          [names.timestep.name]: timestep(make, names.timestep, time, batch),
        };
        Object.assign(feeds, await encode(make, conditions, batch));
        checkFeeds(session, feeds);
        const running =
          target === undefined ? session.run(feeds) : session.run(feeds, { [names.output]: target(dims) });
        outputs = (await running) as Record<string, TensorLike>;
        return await take(outputs[names.output], dims);
      } finally {
        for (const tensor of [...own, ...Object.values(outputs)]) tensor?.dispose?.();
      }
    });
  }

  const run = (input: Request, x: Float32Array, batch: number, conditions: readonly (C | undefined)[]) =>
    call(input, batch, conditions, {
      sample: (make, dims) => make(names.sample.type, sampleData(names.sample, x), dims),
      take: (tensor, dims) => read(names.output, tensor, dims, x.length),
    });

  async function predictOnDevice(input: DeviceInput<C>): Promise<boolean> {
    const one = input.shape[0] ?? 1;
    if (input.guided && names.sample.shape?.[0] === one) return false;
    if ((await (ort.env as WebGpuEnvironment | undefined)?.webgpu?.device) !== input.device) {
      const remedy = "make it by webgpuEngine({ device: await ort.env.webgpu.device }) once the session exists";
      throw new TypeError(`"engine": expected one on the device of the network's ONNX Runtime; ${remedy}`);
    }
    const tensor = (buffer: unknown, dims: readonly number[]) =>
      ort.Tensor.fromGpuBuffer?.(buffer, { dataType: "float32", dims }) as TensorLike;
    const conditions = input.guided ? [input.condition, input.unconditional] : [input.condition];
    return call(input, one * conditions.length, conditions, {
      sample: (_, dims) => tensor(input.x, dims),
      target: (dims) => tensor(input.output, dims),
      take: async () => true,
    });
  }
  const outputType = session.outputMetadata?.find?.((m) => m.name === names.output)?.type ?? "float32";
  const stays = o.webgpu === true && names.sample.type === "float32" && outputType === "float32";

  return {
    prediction,
    ...(stays ? { predictOnDevice } : {}),
    predict: (input) => run(input, input.x, input.shape[0] ?? 1, [input.condition]),
    async predictGuided(input) {
      const n = input.x.length;
      const batch = input.shape[0] ?? 1;
      if (names.sample.shape?.[0] === batch) {
        // Exported with this batch size and no other: a pair does not fit.
        const conditional = await run(input, input.x, batch, [input.condition]);
        return { conditional, unconditional: await run(input, input.x, batch, [input.unconditional]) };
      }
      const pair = new Float32Array(2 * n);
      pair.set(input.x);
      pair.set(input.x, n);
      const both = await run(input, pair, 2 * batch, [input.condition, input.unconditional]);
      return { conditional: both.subarray(0, n), unconditional: both.subarray(n) };
    },
  };
}

interface WebGpuEnvironment {
  readonly webgpu?: { readonly device?: unknown };
}

/** Where a network's input comes from and its output goes to. */
interface Ends<T> {
  sample(make: MakeTensor, dims: readonly number[]): TensorLike;
  /** Returns the tensor to write to; default: one that the runtime makes. */
  target?(dims: readonly number[]): TensorLike;
  take(output: TensorLike | undefined, dims: readonly number[]): Promise<T>;
}

function checkLabelInput({ condition, others }: Signature, session: SessionLike): void {
  const integer = condition === undefined || condition.type === "int64" || condition.type === "int32";
  if (others.length === 0 && integer && condition?.name !== "encoder_hidden_states") return;
  const open = condition === undefined ? others : [condition.name, ...others];
  throw new TypeError(
    `"encodeCondition": needed to fill ${open.map((n) => JSON.stringify(n)).join(", ")}; the session's inputs are ${listInputs(session)}`,
  );
}

function checkFeeds(session: SessionLike, feeds: Feeds): void {
  for (const name of Object.keys(feeds)) {
    if (session.inputNames.includes(name)) continue;
    throw new TypeError(
      `"encodeCondition": the session has no input ${show(name)}; its inputs: ${listInputs(session)}`,
    );
  }
  const missing = session.inputNames.find((name) => feeds[name] === undefined);
  if (missing !== undefined) {
    throw new TypeError(`"encodeCondition": nothing for the input "${missing}"; its inputs: ${listInputs(session)}`);
  }
}

function sampleData({ name, type }: Input, x: Float32Array): Float32Array | Uint16Array {
  if (type === "float32") return x;
  if (type === "float16") return toHalf(x);
  throw new TypeError(`"inputs.sample": expected a float32 or float16 input, got ${type} for "${name}"`);
}

function timestep(make: MakeTensor, input: Input, time: number, batch: number) {
  const { name, type } = input;
  const dims = timestepDims(input, batch);
  const count = dims.reduce((a, b) => a * b, 1);
  if (typeof time !== "number") wrongType("modelTime", "a number", time);
  if (!Number.isFinite(time)) wrongValue("modelTime", "a finite number", time);
  if (type === "float32") return make(type, new Float32Array(count).fill(time), dims);
  if (type === "float64") return make(type, new Float64Array(count).fill(time), dims);
  if (type === "float16") return make(type, toHalf(new Float32Array(count).fill(time)), dims);
  if (type !== "int64" && type !== "int32") {
    throw new TypeError(`"inputs.timestep": expected a float or integer input, got ${type} for "${name}"`);
  }
  // t·M − 1 of t = (k + 1)/M misses k by some ulps for many k (7/100·100 = 7.000000000000001).
  const nearest = Math.round(time);
  if (Math.abs(time - nearest) > 1e-9 * Math.max(1, Math.abs(time))) {
    const remedy = "take the plan from LoadedModel.plan, or give a grid whose times lie on the training steps";
    wrongValue("modelTime", `an integer for the ${type} input "${name}"`, time, remedy);
  }
  return make(type, integers(type, new Array<number>(count).fill(nearest)), dims);
}

async function read(
  name: string,
  tensor: TensorLike | undefined,
  dims: readonly number[],
  length: number,
): Promise<Float32Array> {
  if (tensor === undefined) throw new Error(`the network gave no output "${name}"`);
  const wanted = `expected float32 or float16 [${dims.join(", ")}], as the sample`;
  const got = `${tensor.type} [${Array.from(tensor.dims ?? []).join(", ")}]`;
  const matches =
    tensor.dims === undefined || (tensor.dims.length === dims.length && dims.every((d, i) => d === tensor.dims[i]));
  if (!matches) throw new RangeError(`output "${name}": ${wanted}, got ${got}`);
  const data = await contents(tensor);
  const single = isTypedArray(data, "Float32Array");
  const half = tensor.type === "float16" && ArrayBuffer.isView(data);
  if (!half && !single) throw new TypeError(`output "${name}": ${wanted}, got ${got}`);
  const values = single ? data : fromHalf(data as ArrayBufferView);
  if (values.length !== length) throw new RangeError(`output "${name}": ${wanted}, got ${values.length} values`);
  // Disposing the tensor frees what it shares with the runtime, not this array: ONNX Runtime hands out CPU data as its own buffer.
  return values;
}
