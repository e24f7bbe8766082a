// What stands between a run and the network.
import { setImmediate as turn } from "node:timers/promises";
import type { Denoiser } from "../denoisers/denoiser.ts";

/** Seconds spent in the network, and in neither network nor solver (the event loop's turn). */
export interface Clock {
  seconds: number;
  elsewhere: number;
}

/** Returns the denoiser with a clock around it. Between calls the event loop turns once, so that Ctrl-C is heard: a WASM run blocks it. */
export function timed<C>(denoiser: Denoiser<C>, clock: Clock, onCall: (batch: number) => void): Denoiser<C> {
  async function measure<T>(batch: number | undefined, call: () => T | Promise<T>): Promise<T> {
    const waiting = performance.now();
    await turn();
    const started = performance.now();
    const output = await call();
    const ended = performance.now();
    onCall(batch ?? 1);
    clock.seconds += (ended - started) / 1000;
    clock.elsewhere += (started - waiting + performance.now() - ended) / 1000;
    return output;
  }
  const { predictGuided } = denoiser;
  return {
    prediction: denoiser.prediction,
    predict: (request) => measure(request.shape[0], () => denoiser.predict(request)),
    ...(predictGuided && {
      predictGuided: (request) => measure(request.shape[0], () => predictGuided.call(denoiser, request)),
    }),
  };
}
