// From lines to a program: values get slots of an arena by liveness, so that all memory is known before the first step.
import type { LinearOperation, Slot } from "../wasm/engine.ts";
import type { ValueId } from "./plan.ts";
import { type Instruction, type Line, type Program, reads } from "./program.ts";

/** Longest linear operation of the kernel, lin8. */
const maxTerms = 8;

/** Returns the program: slots by liveness, a scratch block for what lives within one block program, long sums cut in pieces. */
export function allocate(lines: Line[]): Program {
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
      case "rescale": {
        // In place: nobody else reads what guidance gave before it was rescaled.
        const [slot, like] = [place(line.from), place(line.like)];
        places.delete(line.from);
        places.set(line.to, slot);
        if (dead(line.like)) drop(line.like);
        if (dead(line.to)) drop(line.to);
        return { kind: "rescale", slot, like, share: line.share };
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
