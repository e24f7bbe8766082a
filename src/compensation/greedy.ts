// The greedy search over one run: restore, set a ratio, look at the state. It owns no policy but the order of its looks.
import type { Denoiser } from "../denoisers/denoiser.ts";
import { conversion } from "../diffusion/prediction.ts";
import { compensationWeights } from "../plan/compensate.ts";
import type { Run, SavedRun } from "../sampling/run.ts";
import { type Call, outputNames, predict } from "../sampling/sample.ts";
import { minimizePolynomial, type Residuals } from "../wasm/residuals.ts";

export interface SearchRules {
  readonly low: number;
  readonly high: number;
  readonly tolerance: number;
  readonly maxEvaluations: number;
  readonly objective: "corrected" | "predicted";
  readonly guidanceScale: number;
}

/** What a step found: the ratio, the mean squared error of the state after it, and the same at ratio 1. */
export interface StepResult {
  readonly ratio: number;
  readonly loss: number;
  readonly lossWithout: number;
}

/** A result with the run right after the model's answer that the ratio got, where a call lies between ratio and state. */
interface Trial extends StepResult {
  after?: SavedRun;
}

interface Search<C> {
  readonly run: Run;
  readonly store: Residuals;
  readonly denoiser: Denoiser<C>;
  readonly call: Call<C>;
  readonly grid: Float64Array;
  readonly dcOrder: number;
  readonly rules: SearchRules;
  /** The reference states at grid[1], grid[2], … */
  readonly reference: readonly Float32Array[];
}

/**
 * Before step k the run stands right after the model's answer at grid[k]. What follows, up to the next answer, depends on the ratio:
 * the compensation itself, the predictor, and where the step has a corrector a model call and its correction.
 */
export class GreedySearch<C> {
  constructor(private readonly search: Search<C>) {}

  /** Returns the best ratio of step k, or `known` without a search, and leaves the run before the next step. */
  async step(k: number, known: StepResult | undefined): Promise<StepResult> {
    const { run, dcOrder } = this.search;
    if (run.pending !== undefined) await this.take();
    const start = run.save();
    let trial: Trial;
    if (known !== undefined) trial = known;
    else if (k < dcOrder) trial = await this.look(k, start);
    else trial = this.closedForm(k, start) ?? (await this.iterate(k, start));
    if (trial.after !== undefined) run.restore(trial.after);
    else if (this.place(k, start, trial.ratio) === undefined) await this.take();
    return trial;
  }

  /** Returns what a step without compensation gives. */
  private async look(k: number, start: SavedRun): Promise<Trial> {
    const state = this.withoutCall(k, start, 1);
    const { after, ...called } = state === undefined ? await this.withCall(k, start, 1) : { state, after: undefined };
    const loss = meanSquare(called.state, this.search.reference[k]);
    return { ratio: 1, loss, lossWithout: loss, ...(after === undefined ? {} : { after }) };
  }

  /** Returns the best ratio if the state is a polynomial of degree dcOrder in it: from dcOrder + 1 states that cost no model call. */
  private closedForm(k: number, start: SavedRun): Trial | undefined {
    const { store, dcOrder, rules } = this.search;
    const reference = this.search.reference[k] as Float32Array;
    store.begin(rules.low, rules.high, rules.tolerance, rules.maxEvaluations);
    // Nodes in ratio − 1: 0, −½, ½, −1, 1, … The polynomial holds beyond the bounds too.
    const nodes = Array.from({ length: dcOrder + 1 }, (_, i) => (i % 2 === 0 ? i / 4 : -(i + 1) / 4));
    const gram: number[][] = [];
    for (const u of nodes) {
      const state = this.withoutCall(k, start, 1 + u);
      if (state === undefined) return undefined;
      gram.push(store.add(state, reference));
    }
    const lossWithout = gram[0]?.[0] as number;
    const without = { ratio: 1, loss: lossWithout, lossWithout };
    if (isFlat(gram, meanSquare(reference))) return without;
    const ratio = 1 + minimizePolynomial(lossPolynomial(nodes, gram), rules.low - 1, rules.high - 1);
    const loss = meanSquare(this.withoutCall(k, start, ratio) as Float32Array, reference);
    return loss < lossWithout ? { ratio, loss, lossWithout } : without;
  }

