// The only code that walks a program. A run says what to evaluate (`pending`), takes the outputs (`answer`) and goes on to the next
// model call; whoever drives it decides who runs the network. One run at a time holds one machine of the engine.
import * as check from "../check.ts";
import { checkSeeds, generators, type NoiseSource, noiseSource, type Seed } from "../diffusion/noise.ts";
import type { AffinePrediction, PredictionType } from "../diffusion/prediction.ts";
import { checkPlan } from "../plan/json.ts";
import { lower, type Program } from "../plan/lower.ts";
import type { Evaluate, Plan, PlanStep } from "../plan/plan.ts";
import { type Engine, type Machine, type Tensor, wasmEngine } from "../wasm/engine.ts";

/** What happened in a step; arrays are copies, safe to keep. */
export interface StepEvent {
  /** 0-based. */
  step: number;
  steps: number;
  /** plan.grid[step + 1], the time of `x`. */
  t: number;
  /** Model calls so far; a guided pair is one. */
  nfe: number;
  /** The state after the step, corrector included. */
  x: Float32Array;
  /** x₀ by the newest model output: thresholded, before compensation. */
  denoised: Float32Array;
}

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

/** What a run needs beside a network. */
export interface RunOptions {
  plan: Plan;
  shape: readonly number[];
  /** Initial standard-normal noise; default: draw 0 of the seed. */
  noise?: Float32Array;
  /** Instead of noise: the state at grid[0] as it is. */
  initial?: Float32Array;
  /** One seed, or one per batch item, for everything random that is not handed in. */
  seed?: number | readonly number[];
  generator?: "philox" | "torch";
  /** Standard normals of the plan's draw 1, 2, …; default: from the seed. */
  stepNoise?(draw: number): Float32Array;
  guidanceScale?: number;
  /** From dc-solver/webgpu; default: the WebAssembly engine. */
  engine?: unknown;
}

/** A place in a run; see `Run.save`. */
export interface SavedRun {
  readonly at: number;
  readonly nfe: number;
  readonly pending: Run["pending"];
  readonly slots: Tensor;
}

export class Run {
  readonly plan: Plan;
  readonly shape: readonly number[];
  readonly length: number;
  /** The model call that the run waits for; undefined when it has ended. */
  pending: { readonly call: Evaluate; readonly step: number; readonly outputs: number } | undefined;
  nfe = 0;
  /** Events that nobody has taken yet; empty unless the run is observed. */
  readonly events: StepEvent[] = [];
  result: Float32Array | undefined;
  private readonly program: Program;
  private readonly machine: Machine;
  private readonly normals: (draw: number) => Tensor;
  private at = 0;
  private open = true;

  /**
   * @param observe whether `events` are wanted
   * @param reusable whether the run keeps its memory when it ends, to be restored
   */
  constructor(
    o: RunOptions,
    prediction: PredictionType | AffinePrediction,
    observe: boolean,
    private readonly reusable = false,
  ) {
    this.plan = checkPlan(o.plan);
    this.shape = check.shape("shape", o.shape);
    this.length = this.shape.reduce((product, n) => product * n, 1);
    const batch = this.shape[0] as number;
    const { guidanceScale = 1 } = o;
    check.finite("guidanceScale", guidanceScale);
    const sources = randomSources(o, this.plan, this.shape);
    const engine = checkEngine(o.engine);
    this.program = programOf(this.plan, prediction, guidanceScale, observe);
    this.machine = engine.open(this.program, batch, this.length / batch);
    this.normals = (draw) => this.tensor(`stepNoise(${draw})`, sources.step(draw));
    this.guard(() => {
      const name = o.initial === undefined ? "noise" : "initial";
      const given = o[name];
      const start = this.tensor(name, given === undefined ? sources.start() : given);
      this.machine.write(this.program.start, start);
      if (!this.machine.isFinite(this.program.start))
        throw new RangeError(`"${name}": expected finite numbers, got NaN or ±Infinity`);
      // Variance exploding (alpha = 1): noise of the first level. Elsewhere alpha² + sigma² = 1 or alpha = 0 stands for "all noise".
      const { alpha, sigma } = (this.plan.steps[0] as PlanStep).start;
      if (o.initial === undefined && alpha === 1) this.machine.scale(this.program.start, sigma);
      this.walk();
    });
  }

  /** Returns a copy of the network's input for the pending call. */
  input(): Tensor {
    const instruction = this.program.instructions[this.at];
    if (instruction?.kind !== "evaluate") throw new Error("the run has ended");
    return this.machine.read(instruction.x);
  }

  /** Takes the outputs of the pending call, conditional first, and goes on. Nothing is changed if they are of the wrong kind. */
  answer(outputs: readonly Tensor[], names: readonly string[]): void {
    this.take(outputs, names);
    this.advance();
  }

  /** Takes the outputs of the pending call without going on. */
  take(outputs: readonly Tensor[], names: readonly string[]): void {
    const instruction = this.program.instructions[this.at];
    if (!this.open || instruction?.kind !== "evaluate") throw new Error("the run has ended");
    const { call, step } = instruction;
    const tensors = instruction.outputs.map((_, i) => this.tensor(names[i] ?? "outputs", outputs[i]));
    this.guard(() => {
      for (const [i, slot] of instruction.outputs.entries()) {
        this.machine.write(slot, tensors[i] as Tensor);
        if (!this.machine.isFinite(slot)) throw new NonFiniteError("the model's output", step, call.t);
      }
    });
    this.nfe++;
    this.at++;
    this.pending = undefined;
  }

  /** Goes on to the next model call, or to the end. */
  advance(): void {
    this.guard(() => this.walk());
  }

