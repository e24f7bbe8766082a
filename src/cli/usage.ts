// Command lines: what is wrong with one is a UsageError, which ends the process with 2.
import { type ParseArgsConfig, parseArgs } from "node:util";
import { type Provider, providers } from "./runtime.ts";

/** A mistake in the command line. */
export class UsageError extends Error {}

/** The number of the interrupted process, 128 + SIGINT. */
export const interrupted = 130;

/** What the library throws on wrong options is the command line's fault where only options went in. */
export function blameUsage<T>(build: () => T): T {
  try {
    return build();
  } catch (cause) {
    const option = cause instanceof RangeError || cause instanceof TypeError;
    throw option ? new UsageError(cause.message, { cause }) : cause;
  }
}

/** Returns the options of a command line as text; `flags` are on or off, everything else takes a value. `files` may follow if `takesFiles`. */
export function parse(
  argv: readonly string[],
  defaults: Readonly<Record<string, string>>,
  flags: readonly string[],
  takesFiles = false,
): { text: Record<string, string>; on: ReadonlySet<string>; files: readonly string[] } {
  const options: NonNullable<ParseArgsConfig["options"]> = {};
  for (const name of Object.keys(defaults)) options[name] = { type: "string" };
  for (const name of flags) options[name] = { type: "boolean" };
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: takesFiles });
    const on = new Set(flags.filter((name) => values[name] === true));
    const text = { ...defaults };
    for (const name of Object.keys(defaults)) text[name] = String(values[name] ?? defaults[name]);
    return { text, on, files: positionals };
  } catch (cause) {
    const known = [...Object.keys(defaults), ...flags].map((name) => `--${name}`).join(", ");
    throw new UsageError(`${cause instanceof Error ? cause.message : cause}\nOptions: ${known}`, { cause });
  }
}

/** Returns the integer that an option's text is. */
export function readInteger(name: string, text: string | undefined, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text ?? "") && Number.isSafeInteger(value) && value >= least) return value;
  throw new UsageError(`--${name}: expected an integer ≥ ${least}, got "${text}"`);
}

/** Returns the finite number that an option's text is. */
export function readNumber(name: string, text: string | undefined): number {
  const value = Number(text);
  if (text?.trim() && Number.isFinite(value)) return value;
  throw new UsageError(`--${name}: expected a number, got "${text}"`);
}

/** Returns the numbers, separated by commas, that an option's text is. */
export function readNumbers(name: string, text: string | undefined, count: number): number[] {
  const numbers = (text ?? "").split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (numbers.length === count && numbers.every(Number.isFinite)) return numbers;
  throw new UsageError(`--${name}: expected ${count} numbers separated by commas, got "${text}"`);
}

/** Returns the number of samples that an option's text is: no more, of such a shape, than the library takes at once. */
export function readCount(name: string, text: string | undefined, least: number, shape: readonly number[]): number {
  const value = readInteger(name, text, least);
  const most = Math.ceil(2 ** 30 / shape.reduce((product, length) => product * length, 1)) - 1;
  if (value <= most) return value;
  throw new UsageError(`--${name}: expected at most ${most}, got ${value}`);
}

/** Returns the word among `words` that an option's text is. */
export function readWord<const T extends string>(name: string, text: string | undefined, words: readonly T[]): T {
  if (words.includes(text as T)) return text as T;
  throw new UsageError(`--${name}: expected ${words.join(" or ")}, got "${text}"`);
}

/** Returns the provider that an option's text is. */
export function readProvider(text: string | undefined): Provider {
  return readWord("provider", text, providers);
}
