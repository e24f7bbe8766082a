// Three ways to drive a run: to the end, step by step, and turned inside out so that a server can run the network itself.
import * as check from "../check.ts";
import type { Denoiser, DenoiserInput } from "../denoisers/denoiser.ts";
import { checkPrediction } from "../diffusion/prediction.ts";
import type { Tensor } from "../wasm/engine.ts";
import { checkScales } from "./guidance.ts";
import { Run, type RunOptions, refuseDevice, type StepEvent } from "./run.ts";

/** What `sample` takes. Arrays are row-major float32; a shape is `[batch, ...dims]`. */
export interface SampleOptions<C> extends RunOptions {
  denoiser: Denoiser<C>;
  condition?: C;
  unconditional?: C;
  signal?: AbortSignal;
  onStep?(event: StepEvent): void;
}

export interface SampleResult {
  data: Float32Array;
  shape: readonly number[];
  /** Model calls; a guided pair is one. */
  nfe: number;
  /** Passes of the network; a guided pair is two. */
  passes: number;
}

export const runNames = [
  "plan",
  "shape",
  "noise",
  "initial",
  "seed",
  "generator",
  "stepNoise",
  "guidanceScale",
  "guidanceInterval",
  "guidanceRescale",
  "engine",
];
export const callNames = ["condition", "unconditional", "signal"];

/**
 * Returns the sample that a plan draws from a network.
 * @throws (rejects) TypeError, RangeError before the first model call; NonFiniteError; `signal.reason` on abort; what the denoiser throws.
 */
export async function sample<C>(o: SampleOptions<C>): Promise<SampleResult> {
  const steps = drive(o, o?.onStep !== undefined);
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return value;
  }
}

/**
 * Yields an event after every step and returns the sample.
 * @throws (rejects) as `sample` does. Leaving the loop early gives the run's memory back.
 */
export function sampleSteps<C>(o: SampleOptions<C>): AsyncGenerator<StepEvent, SampleResult> {
  return drive(o, true);
}

async function* drive<C>(o: SampleOptions<C>, observe: boolean): AsyncGenerator<StepEvent, SampleResult> {
  check.options("sample", o, [...runNames, ...callNames, "denoiser", "onStep"]);
  const denoiser = checkDenoiser<C>(o.denoiser);
  if (o.onStep !== undefined && typeof o.onStep !== "function") check.wrongType("onStep", "a function", o.onStep);
  checkCall(o);
  o.signal?.throwIfAborted();
  const run = new Run(o, denoiser.prediction, observe ? "steps" : "nothing");
  try {
    while (run.pending !== undefined) {
      o.signal?.throwIfAborted();
      const asked = run.device === undefined ? predict(denoiser, run, o) : predictFromDevice(denoiser, run, o);
      const outputs = await asked.catch((error: unknown) => {
        // A denoiser that hears the signal may fail in its own words.
        o.signal?.throwIfAborted();
        throw error;
      });
      o.signal?.throwIfAborted();
      if (outputs !== undefined) run.take(outputs, outputNames(outputs));
      run.advance();
      if (run.device !== undefined && (run.events.length > 0 || run.result !== undefined)) {
        await run.settle();
        o.signal?.throwIfAborted();
      }
      for (const event of run.events.splice(0)) {
        o.onStep?.(event);
        yield event;
      }
    }
    return { data: run.result as Float32Array, shape: run.shape, nfe: run.nfe, passes: run.passes };
  } finally {
    run.dispose();
  }
}

/** Names of a denoiser's outputs for messages. */
export function outputNames(outputs: readonly Tensor[]): string[] {
  return outputs.length === 1 ? ["denoiser.predict"] : ["conditional", "unconditional"];
}

/** What a model call needs beside the run. */
export type Call<C> = Pick<SampleOptions<C>, "condition" | "unconditional" | "signal">;

/** What a model call needs of a run. */
type Asking = Pick<Run, "pending" | "shape" | "input">;

/** Returns the outputs of the pending call: one, or the guided pair, conditional first. */
export async function predict<C>(denoiser: Denoiser<C>, run: Asking, o: Call<C>): Promise<Tensor[]> {
  const input = (condition: C | undefined) => request(run, condition, o.signal);
  // A denoiser may reuse its buffer: what it returns is copied before anything else can call it, what it promises as soon as it is there.
  const ask = async (condition: C | undefined) => {
    const output = denoiser.predict(input(condition));
    return copied(ArrayBuffer.isView(output) ? output : await output);
  };
  if (run.pending?.outputs === 1) return [await ask(o.condition)];
  const unconditional = o.unconditional as C;
  if (denoiser.predictGuided !== undefined) {
    const pair = check.object(
      "denoiser.predictGuided",
      await denoiser.predictGuided({ ...input(o.condition), unconditional }),
    );
    return [copied(pair.conditional as Tensor), copied(pair.unconditional as Tensor)];
  }
  const conditional = await ask(o.condition);
  o.signal?.throwIfAborted();
  return [conditional, await ask(unconditional)];
}

