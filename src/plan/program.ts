// What an engine executes, and what a run may ask of it.
import type { LinearOperation, Slot } from "../wasm/engine.ts";
import type { Evaluate, ValueId } from "./plan.ts";

export type Instruction =
  | { readonly kind: "exec"; readonly operations: readonly LinearOperation[] }
  | {
      readonly kind: "evaluate";
      readonly call: Evaluate;
      readonly step: number;
      readonly x: Slot;
      /** The state that the call is about, before it is scaled; there where calls are observed. It may be overwritten. */
      readonly state?: Slot;
      readonly outputs: readonly Slot[];
    }
  | { readonly kind: "draw"; readonly to: Slot; readonly draw: number }
  | {
      readonly kind: "clip";
      readonly to: Slot;
      readonly from: Slot;
      readonly ratio: number;
      readonly maxValue: number;
      readonly limit?: number;
    }
  | { readonly kind: "rescale"; readonly slot: Slot; readonly like: Slot; readonly share: number }
  /** A state to look at, of time `t`: the end of a step, or where calls are observed what the next call is about. `denoised` is there only in an observed program. */
  | {
      readonly kind: "step";
      readonly step: number;
      readonly t: number;
      readonly state: Slot;
      readonly denoised: Slot | undefined;
    };

/** Classifier-free guidance: a scale for all model calls or one for each, and how far its output is rescaled, 0 to 1. */
export interface Guidance {
  readonly scale: number | readonly number[];
  readonly rescale: number;
}

/** What a run is to be watched at: the ends of its steps, or (for loops written around calls) the state before every model call. */
export type Observe = "nothing" | "steps" | "calls";

/** What an engine executes. `evaluate` fills one output slot, or two under guidance: conditional, then unconditional. */
export interface Program {
  readonly slots: number;
  readonly scratch: number;
  /** The slot of the start state. */
  readonly start: Slot;
  readonly coefficients: Float64Array;
  readonly instructions: readonly Instruction[];
  /** Where the weights of each compensation lie in the coefficient table, in the plan's order. */
  readonly compensations: readonly (readonly number[])[];
}

/** An instruction before it has slots. */
export type Line =
  | {
      kind: "exec";
      operations: { to: ValueId; terms: (readonly [coefficient: number, from: ValueId])[]; compensation: boolean }[];
    }
  | { kind: "evaluate"; call: Evaluate; step: number; x: ValueId; state?: ValueId; outputs: ValueId[] }
  | { kind: "draw"; to: ValueId; draw: number }
  | { kind: "clip"; to: ValueId; from: ValueId; ratio: number; maxValue: number; limit?: number }
  | { kind: "rescale"; to: ValueId; from: ValueId; like: ValueId; share: number }
  | { kind: "step"; step: number; t: number; state: ValueId; denoised: ValueId | undefined };

/** Values a line reads; an exec reads what it does not write itself first, but listing all is as good for liveness. */
export function reads(line: Line): ValueId[] {
  switch (line.kind) {
    case "exec":
      return line.operations.flatMap((o) => o.terms.map(([, from]) => from));
    case "evaluate":
      return line.state === undefined ? [line.x] : [line.x, line.state];
    case "clip":
      return [line.from];
    case "rescale":
      return [line.from, line.like];
    case "step":
      return line.denoised === undefined ? [line.state] : [line.state, line.denoised];
    case "draw":
      return [];
  }
}
