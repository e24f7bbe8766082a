// What the tables of errors share: a row is one way to be wrong, with the whole message that it must give.
import { expect } from "vitest";

/** A mistake, the class of its error and its message; a message that ends with … is the beginning of one. */
export type Row<T> = readonly [
  mistake: string,
  input: T,
  type: typeof TypeError | typeof RangeError | typeof Error,
  message: string,
];

/** Checks that an error has exactly this class and this message. */
export function expectError(error: unknown, [, , type, message]: Row<unknown>): void {
  expect(error).toBeInstanceOf(Error);
  const { name, message: actual } = error as Error;
  if (message.endsWith("…")) expect(actual.startsWith(message.slice(0, -1)), actual).toBe(true);
  else expect(actual).toBe(message);
  expect(name).toBe(type.name);
}

/** Returns what `action` throws. */
export function thrown(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

/** Returns a copy of plain data; functions, schedules and arrays of numbers are compared by what they hold or are. */
export function snapshot(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return [value.constructor.name, ...Array.from(value as Float32Array)];
  if (Array.isArray(value)) return value.map(snapshot);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, snapshot(entry)]));
}

/** Returns a value of a type that TypeScript would not let through. */
// biome-ignore lint/suspicious/noExplicitAny: mistakes are the subject.
export const wrong = (value: unknown): any => value;
