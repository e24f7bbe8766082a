// What a machine has its GPU do, in order, and what the GPU says against it. A command that is refused does nothing, and whoever reads
// afterwards finds what was there before: without error scopes a run would go on to a wrong result.
import type { Tensor } from "../wasm/engine.ts";

export interface Work {
  /** Returns what the next commands are recorded with. */
  encoder(): GPUCommandEncoder;
  /** Hands over what has been recorded. */
  submit(): void;
  /** Writes to a buffer behind all that has been recorded. */
  put(buffer: GPUBuffer, offset: number, data: Tensor | Uint32Array): void;
  /** Returns what `action` makes; errors of the device count as refusals. */
  watch<T>(action: () => T): T;
  /** Resolves once the device has taken everything until now. Rejects with the first refusal. */
  accepted(): Promise<void>;
}

/**
 * Returns the work of one run.
 * @param where what the run is doing, for messages
 */
export function openWork(device: GPUDevice, where: () => string): Work {
  const { queue } = device;
  let encoder: GPUCommandEncoder | undefined;
  let heard: Promise<unknown> = Promise.resolve();
  let refusal: Error | undefined;
  const scopes = ["validation", "out-of-memory"] as const;

  const watch = <T>(action: () => T): T => {
    const place = where();
    // Scopes are the device's: other users of it open and close theirs before or after these lines.
    for (const scope of scopes) device.pushErrorScope(scope);
    try {
      return action();
    } finally {
      // A device that is lost rejects, and says so elsewhere.
      const found = scopes.map(() => device.popErrorScope().catch(() => null));
      const listen = Promise.all(found).then((errors) => {
        const error = errors.find((e) => e !== null);
        if (error) refusal ??= new Error(`the GPU refuses ${place}: ${error.message}`);
      });
      heard = Promise.all([heard, listen]);
    }
  };
  const work: Work = {
    watch,
    encoder() {
      encoder ??= device.createCommandEncoder();
      return encoder;
    },
    submit() {
      const recorded = encoder;
      encoder = undefined;
      if (recorded !== undefined) watch(() => queue.submit([recorded.finish()]));
    },
    put(buffer, offset, data) {
      work.submit();
      queue.writeBuffer(buffer, offset, data as Float32Array<ArrayBuffer>);
    },
    async accepted() {
      await heard;
      if (refusal !== undefined) throw refusal;
    },
  };
  return work;
}