  /** Overwrites the weights of the plan's compensation number `index`, newest output first. */
  setCompensation(index: number, weights: readonly number[]): void {
    for (const [i, coefficient] of (this.program.compensations[index] ?? []).entries()) {
      this.machine.setCoefficient(coefficient, weights[i] as number);
    }
  }

  /** Returns all there is to come back to this place: how far the run is and its slots. Draws are not undone. */
  save(): SavedRun {
    return { at: this.at, nfe: this.nfe, pending: this.pending, slots: this.machine.save() };
  }

  restore({ at, nfe, pending, slots }: SavedRun): void {
    Object.assign(this, { at, nfe, pending, result: undefined });
    this.events.length = 0;
    this.machine.restore(slots);
  }

  /** Gives the memory back. A run that has ended or failed has done so itself. */
  dispose(): void {
    if (!this.open) return;
    this.open = false;
    this.pending = undefined;
    this.machine.release();
  }

  private walk(): void {
    const { instructions } = this.program;
    for (; this.at < instructions.length; this.at++) {
      const instruction = instructions[this.at];
      switch (instruction?.kind) {
        case "exec":
          this.machine.exec(this.at);
          break;
        case "draw":
          this.machine.write(instruction.to, this.normals(instruction.draw));
          break;
        case "clip":
          this.machine.clip(instruction.to, instruction.from, instruction.ratio, instruction.maxValue);
          break;
        case "step":
          this.endStep(instruction.step, instruction.state, instruction.denoised);
          break;
        case "evaluate":
          this.pending = { call: instruction.call, step: instruction.step, outputs: instruction.outputs.length };
          return;
      }
    }
    const last = instructions.at(-1);
    if (last?.kind === "step") this.result = this.machine.read(last.state) as Float32Array;
    if (!this.reusable) this.dispose();
  }

  private endStep(step: number, state: number, denoised: number | undefined): void {
    const t = (this.plan.steps[step] as PlanStep).end.t;
    if (!this.machine.isFinite(state)) throw new NonFiniteError("the state", step, t);
    if (denoised === undefined) return;
    const [x, x0] = [this.machine.read(state) as Float32Array, this.machine.read(denoised) as Float32Array];
    this.events.push({ step, steps: this.plan.steps.length, t, nfe: this.nfe, x, denoised: x0 });
  }

  /** Runs `action`; whatever it throws, the memory goes back first. */
  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  private tensor(name: string, value: unknown): Tensor {
    const type = this.machine.allocate(0).constructor as new (n: number) => Tensor;
    // By tag and not by instanceof: arrays of another realm (a frame, a vm context of a test runner) are as good.
    const isTensor = ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === `[object ${type.name}]`;
    if (!isTensor) check.wrongType(name, `a ${type.name} of length ${this.length}`, value);
    const tensor = value as Tensor;
    if (tensor.length !== this.length) {
      check.wrongValue(name, `a length of ${this.length} for shape [${this.shape.join(", ")}]`, tensor.length);
    }
    return tensor;
  }
}

// The newest program of each plan. Plans are made once and run often, and lowering takes longer than all else on the host that a step
// of a small tensor needs: 10 µs against 7 µs at 784 floats. Machines write coefficients into tables of their own, so programs stay as
// they are. Predictions of the user's own are functions that may come to answer differently; those are lowered every time.
const programs = new WeakMap<Plan, { prediction: string; guidanceScale: number; observe: boolean; program: Program }>();

function programOf(
  plan: Plan,
  prediction: PredictionType | AffinePrediction,
  guidanceScale: number,
  observe: boolean,
): Program {
  const known = programs.get(plan);
  const fits = known?.prediction === prediction && known.guidanceScale === guidanceScale && known.observe === observe;
  if (fits) return known.program;
  const program = lower(plan, prediction, guidanceScale, observe);
  if (typeof prediction === "string") programs.set(plan, { prediction, guidanceScale, observe, program });
  return program;
}

function checkEngine(value: unknown): Engine {
  if (value === undefined) return wasmEngine;
  if (typeof value !== "object" || value === null || typeof (value as Engine).open !== "function") {
    check.wrongType("engine", "an engine from dc-solver/webgpu", value);
  }
  return value as Engine;
}

/** Returns where the initial noise and the draws come from; everything random must have a source, and a seed must have a use. */
function randomSources(o: RunOptions, plan: Plan, shape: readonly number[]) {
  const { generator: kind = "philox", stepNoise } = o;
  const generator = check.oneOf("generator", kind, generators);
  if (o.noise !== undefined && o.initial !== undefined) throw new TypeError('"initial": expected none beside "noise"');
  if (stepNoise !== undefined && typeof stepNoise !== "function") check.wrongType("stepNoise", "a function", stepNoise);
  const seed = o.seed === undefined ? undefined : checkSeeds(o.seed, shape[0] as number, generator);
  const startIsGiven = o.noise !== undefined || o.initial !== undefined;
  const stepsAreGiven = plan.draws === 0 || stepNoise !== undefined;
  if (seed !== undefined && startIsGiven && stepsAreGiven) {
    throw new TypeError('"seed": nothing is left for it to draw; expected none beside the noise that is handed in');
  }
  if (seed === undefined && !startIsGiven)
    throw new TypeError('"seed": required where neither "noise" nor "initial" is given');
  if (seed === undefined && !stepsAreGiven) {
    throw new TypeError(`"seed": required for the plan's ${plan.draws} draws where no "stepNoise" is given`);
  }
  let source: NoiseSource | undefined;
  const draw = (index: number) => {
    source ??= noiseSource(seed as Seed | readonly Seed[], shape, generator);
    return source.draw(index);
  };
  return {
    start: () => draw(0),
    step: (index: number) => (stepNoise === undefined ? draw(index) : o.stepNoise?.(index)),
  };
}
