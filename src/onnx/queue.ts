// Runs wait for each other. Two runs of one WebGPU session at once hang the process for good, and two WebGPU sessions at once fail
// (onnxruntime-web 1.30), so runs are queued per build of ONNX Runtime, and per session for one that was loaded elsewhere.

const tails = new WeakMap<object, Promise<unknown>>();
const settle = (): undefined => undefined;

/**
 * Returns what `work` returns, started when everything queued before under any of `keys` has ended, well or badly.
 * A signal that aborts during the wait rejects at once with its reason, and `work` never starts; work that has started is finished.
 */
export function enqueue<T>(
  keys: readonly object[],
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  const before = Promise.all(keys.map((key) => tails.get(key)));
  const result = new Promise<T>((resolve, reject) => {
    const drop = () => reject(signal?.reason);
    signal?.addEventListener("abort", drop, { once: true });
    const start = () => {
      signal?.removeEventListener("abort", drop);
      if (!signal?.aborted) resolve(work());
    };
    before.then(start).catch(reject);
  });
  // The tail ends with the wait and the work, not with an early rejection: a dropped request must not let its successor overtake.
  const tail = Promise.all([before, result.then(settle, settle)]).then(settle);
  for (const key of keys) tails.set(key, tail);
  return result;
}
