// A denoiser that is listened to: how many calls, how long, and a turn of the event loop before each, so that an abort gets through.
import type { Denoiser } from "../src/index.ts";

/** Milliseconds in the network, and in waiting for it. */
export interface Clock {
  network: number;
  waiting: number;
}

const channel = new MessageChannel();
const turns: (() => void)[] = [];
channel.port1.onmessage = () => turns.shift()?.();

/** Returns after the messages that have come in were heard. ONNX Runtime's promises alone never let one in. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    turns.push(resolve);
    channel.port2.postMessage(undefined);
  });
}

export function listened<C>(denoiser: Denoiser<C>, clock: Clock, onCall: () => void = () => {}): Denoiser<C> {
  const { predictGuided } = denoiser;
  async function timed<T>(signal: AbortSignal | undefined, call: () => T | Promise<T>): Promise<T> {
    const asked = performance.now();
    await turn();
    signal?.throwIfAborted();
    const started = performance.now();
    const output = await call();
    clock.waiting += started - asked;
    clock.network += performance.now() - started;
    onCall();
    return output;
  }
  return {
    prediction: denoiser.prediction,
    predict: (input) => timed(input.signal, () => denoiser.predict(input)),
    ...(predictGuided === undefined
      ? {}
      : { predictGuided: (input) => timed(input.signal, () => predictGuided.call(denoiser, input)) }),
  };
}
