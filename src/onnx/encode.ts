// Conditions as tensors: labels by default, and the two halves of a guided pair joined to one batch.
import { numbers, wrongType, wrongValue } from "../check.ts";
import type { TensorLike } from "./ort.ts";

/** Inputs of one run by name. */
export type Feeds = Record<string, TensorLike>;

/** Makes a tensor that ends with the run. */
export type MakeTensor = (type: string, data: unknown, dims: readonly number[]) => TensorLike;

type TypedArray = { readonly length: number; set(source: unknown, offset?: number): void };

/** Returns integers as the data of an int64 or int32 tensor. */
export function integers(type: string, values: readonly number[]): BigInt64Array | Int32Array {
  return type === "int32" ? Int32Array.from(values) : BigInt64Array.from(values, (v) => BigInt(v));
}

/**
 * Returns a condition's labels.
 * @throws TypeError or RangeError unless they are `batch` integers ≥ 0. (ONNX's Gather would take −1 for the last row.)
 */
export function readLabels(name: string, condition: unknown, batch: number): number[] {
  if (condition === undefined) wrongType(name, `${batch} labels, one per batch item`, condition);
  const labels = numbers(name, condition);
  if (labels.length !== batch) wrongValue(name, `${batch} labels, one per batch item`, condition);
  const remedy = "for no condition give the network's own null label (loadModel maps −1 to it)";
  for (let i = 0; i < batch; i++) {
    const label = labels[i];
    if (!Number.isSafeInteger(label) || Number(label) < 0) wrongValue(`${name}[${i}]`, "an integer ≥ 0", label, remedy);
  }
  return Array.from(labels);
}

/** Returns a tensor's data, from wherever they are. */
export async function contents(tensor: TensorLike): Promise<unknown> {
  return typeof tensor.getData === "function" ? tensor.getData() : tensor.data;
}

/** Returns the tensors of a guided pair, joined along the batch; what is one tensor in both (an input without batch) stays. */
export async function join(make: MakeTensor, conditional: Feeds, unconditional: Feeds): Promise<Feeds> {
  const joined: Feeds = {};
  for (const name of new Set([...Object.keys(conditional), ...Object.keys(unconditional)])) {
    const a = conditional[name];
    const b = unconditional[name];
    if (a === undefined || b === undefined) {
      throw new TypeError(`"encodeCondition": gave "${name}" for one half of a guided pair only`);
    }
    const same = a.type === b.type && a.dims.length === b.dims.length && a.dims.every((d, i) => d === b.dims[i]);
    if (same && a.dims.length === 0 && a === b) {
      joined[name] = a;
      continue;
    }
    if (!same || a.dims.length === 0) {
      const what = (t: TensorLike) => `${t.type} [${t.dims.join(", ")}]`;
      throw new TypeError(
        `"encodeCondition": "${name}" is ${what(a)} with the condition and ${what(b)} without; a guided pair is one batch, so both must have one type and one shape [batch, …]`,
      );
    }
    const first = (await contents(a)) as TypedArray;
    const second = (await contents(b)) as TypedArray;
    if (!ArrayBuffer.isView(first) || !ArrayBuffer.isView(second)) {
      throw new TypeError(`"encodeCondition": "${name}" holds no numbers`);
    }
    const Kind = first.constructor as new (length: number) => TypedArray;
    const both = new Kind(first.length + second.length);
    both.set(first);
    both.set(second, first.length);
    joined[name] = make(a.type, both, [2 * (a.dims[0] ?? 0), ...a.dims.slice(1)]);
  }
  return joined;
}
