// Shaders. All have one layout: the slots, a range of the table for each dispatch, and the mark of the first bad instruction.
// A block program becomes one shader, in which an invocation carries four elements through all operations: every slot is read once and
// written once, scratch blocks are registers. Where slots lie and what coefficients are is in the table, so equal structure is equal text.
import type { LinearOperation, Slot } from "../wasm/engine.ts";

/** Most work groups in one dimension of a dispatch: the least that WebGPU promises. */
export const mostGroups = 65535;
/** Invocations of a work group, each with four elements. */
export const groupSize = 64;
/** The mark while nothing is bad. */
export const noInstruction = 0xffffffff;

export const layout = (element: string) => `
@group(0) @binding(0) var<storage, read_write> slots: array<${element}>;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read_write> firstBad: atomic<u32>;
`;

/** Bits of a float32's exponent, all of which are set in NaN and ±Infinity. */
const exponent = 0x7f800000;

// NaN and ±Infinity by their exponent. WGSL lets shaders be compiled as if there were neither; a test against a constant is one that
// compilers know by sight and fold to false, so the exponent's bits come from the table, behind the number of vectors.
const note = `
fn note(values: vec4<u32>, instruction: u32) {
  let exponent = vec4(table[1]);
  if (any((values & exponent) == exponent)) { atomicMin(&firstBad, instruction); }
}
`;

const vectorwise = (body: string) => `
@compute @workgroup_size(${groupSize})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * ${mostGroups}u + group.x) * ${groupSize}u + lane;
  if (i >= table[0]) { return; }
${body}
}
`;

/** A shader and its range of the table. */
export interface Kernel {
  readonly code: string;
  readonly words: readonly number[];
}

/** What a block program is compiled for; positions and lengths in vectors of four. */
export interface Place {
  readonly vectors: number;
  readonly position: (slot: Slot) => number;
  readonly coefficient: (index: number) => number;
}

const word = new DataView(new ArrayBuffer(4));
/** Returns the bits of a float32. */
export function bitsOf(value: number): number {
  word.setFloat32(0, value);
  return word.getUint32(0);
}

/**
 * Returns the kernel of a block program.
 * @param before slots to check as they are when it starts, with the instruction to note; they must be read before they are written
 * @param after slots to check as they are when it ends; they must be written
 */
export function linearKernel(
  operations: readonly LinearOperation[],
  { vectors, position, coefficient }: Place,
  before: ReadonlyMap<Slot, number> = new Map(),
  after: ReadonlyMap<Slot, number> = new Map(),
): Kernel {
  const words = [vectors, exponent];
  const lines: string[] = [];
  const entry = (value: number) => `table[${words.push(value) - 1}]`;
  const places = new Map<Slot, string>();
  const values = new Map<Slot, string>();
  const written = new Set<Slot>();
  let names = 0;
  const place = (slot: Slot) => {
    const known = places.get(slot) ?? `p${places.size}`;
    if (!places.has(slot)) lines.push(`let ${known} = ${entry(position(slot))} + i;`);
    places.set(slot, known);
    return known;
  };
  const check = (name: string, instruction: number) =>
    lines.push(`note(bitcast<vec4<u32>>(${name}), ${entry(instruction)});`);
  const load = (slot: Slot): string => {
    const known = values.get(slot);
    if (known !== undefined) return known;
    const from = place(slot);
    const name = `v${names++}`;
    lines.push(`let ${name} = slots[${from}];`);
    values.set(slot, name);
    const instruction = before.get(slot);
    if (instruction !== undefined) check(name, instruction);
    return name;
  };
  for (const { out, terms } of operations) {
    const products = terms.map((term) => {
      const value = load(term.from);
      return `bitcast<f32>(${entry(bitsOf(coefficient(term.coefficient)))}) * ${value}`;
    });
    const name = `v${names++}`;
    lines.push(`let ${name} = ${products.join(" + ")};`);
    values.set(out, name);
    if (out >= 0) written.add(out);
  }
  for (const slot of written) {
    const name = values.get(slot) as string;
    const instruction = after.get(slot);
    if (instruction !== undefined) check(name, instruction);
    lines.push(`slots[${place(slot)}] = ${name};`);
  }
  const body = lines.map((line) => `  ${line}`).join("\n");
  return { code: layout("vec4<f32>") + note + vectorwise(body), words };
}

/** Checks one slot. */
export const checkCode = `${layout("vec4<u32>")}${note}${vectorwise("  note(slots[table[2] + i], table[3]);")}`;
/** Returns the range of the table for it. */
export const checkWords = ({ vectors, position }: Place, slot: Slot, instruction: number): number[] => [
  vectors,
  exponent,
  position(slot),
  instruction,
];
