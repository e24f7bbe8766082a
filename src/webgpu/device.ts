// The part of WebGPU that a user hands in, as structure: not every project has the types of WebGPU.

/** A GPUDevice. */
export interface DeviceLike {
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly queue: object;
  readonly limits: object;
  createBuffer(descriptor: { size: number; usage: number }): object;
}

/** Flags of buffers, which are globals in some runtimes and missing in others. */
export const usage = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128 } as const;
