// The error of a run whose device has gone.

/** The GPU device was lost while a run was on it; the run cannot be saved, a new engine on a new device can start anew. */
export class DeviceLostError extends Error {
  /** The 0-based step in whose course it was noticed. */
  readonly step: number;
  constructor(step: number, reason: string) {
    const why = reason === "" ? "" : `: ${reason}`;
    super(`the GPU device was lost in step ${step}${why}; make a new engine on a new device`);
    this.name = "DeviceLostError";
    this.step = step;
  }
}