  /** Returns the best of the ratios that the ask/tell search wanted to see; the first is 1. */
  private async iterate(k: number, start: SavedRun): Promise<Trial> {
    const { store, rules } = this.search;
    const reference = this.search.reference[k] as Float32Array;
    store.begin(rules.low, rules.high, rules.tolerance, rules.maxEvaluations);
    const trials: Trial[] = [];
    const gram: number[][] = [];
    for (let ratio = store.ask(); ratio !== undefined; ratio = store.ask()) {
      const { state, after } = await this.withCall(k, start, ratio);
      gram.push(store.add(state, reference));
      store.tell(gram.at(-1) as number[]);
      trials.push({ ratio, loss: gram.at(-1)?.at(-1) as number, lossWithout: gram[0]?.[0] as number, after });
      // The places of the first and the best are kept, not of all.
      const { index } = store.best();
      for (const [i, trial] of trials.entries()) if (i !== 0 && i !== index) delete trial.after;
    }
    return trials[isFlat(gram, meanSquare(reference)) ? 0 : store.best().index] as Trial;
  }

  /** Goes from `start` with a ratio to the end of step k and returns its state, or to a model call before that and returns none. */
  private place(k: number, start: SavedRun, ratio: number): Float32Array | undefined {
    const { run, grid, dcOrder } = this.search;
    run.restore(start);
    if (k >= dcOrder) run.setCompensation(k - dcOrder, compensationWeights(grid, k, ratio, dcOrder));
    run.advance();
    return this.stateOf(k);
  }

  /** Returns the state to compare if no model call lies before it. */
  private withoutCall(k: number, start: SavedRun, ratio: number): Float32Array | undefined {
    const state = this.place(k, start, ratio);
    return state ?? (this.search.rules.objective === "predicted" ? this.prediction() : undefined);
  }

  /** Returns the state after step k's model call, and the run right after the answer. */
  private async withCall(k: number, start: SavedRun, ratio: number): Promise<{ state: Float32Array; after: SavedRun }> {
    const { run } = this.search;
    this.place(k, start, ratio);
    await this.take();
    const after = run.save();
    run.advance();
    return { state: this.stateOf(k) as Float32Array, after };
  }

  private stateOf(k: number): Float32Array | undefined {
    return this.search.run.events.find((e) => e.step === k)?.x;
  }

  /** Returns the predictor's state: the network's input, without the scale that its prediction or its schedule puts on it. */
  private prediction(): Float32Array {
    const { run, denoiser } = this.search;
    const x = run.input() as Float32Array;
    const { call } = run.pending as NonNullable<Run["pending"]>;
    const scale = conversion(denoiser.prediction, call, call.space).input;
    return scale === 1 ? x : x.map((v) => v / scale);
  }

  private async take(): Promise<void> {
    const { run, denoiser, call } = this.search;
    call.signal?.throwIfAborted();
    const outputs = await predict(denoiser, run, call);
    call.signal?.throwIfAborted();
    run.take(outputs, outputNames(outputs));
  }
}

/** Returns the mean square of a, or of a − b. */
export function meanSquare(a: Float32Array, b?: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const d = (a[i] as number) - (b?.[i] ?? 0);
    sum += d * d;
  }
  return sum / a.length;
}

/**
 * Returns whether there is nothing to gain but rounding: no vector differs from the first by more than 1e-6 of the reference's size, or
 * the first itself is no longer than 1e-5 of it, a hundred roundings. `gram` holds the lower triangle of the products of residuals, the
 * first at ratio 1.
 */
function isFlat(gram: readonly (readonly number[])[], scale: number): boolean {
  if ((gram[0]?.[0] as number) <= 1e-10 * scale) return true;
  return gram.every((row, i) => {
    const distance = (row[i] as number) - 2 * (row[0] as number) + (gram[0]?.[0] as number);
    return distance <= 1e-12 * scale;
  });
}

/** Returns the ascending coefficients of |Σ L_i(u) r_i|², r_i the residual at node i and L_i the Lagrange basis, from their products. */
function lossPolynomial(nodes: readonly number[], gram: readonly (readonly number[])[]): number[] {
  const basis = nodes.map((node, i) => {
    let product = [1];
    for (const [l, other] of nodes.entries()) {
      if (l === i) continue;
      const next = new Array<number>(product.length + 1).fill(0);
      for (const [power, c] of product.entries()) {
        next[power] = (next[power] as number) - (c * other) / (node - other);
        next[power + 1] = (next[power + 1] as number) + c / (node - other);
      }
      product = next;
    }
    return product;
  });
  const loss = new Array<number>(2 * nodes.length - 1).fill(0);
  for (const [i, a] of basis.entries()) {
    for (const [j, b] of basis.entries()) {
      const weight = (gram[Math.max(i, j)] as number[])[Math.min(i, j)] as number;
      for (const [p, x] of a.entries())
        for (const [q, y] of b.entries()) loss[p + q] = (loss[p + q] as number) + weight * x * y;
    }
  }
  return loss;
}
