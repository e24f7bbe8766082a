// What the engine asks of a network: arrays in, arrays out. Nothing here knows ONNX.

import type { AffinePrediction, PredictionType } from "../diffusion/prediction.ts";

export type { AffinePrediction, PredictionType };

/** One request to a network. */
export interface DenoiserInput<C> {
  /** The state, row-major, `[batch, ...dims]`; the denoiser's own copy, which it may write to. */
  x: Float32Array;
  shape: readonly number[];
  /** Time of the schedule. */
  t: number;
  /** What the network is told, `schedule.modelTime(t)`. */
  modelTime: number;
  condition: C | undefined;
  signal?: AbortSignal;
}

/** One request to a network on a GPU, for the output alone or, with `guided`, for both outputs of a guided pair. */
export interface DeviceInput<C> extends Omit<DenoiserInput<C>, "x"> {
  guided: boolean;
  /** Meant only if `guided`. */
  unconditional: C | undefined;
  /** The GPUDevice of the buffers. */
  device: unknown;
  /** A GPUBuffer with the state, float32 from byte 0; if `guided` twice, one after the other: a batch of 2N. */
  x: unknown;
  /** A GPUBuffer for the raw output, laid out like `x`: the conditional output, then the unconditional one. */
  output: unknown;
}

/** A network, or anything that answers like one. */
export interface Denoiser<C = unknown> {
  readonly prediction: PredictionType | AffinePrediction;
  /**
   * Returns the raw output, as long as `x`. It is copied at once, so a denoiser may reuse its buffer; one that answers several runs at
   * once by promises needs a buffer for each call under way.
   */
  predict(input: DenoiserInput<C>): Float32Array | Promise<Float32Array>;
  /** Returns both outputs of a guided pair from one batched run. */
  predictGuided?(
    input: DenoiserInput<C> & { unconditional: C },
  ): Promise<{ conditional: Float32Array; unconditional: Float32Array }>;
  /**
   * Queues on the GPU of the engine what fills `output`, so that the state never leaves it; the engines of dc-solver/webgpu ask for it.
   * Returns false to be asked by `predict` or `predictGuided` instead, through copies.
   */
  predictOnDevice?(input: DeviceInput<C>): Promise<boolean>;
}