/** Returns the same for a run on a device, through one copy of the state; nothing if the network has answered on the device. */
async function predictFromDevice<C>(denoiser: Denoiser<C>, run: Run, o: Call<C>): Promise<Tensor[] | undefined> {
  const ask = async () => {
    const guided = run.pending?.outputs === 2;
    const rest = { ...withoutX(run, o.condition, o.signal), unconditional: o.unconditional, guided };
    if (denoiser.predictOnDevice !== undefined) {
      const call = denoiser.predictOnDevice.bind(denoiser);
      if (await run.takeOnDevice((buffers) => call({ ...rest, ...buffers }))) return undefined;
    }
    const x = run.input();
    await run.settle();
    return predict(denoiser, { pending: run.pending, shape: run.shape, input: () => x.slice() }, o);
  };
  // What a network does on a lost device is up to its runtime; some wait for ever.
  return Promise.race([ask(), ...(run.device === undefined ? [] : [run.device.lost])]);
}

/** Returns a copy of an array; what is none is refused later. */
function copied<T>(value: T): T {
  return ArrayBuffer.isView(value) && "slice" in value ? ((value as unknown as Tensor).slice() as T) : value;
}

function request<C>(run: Asking, condition: C | undefined, signal: AbortSignal | undefined): DenoiserInput<C> {
  return { x: run.input() as Float32Array, ...withoutX(run, condition, signal) };
}

/** Returns a request but for the state. */
function withoutX<C>(
  run: Asking,
  condition: C | undefined,
  signal: AbortSignal | undefined,
): Omit<DenoiserInput<C>, "x"> {
  const { t, modelTime } = (run.pending as NonNullable<Run["pending"]>).call;
  return { shape: run.shape, t, modelTime, condition, ...(signal === undefined ? {} : { signal }) };
}

/** A run whose network the caller runs. */
export interface SamplingRun<C> {
  /** What to evaluate: one request, or the guided pair, conditional first; empty when the run has ended. */
  readonly requests: readonly (DenoiserInput<C> & { branch: "conditional" | "unconditional" })[];
  /** Takes one output for each request, in their order, and returns the newest step that ended with it, if one did. */
  answer(outputs: readonly Float32Array[]): StepEvent | undefined;
  /** The sample, once the run has ended. */
  readonly result: SampleResult | undefined;
  /** Gives the memory of an unfinished run back. */
  dispose(): void;
}

/**
 * Returns a run that asks for model outputs instead of calling a denoiser, so that a server can put different requests into one batch.
 * @throws TypeError, RangeError; `answer` also NonFiniteError, and `signal.reason` once aborted.
 */
export function startSampling<C>(
  o: Omit<SampleOptions<C>, "denoiser" | "onStep"> & { prediction: Denoiser["prediction"] },
): SamplingRun<C> {
  check.options("startSampling", o, [...runNames, ...callNames, "prediction"]);
  if (o.prediction === undefined) throw new TypeError('"prediction": required');
  const prediction = checkPrediction(o.prediction);
  checkCall(o);
  refuseDevice("startSampling", o.engine);
  o.signal?.throwIfAborted();
  const run = new Run(o, prediction, "steps");
  const ask = (): SamplingRun<C>["requests"] => {
    if (run.pending === undefined) return [];
    const conditional = { ...request(run, o.condition, o.signal), branch: "conditional" as const };
    if (run.pending.outputs === 1) return [conditional];
    return [conditional, { ...request(run, o.unconditional, o.signal), branch: "unconditional" }];
  };
  let requests = ask();
  let result: SampleResult | undefined;
  const dispose = () => {
    run.dispose();
    requests = [];
  };
  return {
    get requests() {
      return requests;
    },
    get result() {
      return result;
    },
    answer(outputs) {
      if (o.signal?.aborted) dispose();
      o.signal?.throwIfAborted();
      if (requests.length === 0) throw new Error("answer: the run has ended");
      if (!Array.isArray(outputs))
        check.wrongType("outputs", "an array with one Float32Array for each request", outputs);
      if (outputs.length !== requests.length) {
        throw new RangeError(`"outputs": expected one for each of ${requests.length} requests, got ${outputs.length}`);
      }
      try {
        run.answer(outputs, ["outputs[0]", "outputs[1]"]);
      } finally {
        requests = ask();
      }
      if (run.result !== undefined) result = { data: run.result, shape: run.shape, nfe: run.nfe, passes: run.passes };
      return run.events.splice(0).at(-1);
    },
    dispose,
  };
}

export function checkDenoiser<C>(value: unknown): Denoiser<C> {
  if (value === undefined) throw new TypeError('"denoiser": required');
  const denoiser = check.object("denoiser", value) as unknown as Denoiser<C>;
  checkPrediction(denoiser.prediction, "denoiser.prediction");
  if (typeof denoiser.predict !== "function") check.wrongType("denoiser.predict", "a function", denoiser.predict);
  if (denoiser.predictGuided !== undefined && typeof denoiser.predictGuided !== "function") {
    check.wrongType("denoiser.predictGuided", "a function", denoiser.predictGuided);
  }
  if (denoiser.predictOnDevice !== undefined && typeof denoiser.predictOnDevice !== "function") {
    check.wrongType("denoiser.predictOnDevice", "a function", denoiser.predictOnDevice);
  }
  return denoiser;
}

export function checkCall(o: {
  guidanceScale?: number | readonly number[];
  unconditional?: unknown;
  signal?: AbortSignal;
}): void {
  const { guidanceScale = 1 } = o;
  const guided = checkScales(guidanceScale).some((w) => w !== 1);
  if (guided && o.unconditional === undefined) {
    throw new TypeError('"unconditional": required where "guidanceScale" is not 1');
  }
  if (o.signal !== undefined && typeof o.signal?.throwIfAborted !== "function") {
    check.wrongType("signal", "an AbortSignal", o.signal);
  }
}
