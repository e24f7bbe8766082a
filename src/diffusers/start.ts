// The surface that a ported loop knows: timesteps, scaleModelInput, step, addNoise, over a run of the plan. One object per run, counted
// by calls; a timestep is never looked up by its value.
import * as check from "../check.ts";
import { conversion, type PredictionType } from "../diffusion/prediction.ts";
import { type Evaluate, modelCalls, type Plan } from "../plan/plan.ts";
import { Run } from "../sampling/run.ts";
import type { PlacedTimetable } from "./plan.ts";

/** What `step` gives. */
export interface SchedulerStep {
  /** The state that the next call is about, or the sample: `prev_sample`. */
  x: Float32Array;
  /** x₀ by this call's output, thresholded. */
  denoised: Float32Array;
}

/** A run of a scheduler, driven by a loop of the caller's. */
export interface SchedulerRun {
  /** What the network is told, one entry for each call that this run makes. */
  readonly timesteps: readonly number[];
  /** Factor of the initial noise. */
  readonly initNoiseSigma: number;
  /** Calls made so far. */
  readonly index: number;
  /** Returns the network's input for the next call: `x` times what the class scales it with. */
  scaleModelInput(x: Float32Array): Float32Array;
  /**
   * Takes the network's output (guidance applied) for state `x`, and goes on.
   * @param noise standard normals, where the step draws
   */
  step(output: Float32Array, x: Float32Array, noise?: Float32Array | null): SchedulerStep;
  /** Returns the state of clean data `x0` at the noise level of the next call, in a new run the first one, or of call `index`. */
  addNoise(x0: Float32Array, noise: Float32Array, index?: number): Float32Array;
  /** Gives the memory of an unfinished run back. */
  dispose(): void;
}

const scaled = (factor: number, x: Float32Array) => {
  const rounded = Math.fround(factor);
  return factor === 1 ? x.slice() : x.map((value) => value * rounded);
};

/** Returns for each model call whether the step that follows it draws standard normals. */
function drawing(plan: Plan): boolean[] {
  const list: boolean[] = [];
  for (const { kind } of plan.steps.flatMap(({ operations }) => operations)) {
    if (kind === "evaluate") list.push(false);
    else if (kind === "draw") list[list.length - 1] = true;
  }
  return list;
}

/** Returns the run of a plan. Its memory is taken with the first step, when the length of a state is known. */
export function startRun(
  plan: Plan,
  timetable: PlacedTimetable,
  prediction: PredictionType,
  shape: readonly number[] | undefined,
): SchedulerRun {
  const draws = drawing(plan);
  const timesteps = Object.freeze(timetable.timesteps.slice(timetable.startIndex));
  const calls = modelCalls(plan);
  let run: Run | undefined;
  let index = 0;
  let ended = false;
  let noise: Float32Array | undefined;
  const array = (name: string, value: unknown): Float32Array => {
    if (!check.isTypedArray(value, "Float32Array")) check.wrongType(name, "a Float32Array", value);
    return value;
  };
  const open = (x: Float32Array): Run => {
    const length = shape?.reduce((product, n) => product * n, 1);
    if (length !== undefined && x.length !== length) check.wrongValue("x", `a length of ${length}`, x.length);
    if (x.length === 0) check.wrongValue("x", "at least one number", x);
    const wrong = x.find((value) => !Number.isFinite(value));
    if (wrong !== undefined) check.wrongValue("x", "finite numbers", wrong);
    const stepNoise = () => noise as Float32Array;
    return new Run({ plan, shape: shape ?? [1, x.length], initial: x, stepNoise }, prediction, "calls");
  };
  const call = (): Evaluate => {
    const next = calls[index];
    if (ended || next === undefined) throw new Error(`the run has ended after ${index} of ${calls.length} calls`);
    return next;
  };
  return {
    timesteps,
    initNoiseSigma: timetable.initNoiseSigma,
    get index() {
      return index;
    },
    scaleModelInput(x) {
      const next = call();
      return scaled(conversion(prediction, next, next.space).input, array("x", x));
    },
    step(output, x, given) {
      call();
      array("output", output);
      array("x", x);
      // A loop that keeps its noise in a list has null where a step draws none.
      if (draws[index] && given == null) throw new TypeError('"noise": required, this step draws standard normals');
      noise = given == null ? undefined : array("noise", given);
      if (noise !== undefined && noise.length !== x.length)
        check.wrongValue("noise", `a length of ${x.length}`, noise.length);
      run ??= open(x);
      try {
        run.replaceState(x);
        run.answer([output], ["output"]);
      } catch (error) {
        if (run.pending === undefined) ended = true;
        throw error;
      }
      index++;
      const event = run.events.splice(0).at(-1);
      if (event === undefined) throw new Error("a step without an event");
      return { x: event.x, denoised: event.denoised };
    },
    addNoise(x0, given, at = index) {
      array("x0", x0);
      array("noise", given);
      if (given.length !== x0.length) check.wrongValue("noise", `a length of ${x0.length}`, given.length);
      const { alpha, sigma } = calls[check.integer("index", at, 0, calls.length - 1)] as Evaluate;
      const [a, b] = [Math.fround(alpha), Math.fround(sigma)];
      return x0.map((value, i) => Math.fround(value * a) + Math.fround((given[i] as number) * b));
    },
    dispose() {
      ended = true;
      run?.dispose();
    },
  };
}
