// From a plan to a program: parameterisation and guidance become coefficients, everything between two model calls becomes one block
// program, and values get slots of an arena by liveness. All memory is known before the first step. A program is structure plus a
// coefficient table, which may be rewritten between model calls without touching the structure.
import { type AffinePrediction, conversion, type PredictionType } from "../diffusion/prediction.ts";
import type { LinearOperation, Slot } from "../wasm/engine.ts";
import type { Evaluate, Plan, ValueId } from "./plan.ts";

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
  /** A state to look at, of time `t`: the end of a step, or where calls are observed what the next call is about. `denoised` is there only in an observed program. */
  | {
      readonly kind: "step";
      readonly step: number;
      readonly t: number;
      readonly state: Slot;
      readonly denoised: Slot | undefined;
    };

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
type Line =
  | {
      kind: "exec";
      operations: { to: ValueId; terms: (readonly [coefficient: number, from: ValueId])[]; compensation: boolean }[];
    }
  | { kind: "evaluate"; call: Evaluate; step: number; x: ValueId; state?: ValueId; outputs: ValueId[] }
  | { kind: "draw"; to: ValueId; draw: number }
  | { kind: "clip"; to: ValueId; from: ValueId; ratio: number; maxValue: number; limit?: number }
  | { kind: "step"; step: number; t: number; state: ValueId; denoised: ValueId | undefined };

/** Longest linear operation of the kernel, lin8. */
const maxTerms = 8;

/**
 * Returns the program of a plan for a network's parameterisation and a guidance scale.
 * @param guidanceScale 1 asks for one output a call; any other for two, o = u + guidanceScale·(c − u) on the raw outputs
 * @param observe where x and denoised must be readable; the state's bits do not depend on it
 * @throws RangeError where the network's output does not determine x₀ (alpha = 0 with `epsilon` or `score`).
 */
export function lower(
  plan: Plan,
  prediction: PredictionType | AffinePrediction,
  guidanceScale: number,
  observe: Observe,
): Program {
  return allocate(eliminate(linearise(plan, prediction, guidanceScale, observe)));
}

function linearise(plan: Plan, prediction: PredictionType | AffinePrediction, w: number, observe: Observe): Line[] {
  const lines: Line[] = [];
  const names = new Map<ValueId, ValueId>();
  const name = (value: ValueId) => names.get(value) ?? value;
  let fresh = plan.steps.reduce((most, s) => Math.max(most, s.state, ...s.operations.map((o) => o.to)), 0);
  let denoised: ValueId | undefined;
  const calls = plan.steps.flatMap(({ outputs }) => outputs);
  let call = 0;
  const ends: Line[] = [];
  const exec = (to: ValueId, terms: (readonly [number, ValueId])[], compensation = false) => {
    const last = lines.at(-1);
    if (last?.kind === "exec") last.operations.push({ to, terms, compensation });
    else lines.push({ kind: "exec", operations: [{ to, terms, compensation }] });
  };
  // Ends of steps come after the block program that made their states, so that a pass is never split for them.
  const flush = () => lines.push(...ends.splice(0));
  const see = (step: number, t: number, state: ValueId) => {
    const x0 = observe === "nothing" || denoised === undefined ? undefined : name(denoised);
    ends.push({ kind: "step", step, t, state: name(state), denoised: x0 });
  };

  for (const [step, { end, operations, state }] of plan.steps.entries()) {
    for (const operation of operations) {
      switch (operation.kind) {
        case "combine": {
          const terms = operation.terms.map(([c, from]) => [c, name(from)] as const);
          exec(operation.to, terms, operation.replaces !== undefined);
          break;
        }
        case "draw": {
          // It reads nothing, so it may run before the open block program.
          const line = { kind: "draw", to: operation.to, draw: operation.draw } as const;
          lines.splice(lines.at(-1)?.kind === "exec" ? lines.length - 1 : lines.length, 0, line);
          break;
        }
        case "clip":
          flush();
          lines.push({ ...operation, from: name(operation.from) });
          break;
        case "evaluate": {
          const { input, skip, out } = conversion(prediction, operation, operation.space);
          let x = name(operation.x);
          if (input !== 1) exec(++fresh, [[input, x]]);
          if (input !== 1) x = fresh;
          const watched = observe === "calls" ? { state: name(operation.x) } : {};
          denoised = calls[call++ - 1]?.denoised;
          if (observe === "calls" && denoised !== undefined) see(step, operation.t, operation.x);
          flush();
          const raw = w === 1 ? [++fresh] : [++fresh, ++fresh];
          lines.push({ kind: "evaluate", call: operation, step, x, ...watched, outputs: raw });
          const [c, u] = raw as [ValueId, ValueId | undefined];
          const weighted: [number, ValueId][] =
            u === undefined
              ? [[out, c]]
              : [
                  [out * (1 - w), u],
                  [out * w, c],
                ];
          const terms = ([[skip, name(operation.x)], ...weighted] as const).filter(([c]) => c !== 0);
          if (terms.length === 1 && terms[0]?.[0] === 1) names.set(operation.to, terms[0][1]);
          // An affine prediction may be 0 whatever the network says; a combination has at least one term.
          else exec(operation.to, terms.length > 0 ? terms : [[0, name(operation.x)]]);
          break;
        }
      }
    }
    denoised = calls[call - 1]?.denoised;
    if (observe !== "calls" || step === plan.steps.length - 1) see(step, end.t, state);
  }
  flush();
  return lines;
}

