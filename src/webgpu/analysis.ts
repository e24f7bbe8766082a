// What a machine wants to know of a program before it runs.
import type { EngineProgram, Slot } from "../wasm/engine.ts";

/** Most reads between two waits: x and denoised of every observed step, the result, or the input of a call. */
export function mostReads({ instructions }: EngineProgram): number {
  let [most, now] = [1, 1];
  for (const instruction of instructions) {
    if (instruction.kind === "evaluate") now = 1;
    if ("denoised" in instruction && instruction.denoised !== undefined) now += 2;
    most = Math.max(most, now);
  }
  return most;
}

type Checks = Map<number, Map<Slot, number>>;

/**
 * Returns which checks the block programs do on their way: the outputs of the model call before them, and the states of the steps that
 * end after them. `before` and `after` are by block program, `planned` holds the slots by the instruction that asks.
 */
export function plannedChecks({ instructions }: EngineProgram): {
  before: Checks;
  after: Checks;
  planned: Map<number, Set<Slot>>;
} {
  const [before, after]: [Checks, Checks] = [new Map(), new Map()];
  const planned = new Map<number, Set<Slot>>();
  const plan = (checks: Checks, exec: number, slot: Slot, instruction: number) => {
    const own = checks.get(exec) ?? new Map<Slot, number>();
    // Of several askers the first is the one to note.
    if (!own.has(slot)) own.set(slot, instruction);
    checks.set(exec, own);
    planned.set(instruction, (planned.get(instruction) ?? new Set()).add(slot));
  };
  for (const [at, instruction] of instructions.entries()) {
    if (!("operations" in instruction)) continue;
    const written = new Set<Slot>();
    const read = new Set<Slot>();
    for (const { out, terms } of instruction.operations) {
      for (const { from } of terms) if (!written.has(from)) read.add(from);
      written.add(out);
    }
    for (let i = at - 1; i >= 0 && !("operations" in (instructions[i] ?? {})); i--) {
      const earlier = instructions[i] as { kind: string; outputs?: readonly Slot[] };
      if (earlier.kind === "step" || earlier.kind === "draw") continue;
      for (const slot of earlier.outputs ?? []) if (read.has(slot)) plan(before, at, slot, i);
      break;
    }
    for (let i = at + 1; i < instructions.length && instructions[i]?.kind === "step"; i++) {
      const { state } = instructions[i] as unknown as { state: Slot };
      if (written.has(state)) plan(after, at, state, i);
    }
  }
  return { before, after, planned };
}
