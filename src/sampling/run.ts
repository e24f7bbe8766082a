// The only code that walks a program. A run says what to evaluate (`pending`), takes the outputs (`answer`) and goes on to the next
// model call; whoever drives it decides who runs the network. One run at a time holds one machine of the engine.
import * as check from "../check.ts";
import type { AffinePrediction, PredictionType } from "../diffusion/prediction.ts";
import { checkPlan } from "../plan/json.ts";
import { type Evaluate, noiseFactor, type Plan } from "../plan/plan.ts";
import type { Instruction, Observe, Program } from "../plan/program.ts";
import {
  type DeviceBuffers,
  type DeviceMachine,
  type Engine,
  type Machine,
  type Slot,
  type Tensor,
  wasmEngine,
} from "../wasm/engine.ts";
import { type GuidanceOptions, guidanceOf } from "./guidance.ts";
import { NonFiniteError } from "./non-finite.ts";
import { programOf } from "./programs.ts";
import { type NoiseOptions, randomSources } from "./sources.ts";

/** What happened in a step; arrays are copies, safe to keep. */
export interface StepEvent {
  /** 0-based. */
  step: number;
  steps: number;
  /** plan.grid[step + 1], the time of `x`. */
  t: number;
  /** Model calls so far; a guided pair is one. */
  nfe: number;
  /** Passes of the network so far; a guided pair is two. */
  passes: number;
  /** The state after the step, corrector included. */
  x: Float32Array;
  /** x₀ by the newest model output: thresholded, before compensation. */
  denoised: Float32Array;
}

export { NonFiniteError };

/** What a run needs beside a network. */
export interface RunOptions extends NoiseOptions, GuidanceOptions {
  plan: Plan;
  shape: readonly number[];
  /** From dc-solver/webgpu; default: the WebAssembly engine. */
  engine?: unknown;
}

/** A place in a run; see `Run.save`. */
export interface SavedRun {
  readonly at: number;
  readonly nfe: number;
  readonly passes: number;
  readonly pending: Run["pending"];
  readonly slots: Tensor;
}

type Step = Extract<Instruction, { kind: "step" }>;

export class Run {
  readonly plan: Plan;
  readonly shape: readonly number[];
  readonly length: number;
  /** The model call that the run waits for; undefined when it has ended. */
  pending: { readonly call: Evaluate; readonly step: number; readonly outputs: number } | undefined;
  nfe = 0;
  /** Passes of the network: two for a guided pair. */
  passes = 0;
  /** Events that nobody has taken yet; empty unless the run is observed. */
  readonly events: StepEvent[] = [];
  result: Float32Array | undefined;
  /** There if the run is on a device: arrays it hands out are filled once `settle` has resolved. */
  readonly device: DeviceMachine | undefined;
  private readonly program: Program;
  private readonly machine: Machine;
  private readonly normals: (draw: number) => Tensor;
  private at = 0;
  private open = true;

  /**
   * @param observe where `events` are wanted
   * @param reusable whether the run keeps its memory when it ends, to be restored
   */
  constructor(
    o: RunOptions,
    prediction: PredictionType | AffinePrediction,
    observe: Observe,
    private readonly reusable = false,
  ) {
    this.plan = checkPlan(o.plan);
    this.shape = check.shape("shape", o.shape);
    this.length = this.shape.reduce((product, n) => product * n, 1);
    const batch = this.shape[0] as number;
    const guidance = guidanceOf(o, this.plan);
    const sources = randomSources(o, this.plan, this.shape);
    const engine = checkEngine(o.engine);
    this.program = programOf(this.plan, prediction, guidance, observe);
    this.machine = engine.open(this.program, batch, this.length / batch);
    this.device = engine.device === undefined ? undefined : (this.machine as DeviceMachine);
    this.normals = (draw) => this.tensor(`stepNoise(${draw})`, sources.step(draw));
    this.guard(() => {
      const name = o.initial === undefined ? "noise" : "initial";
      const given = o[name];
      const start = this.tensor(name, given === undefined ? sources.start() : given);
      this.machine.write(this.program.start, start);
      if (!this.machine.isFinite(this.program.start))
        throw new RangeError(`"${name}": expected finite numbers, got NaN or ±Infinity`);
      const factor = noiseFactor(this.plan);
      if (o.initial === undefined && factor !== 1) this.machine.scale(this.program.start, factor);
      this.walk();
    });
  }

