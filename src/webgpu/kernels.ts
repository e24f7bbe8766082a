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

const layout = (element: string) => `
@group(0) @binding(0) var<storage, read_write> slots: array<${element}>;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read_write> firstBad: atomic<u32>;
`;

// NaN and ±Infinity by their exponent: shaders may be compiled as if there were neither, but bits are bits.
const note = `
fn note(values: vec4<u32>, instruction: u32) {
  if (any((values & vec4(0x7f800000u)) == vec4(0x7f800000u))) { atomicMin(&firstBad, instruction); }
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

/** A shader and its range of the table; `coefficients` says which word of it holds which coefficient. */
export interface Kernel {
  readonly code: string;
  readonly words: number[];
  readonly coefficients: readonly (readonly [coefficient: number, word: number])[];
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
  const words = [vectors];
  const coefficients: [number, number][] = [];
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
      coefficients.push([term.coefficient, words.length]);
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
  return { code: layout("vec4<f32>") + note + vectorwise(body), words, coefficients };
}

/** Checks one slot. Table: vectors, position, instruction. */
export const checkCode = `${layout("vec4<u32>")}${note}${vectorwise("  note(slots[table[1] + i], table[2]);")}`;

/**
 * Dynamic thresholding, a work group for each item: a radix select over the 31 bits of |x|, then the clamp.
 * Table: items, itemLength, position of the source and of the target in floats, rank, fraction, maxValue.
 */
export const clipCode = `${layout("f32")}
var<workgroup> counts: array<atomic<u32>, 256>;
var<workgroup> picked: vec3<u32>;
var<workgroup> above: atomic<u32>;

fn magnitude(at: u32) -> u32 { return bitcast<u32>(slots[at]) & 0x7fffffffu; }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = group.y * ${mostGroups}u + group.x;
  if (item >= table[0]) { return; }
  let n = table[1];
  let source = table[2] + item * n;
  let target_ = table[3] + item * n;
  var prefix = 0u;
  var fixed = 0u;
  var rank = table[4];
  var equal = 0u;
  for (var digit = 0u; digit < 4u; digit++) {
    let shift = 24u - 8u * digit;
    atomicStore(&counts[lane], 0u);
    workgroupBarrier();
    for (var i = lane; i < n; i += 256u) {
      let bits = magnitude(source + i);
      if ((bits & fixed) == prefix) { atomicAdd(&counts[(bits >> shift) & 255u], 1u); }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var value = 0u;
      var left = rank;
      for (; value < 255u; value++) {
        let count = atomicLoad(&counts[value]);
        if (left < count) { break; }
        left -= count;
      }
      picked = vec3(value, left, atomicLoad(&counts[value]));
      atomicStore(&above, 0x7fffffffu);
    }
    let found = workgroupUniformLoad(&picked);
    prefix |= found.x << shift;
    fixed |= 255u << shift;
    rank = found.y;
    equal = found.z;
  }
  for (var i = lane; i < n; i += 256u) {
    let bits = magnitude(source + i);
    if (bits > prefix) { atomicMin(&above, bits); }
  }
  workgroupBarrier();
  let fraction = bitcast<f32>(table[5]);
  let low = bitcast<f32>(prefix);
  var quantile = low;
  if (fraction > 0.0 && rank + 1u >= equal) { quantile = low + fraction * (bitcast<f32>(atomicLoad(&above)) - low); }
  let most = bitcast<f32>(table[6]);
  let limit = max(quantile, most);
  let scale = most / limit;
  for (var i = lane; i < n; i += 256u) {
    slots[target_ + i] = clamp(slots[source + i], -limit, limit) * scale;
  }
}
`;
