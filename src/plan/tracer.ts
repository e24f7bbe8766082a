// What a solver writes on: it runs its loop once, on symbols, and every line of its mathematics becomes an operation.
import type { NoiseSchedule } from "../diffusion/schedule.ts";
import type { Operation, Output, PlanStep, Point, Space, Thresholding, ValueId } from "./plan.ts";

/** A symbol of the trace: a state, a noise tensor or a linear combination. */
export interface Value {
  readonly id: ValueId;
}

/** The symbol of a model output in the solver's space, with the time and half log-SNR at which the model was called. */
export interface Prediction extends Value {
  readonly t: number;
  readonly lambda: number;
  /** The same as x₀, thresholded. */
  readonly denoised: Value;
  /** The same as ε, as the network gave it: before thresholding. Written on the trace when asked for. */
  noise(): Value;
}

/** Settings of thresholding with their defaults. */
export type CheckedThresholding = Required<Omit<Thresholding, "limit">> & Pick<Thresholding, "limit">;

/** One term of a combination. */
export type Term = readonly [coefficient: number, value: Value];

/** Records the operations of one solver over one grid. */
export class Trace {
  readonly steps: PlanStep[] = [];
  private operations: Operation[] = [];
  private outputs: Output[] = [];
  private count = 0;
  private draws = 0;

  constructor(
    private readonly schedule: NoiseSchedule,
    private readonly grid: Float64Array,
    private readonly space: Space,
    private readonly thresholding: CheckedThresholding | undefined,
    private readonly arrivals: readonly (Point | undefined)[] = [],
  ) {}

  /** Returns the state at grid[0]. */
  start(): Value {
    return { id: 0 };
  }

  /** Returns Σ coefficient · value; a value that is named twice gets the sum of its coefficients, and a zero drops out. */
  combine(terms: readonly Term[]): Value {
    const sums = new Map<ValueId, number>();
    for (const [coefficient, { id }] of terms) sums.set(id, (sums.get(id) ?? 0) + coefficient);
    const kept = [...sums].filter(([, c]) => c !== 0).map(([from, c]) => [c, from] as const);
    return this.record((to) => ({ kind: "combine", to, terms: kept }));
  }

  /** Returns a tensor of fresh standard normals. */
  draw(): Value {
    this.draws++;
    return this.record((to) => ({ kind: "draw", to, draw: this.draws }));
  }

  /** Returns the model's output at state `x` and time `t`, in the solver's space or `own`, thresholded if the plan says so. */
  evaluate(x: Value, t: number, own: Space = this.space): Prediction {
    const { alpha, sigma } = this.point(t);
    const space = this.thresholding === undefined ? own : "sample";
    const { schedule } = this;
    const call = {
      ...({ kind: "evaluate", x: x.id, t, alpha, sigma, modelTime: schedule.modelTime(t), space } as const),
      ...(schedule.input === undefined ? {} : { input: schedule.input(t) }),
      ...(schedule.sigmaData === undefined ? {} : { sigmaData: schedule.sigmaData }),
    };
    const raw = this.record((to) => ({ ...call, to }));
    let output = raw;
    let denoised = output;
    if (this.thresholding !== undefined) {
      const thresholding = this.thresholding;
      denoised = this.record((to) => ({ kind: "clip", to, from: raw.id, ...thresholding }));
      output = denoised;
    }
    if (own === "epsilon") {
      // ε = (x − alpha·x₀)/sigma and back; the way back is only for those who watch, `lower` drops it for the others.
      if (this.thresholding === undefined)
        denoised = this.combine([
          [1 / alpha, x],
          [-sigma / alpha, output],
        ]);
      else
        output = this.combine([
          [1 / sigma, x],
          [-alpha / sigma, denoised],
        ]);
    }
    this.outputs.push({ t, value: output.id, denoised: denoised.id });
    const noise = (): Value =>
      space === "epsilon"
        ? raw
        : this.combine([
            [1 / sigma, x],
            [-alpha / sigma, raw],
          ]);
    return { id: output.id, t, lambda: this.schedule.lambda(t), denoised, noise };
  }

  /** Ends a step with its state and returns that state. `consistent: false` where the method does not keep a clean signal clean. */
  endStep(state: Value, claims: { consistent?: false } = {}): Value {
    const k = this.steps.length;
    const [start, end] = [this.point(this.grid[k] as number), this.point(this.grid[k + 1] as number)];
    const arrival = this.arrivals[k] ?? end;
    // Where a step goes to another level than the next one starts from, the difference is nobody's claim.
    const jumps = arrival.alpha !== end.alpha || arrival.sigma !== end.sigma ? { consistent: false as const } : {};
    this.steps.push({
      start,
      end,
      operations: this.operations,
      outputs: this.outputs,
      state: state.id,
      ...claims,
      ...jumps,
    });
    this.operations = [];
    this.outputs = [];
    return state;
  }

  private point(t: number): Point {
    return { t, alpha: this.schedule.alpha(t), sigma: this.schedule.sigma(t) };
  }

  private record(make: (to: ValueId) => Operation): Value {
    this.operations.push(make(++this.count));
    return { id: this.count };
  }
}
