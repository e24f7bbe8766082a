// The error of a run whose numbers have become useless.

/** A model or a step gave NaN or ±Infinity. */
export class NonFiniteError extends Error {
  /** The 0-based step in whose course it arose. */
  readonly step: number;
  /** The time at which the model was evaluated, or the time of the state. */
  readonly t: number;
  constructor(what: string, step: number, t: number) {
    super(`${what} holds NaN or ±Infinity (step ${step}, t = ${t})`);
    this.name = "NonFiniteError";
    this.step = step;
    this.t = t;
  }
}
