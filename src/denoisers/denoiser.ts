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
}