  /** Returns a copy of the network's input for the pending call. */
  input(): Tensor {
    const instruction = this.program.instructions[this.at];
    if (instruction?.kind !== "evaluate") throw new Error("the run has ended");
    return this.machine.read(instruction.x);
  }

  /** Puts another state in the place of the one that the pending call is about; where calls are observed. */
  replaceState(x: Tensor): void {
    const instruction = this.program.instructions[this.at];
    if (instruction?.kind !== "evaluate" || instruction.state === undefined) throw new Error("no state to replace");
    this.machine.write(instruction.state, this.tensor("x", x));
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
    const tensors = instruction.outputs.map((_, i) => this.tensor(names[i] ?? "outputs", outputs[i]));
    this.guard(() => {
      for (const [i, slot] of instruction.outputs.entries()) {
        this.machine.write(slot, tensors[i] as Tensor);
        this.check(slot);
      }
    });
    this.pass();
  }

  /** Lets `ask` answer the pending call on the device, without going on. Returns what it does: false if nothing has happened. */
  async takeOnDevice(ask: (buffers: DeviceBuffers) => Promise<boolean>): Promise<boolean> {
    const instruction = this.program.instructions[this.at];
    if (instruction?.kind !== "evaluate" || !(await this.device?.call(instruction.x, instruction.outputs, ask)))
      return false;
    for (const slot of instruction.outputs) this.check(slot);
    this.pass();
    return true;
  }

  /** Waits until the arrays handed out are filled. Where they are never empty, there is nothing to wait for. */
  async settle(): Promise<void> {
    const bad = await this.device?.settle();
    if (bad === undefined) return;
    this.dispose();
    throw this.nonFinite(bad);
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
    return { at: this.at, nfe: this.nfe, passes: this.passes, pending: this.pending, slots: this.machine.save() };
  }

  restore({ at, nfe, passes, pending, slots }: SavedRun): void {
    Object.assign(this, { at, nfe, passes, pending, result: undefined });
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
          this.machine.clip(
            instruction.to,
            instruction.from,
            instruction.ratio,
            instruction.maxValue,
            instruction.limit ?? Infinity,
          );
          break;
        case "rescale":
          this.machine.rescale(instruction.slot, instruction.like, instruction.share);
          break;
        case "step":
          this.see(instruction);
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

  /** Ends the model call. */
  private pass(): void {
    this.nfe++;
    this.passes += this.pending?.outputs ?? 1;
    this.at++;
    this.pending = undefined;
  }

  private check(slot: Slot): void {
    if (!this.machine.isFinite(slot, this.at)) throw this.nonFinite(this.at);
  }

  private nonFinite(at: number): Error {
    const instruction = this.program.instructions[at];
    if (instruction?.kind === "evaluate")
      return new NonFiniteError("the model's output", instruction.step, instruction.call.t);
    const { step, t } = instruction as Step;
    return new NonFiniteError("the state", step, t);
  }

  private see({ step, t, state, denoised }: Step): void {
    this.check(state);
    if (denoised === undefined) return;
    const [x, x0] = [this.machine.read(state) as Float32Array, this.machine.read(denoised) as Float32Array];
    this.events.push({ step, steps: this.plan.steps.length, t, nfe: this.nfe, passes: this.passes, x, denoised: x0 });
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
    const type = this.machine.allocate(0).constructor.name as "Float32Array" | "Float64Array";
    if (!check.isTypedArray(value, type)) check.wrongType(name, `a ${type} of length ${this.length}`, value);
    const tensor: Tensor = value;
    if (tensor.length !== this.length) {
      check.wrongValue(name, `a length of ${this.length} for shape [${this.shape.join(", ")}]`, tensor.length);
    }
    return tensor;
  }
}

function checkEngine(value: unknown): Engine {
  if (value === undefined) return wasmEngine;
  if (typeof value !== "object" || value === null || typeof (value as Engine).open !== "function") {
    check.wrongType("engine", "an engine from dc-solver/webgpu", value);
  }
  return value as Engine;
}

/** Refuses an engine on a device where states are needed at once. */
export function refuseDevice(caller: string, engine: unknown): void {
  if (checkEngine(engine).device === undefined) return;
  throw new TypeError(
    `"engine": ${caller} reads states at once, which a GPU cannot give; leave it out, or use sample or sampleSteps`,
  );
}