/** Values a line reads; an exec reads what it does not write itself first, but listing all is as good for liveness. */
function reads(line: Line): ValueId[] {
  switch (line.kind) {
    case "exec":
      return line.operations.flatMap((o) => o.terms.map(([, from]) => from));
    case "evaluate":
      return line.state === undefined ? [line.x] : [line.x, line.state];
    case "clip":
      return [line.from];
    case "step":
      return line.denoised === undefined ? [line.state] : [line.state, line.denoised];
    case "draw":
      return [];
  }
}

/** Returns the lines without the combinations that nothing reads. Model calls and draws stay: they are the plan's cost and stream. */
function eliminate(lines: Line[]): Line[] {
  const used = new Set<ValueId>();
  for (const line of lines.toReversed()) {
    if (line.kind === "exec") {
      line.operations = line.operations.toReversed().filter(({ to, terms }) => {
        if (used.has(to)) for (const [, from] of terms) used.add(from);
        return used.has(to);
      });
      line.operations.reverse();
    } else for (const value of reads(line)) used.add(value);
  }
  return lines.filter((line) => line.kind !== "exec" || line.operations.length > 0);
}

/** Returns the program: slots by liveness, a scratch block for what lives within one block program, long sums cut in pieces. */
function allocate(lines: Line[]): Program {
  const madeIn = new Map<ValueId, number>();
  const lastUse = new Map<ValueId, number>();
  for (const [i, line] of lines.entries()) {
    if (line.kind === "exec") for (const { to } of line.operations) madeIn.set(to, i);
    for (const value of reads(line)) lastUse.set(value, i);
  }
  const local = (value: ValueId) => madeIn.has(value) && madeIn.get(value) === lastUse.get(value);
  const full = new Pool();
  const block = new Pool();
  const places = new Map<ValueId, Slot>();
  const place = (value: ValueId): Slot => places.get(value) as Slot;
  const put = (value: ValueId): Slot => {
    const slot = local(value) ? -1 - block.take() : full.take();
    places.set(value, slot);
    return slot;
  };
  const drop = (value: ValueId) => {
    const slot = places.get(value);
    if (slot === undefined) return;
    places.delete(value);
    if (slot < 0) block.give(-1 - slot);
    else full.give(slot);
  };
  const coefficients: number[] = [];
  const compensations: number[][] = [];
  const term = ([c, from]: readonly [number, Slot]) => ({ coefficient: coefficients.push(c) - 1, from });

  const start = put(0);
  if (!lastUse.has(0)) drop(0);
  const lowered = (line: Line, i: number): Instruction => {
    const dead = (value: ValueId) => lastUse.get(value) === undefined || (lastUse.get(value) as number) <= i;
    switch (line.kind) {
      case "evaluate": {
        const x = place(line.x);
        const state = line.state === undefined ? {} : { state: place(line.state) };
        // The network reads its input before its outputs are written, so a state that ends here makes room for one of them.
        for (const value of reads(line)) if (dead(value)) drop(value);
        const outputs = line.outputs.map(put);
        for (const value of line.outputs) if (dead(value)) drop(value);
        return { kind: "evaluate", call: line.call, step: line.step, x, ...state, outputs };
      }
      case "draw":
        return { kind: "draw", to: put(line.to), draw: line.draw };
      case "clip": {
        const from = place(line.from);
        if (dead(line.from)) drop(line.from);
        const to = put(line.to);
        if (dead(line.to)) drop(line.to);
        return { ...line, to, from };
      }
      case "step": {
        const state = place(line.state);
        const denoised = line.denoised === undefined ? undefined : place(line.denoised);
        for (const value of reads(line)) if (dead(value)) drop(value);
        return { kind: "step", step: line.step, t: line.t, state, denoised };
      }
      case "exec": {
        const operations: LinearOperation[] = [];
        const lastOperation = new Map<ValueId, number>();
        for (const [j, { terms }] of line.operations.entries()) {
          for (const [, from] of terms) lastOperation.set(from, j);
        }
        for (const [j, { to, terms, compensation }] of line.operations.entries()) {
          let list = terms.map(([c, from]) => [c, place(from)] as const);
          let partial: number | undefined;
          const own: number[] = []; // the coefficients of `terms`, without those of partial sums
          const emit = (out: Slot, part: typeof list) => {
            const placed = part.map(term);
            operations.push({ out, terms: placed });
            for (const t of placed) if (partial === undefined || t.from !== -1 - partial) own.push(t.coefficient);
          };
          while (list.length > maxTerms) {
            // 1·acc + c·v has the bits of the longer sum. The partial sum has a block of its own: the output may be an input.
            partial ??= block.take();
            emit(-1 - partial, list.slice(0, maxTerms));
            list = [[1, -1 - partial], ...list.slice(maxTerms)];
          }
          for (const [, from] of terms) if (dead(from) && lastOperation.get(from) === j) drop(from);
          emit(put(to), list);
          if (compensation) compensations.push(own);
          if (partial !== undefined) block.give(partial);
        }
        return { kind: "exec", operations };
      }
    }
  };
  const instructions = lines.map(lowered);
  return {
    slots: full.size,
    scratch: block.size,
    start,
    coefficients: Float64Array.from(coefficients),
    instructions,
    compensations,
  };
}

/** Numbers that are taken and given back, lowest first. */
class Pool {
  size = 0;
  private readonly free: number[] = [];
  take(): number {
    return this.free.pop() ?? this.size++;
  }
  give(n: number): void {
    this.free.push(n);
    this.free.sort((a, b) => b - a);
  }
}
