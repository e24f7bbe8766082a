// The rounding of NumPy and torch where it decides a timestep: half to even, and how their ranges are stepped.

/** Rounds a double to what a table keeps: float32, or as it is. */
export type Rounding = (x: number) => number;

/** The rounding that leaves a number as it is. */
export const exactly: Rounding = (x) => x;

/** Returns `count` numbers from `first` to `last`, both included, as numpy.linspace steps them. */
export function linspace(first: number, last: number, count: number): number[] {
  const step = (last - first) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === 0 ? first : i === count - 1 ? last : i * step + first));
}

/** Returns the same as torch.linspace does in the table's precision: from both ends, product and sum rounded once together. */
export function torchLinspace(first: number, last: number, count: number, round: Rounding): number[] {
  const [a, b] = [round(first), round(last)];
  const step = count === 1 ? 0 : round(round(b - a) / (count - 1));
  const half = count === 1 ? 1 : Math.floor(count / 2);
  return Array.from({ length: count }, (_, i) => (i < half ? round(a + step * i) : round(b - step * (count - 1 - i))));
}

/** Returns numpy.arange(first, 0, −step): element i is first + i·((first − step) − first), rounding error included. */
export function arangeDown(first: number, step: number): number[] {
  const delta = first - step - first;
  return Array.from({ length: Math.max(0, Math.ceil(first / step)) }, (_, i) => first + i * delta);
}

/** Returns a table at a fractional index, linear between entries and constant outside, as numpy.interp does. */
export function interpolate(table: ArrayLike<number>, x: number): number {
  const last = table.length - 1;
  if (x <= 0) return table[0] as number;
  if (x >= last) return table[last] as number;
  const low = Math.floor(x);
  const [a, b] = [table[low] as number, table[low + 1] as number];
  return x === low ? a : (b - a) * (x - low) + a;
}
