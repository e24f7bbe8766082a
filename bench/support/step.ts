// The step that is measured: UniPC of order 3 with dynamic compensation and guidance, from the middle of a lowered plan.
import { createPlan, vpDiscrete } from "../../src/index.ts";
import { lower } from "../../src/plan/lower.ts";
import type { Program } from "../../src/plan/program.ts";
import type { LinearOperation, Slot } from "../../src/wasm/engine.ts";

export const steps = 20;
export const guidanceScale = 7.5;
const dcOrder = 2;
/** A ratio near 1 for every step that can have one, as searches find them. */
const ratios = Array.from({ length: steps }, (_, k) => (k < dcOrder ? 1 : 1.01));

export function stepPlan(count = steps) {
  const list = Array.from({ length: count }, (_, k) => ratios[Math.min(k, steps - 1)] as number);
  return createPlan({ schedule: vpDiscrete(), steps: count, solver: "unipc", order: 3, dcOrder, ratios: list });
}

/** The block program between two model calls in mid-run. */
export interface Segment {
  readonly program: Program;
  /** Its index among the instructions. */
  readonly instruction: number;
  readonly operations: readonly LinearOperation[];
  /** Slots whose content it needs, and slots that it writes. */
  readonly read: readonly Slot[];
  readonly written: readonly Slot[];
}

export function middleSegment(): Segment {
  const program = lower(stepPlan(), "epsilon", guidanceScale, "nothing");
  const call = program.instructions.findIndex((i) => i.kind === "evaluate" && i.step === steps / 2);
  const instruction = program.instructions.findIndex((i, at) => at > call && i.kind === "exec");
  const exec = program.instructions[instruction];
  if (exec?.kind !== "exec") throw new Error("a step has no block program");
  const [read, written] = [new Set<Slot>(), new Set<Slot>()];
  for (const { out, terms } of exec.operations) {
    for (const { from } of terms) if (from >= 0 && !written.has(from)) read.add(from);
    if (out >= 0) written.add(out);
  }
  return { program, instruction, operations: exec.operations, read: [...read], written: [...written] };
}

/**
 * Returns the program with coefficients that are positive and sum to 1 in every operation. A step replaces its inputs, so running it
 * again and again would leave the range of float32; averages stay where they are, and take the same time.
 */
export function averaging({ program, operations }: Segment): Program {
  const coefficients = program.coefficients.slice();
  for (const { terms } of operations) {
    const sum = terms.reduce((total, { coefficient }) => total + Math.abs(coefficients[coefficient] as number), 0);
    for (const { coefficient } of terms)
      coefficients[coefficient] = Math.abs(coefficients[coefficient] as number) / sum;
  }
  return { ...program, coefficients };
}
