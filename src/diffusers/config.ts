// What becomes of a scheduler_config.json: which class, which arguments, what is kept for a later class and what is ignored.
// Facts of diffusers 0.42.1 (configuration_utils.py), met on texts and conversions that it resolved.
import { object, show, wrongType, wrongValue } from "../check.ts";
import { construct, oddBooleans } from "./construct.ts";
import {
  type ClassName,
  type Config,
  classNames,
  compatible,
  defaults,
  diffusersVersion,
  type Json,
} from "./defaults.ts";
import { further } from "./further.ts";
import { parseJson, plain } from "./json.ts";

export type { ClassName, Config, Json } from "./defaults.ts";

/** A scheduler's configuration after loading; plain data, frozen. */
export interface ResolvedConfig {
  readonly className: ClassName;
  /** Each constructor argument of the class, with the value it has after construction. */
  readonly config: Config;
  /** Keys that are no arguments and stay in the configuration: later conversions and some sigma grids see them. */
  readonly kept: Config;
  /** Keys of `kept` that diffusers warns about: neither this class, nor its relatives, nor the class of the file has them. */
  readonly ignored: readonly string[];
  /** Arguments that were not given: a conversion in memory leaves them to the defaults of the next class. */
  readonly defaulted: readonly string[];
  /** Keys that begin with an underscore, as `_class_name`. */
  readonly marks: Config;
  /** Overrides that are no arguments of the class: diffusers drops them in silence. */
  readonly unused: readonly string[];
  /** Arguments that want true or false and have a text, a list or an object, which count as true unless empty: "False" is true. */
  readonly oddBooleans: readonly string[];
}

/** Keys no constructor has, which from_config hands to it all the same. */
const reserved = ["dtype", "self"];

function isClassName(name: string): name is ClassName {
  return Object.hasOwn(defaults, name);
}

function checkClassName(name: string, value: unknown): ClassName {
  const expected = `one of ${classNames.join(", ")}`;
  if (typeof value !== "string") {
    const remedy = name === "className" ? undefined : "or say className";
    return wrongType(name, expected, value, remedy);
  }
  if (isClassName(value)) return value;
  const known = Object.hasOwn(further, value) ? further[value] : undefined;
  return wrongValue(name, expected, value, known === undefined ? undefined : `not supported: ${known.reason}`);
}

/** Returns the arguments of a class of diffusers, supported or not; undefined for one it does not have. */
function argumentsOf(name: string): readonly string[] | undefined {
  if (isClassName(name)) return Object.keys(defaults[name]);
  return Object.hasOwn(further, name) ? further[name]?.arguments : undefined;
}

function pick(values: Config, wanted: (key: string) => boolean): Record<string, Json> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => wanted(key)));
}

/** Returns the keys of a configuration that stay when those are taken out that it says came from defaults. */
function withoutDefaulted(stored: Config): Record<string, Json> {
  const { _use_default_values: listed = [], ...rest } = stored;
  if (!Array.isArray(listed)) wrongType("_use_default_values", "a list of keys", listed);
  return pick(rest, (key) => !listed.includes(key));
}

function load(className: ClassName, stored: Config, overrides: Config): ResolvedConfig {
  const usual = defaults[className];
  const isArgument = (key: string) => Object.hasOwn(usual, key);
  const present = withoutDefaulted(stored);
  const given = { ...pick(present, isArgument), ...pick(overrides, isArgument) };

  const origin = Object.hasOwn(present, "_class_name") ? present._class_name : className;
  if (typeof origin !== "string" && !Array.isArray(origin)) {
    wrongType("_class_name", "the name of a class", origin);
  }
  const foreign = typeof origin === "string" && origin !== className ? argumentsOf(origin) : undefined;
  const relatives = compatible.knowing.has(className) ? compatible.known : undefined;
  const rest = pick(present, (key) => !isArgument(key));
  const ignored = Object.keys(rest).filter(
    (key) => !relatives?.has(key) && !foreign?.includes(key) && !key.startsWith("_") && key !== "quantization_config",
  );
  const unused = Object.keys(overrides).filter((key) => !isArgument(key));
  for (const key of reserved) {
    if (ignored.includes(key) || (key === "dtype" && unused.includes(key))) {
      wrongValue(key, `no such key in a configuration of ${className}`, stored[key] ?? overrides[key], "remove it");
    }
  }

  const config = construct(className, { ...usual, ...given });
  const marks = pick(rest, (key) => key.startsWith("_"));
  if (Object.hasOwn(marks, "_class_name")) marks._class_name = className;
  return Object.freeze({
    className,
    config: Object.freeze(config),
    // from_config drops a key of this one name.
    kept: Object.freeze(pick(rest, (key) => !key.startsWith("_") && key !== "kwargs")),
    ignored: Object.freeze(ignored.sort()),
    defaulted: Object.freeze(Object.keys(usual).filter((key) => !Object.hasOwn(given, key))),
    marks: Object.freeze(marks),
    unused: Object.freeze(unused.sort()),
    oddBooleans: Object.freeze(oddBooleans(className, config)),
  });
}

function plainObject(name: string, value: unknown): Record<string, Json> {
  return { ...(plain(name, object(name, value)) as Config) };
}

const infinities: Readonly<Record<string, number>> = { Infinity, "-Infinity": -Infinity };

/** Returns the configuration with the one number a text of JavaScript cannot hold: see {@link configToJSON}. */
function revived(stored: Record<string, Json>): Record<string, Json> {
  const clip = stored.lambda_min_clipped;
  const number = typeof clip === "string" && Object.hasOwn(infinities, clip) ? infinities[clip] : undefined;
  return number === undefined ? stored : { ...stored, lambda_min_clipped: number };
}

/**
 * Returns what a scheduler class of diffusers makes of a configuration, as its `from_config` of a loaded file.
 * @param config the text of a `scheduler_config.json` (Python's NaN and Infinity are read), or the parsed object.
 * @param o `className` loads it with another class than the one it names, `overrides` replaces or adds arguments.
 * @throws TypeError for text that is not JSON and values of the wrong kind, RangeError for unknown classes and refused values.
 */
export function resolveConfig(
  config: string | object,
  o: {
    readonly className?: string | undefined;
    readonly overrides?: Readonly<Record<string, unknown>> | undefined;
  } = {},
): ResolvedConfig {
  const parsed = typeof config === "string" ? parseJson("config", config) : config;
  const stored = revived(plainObject("config", parsed));
  const named = o.className === undefined ? stored._class_name : o.className;
  const className = checkClassName(o.className === undefined ? "_class_name" : "className", named);
  return load(className, stored, revived(plainObject("overrides", o.overrides ?? {})));
}

/**
 * Returns the configuration of another class made from this one, as `from_config(scheduler.config)` in memory: arguments that
 * came from the defaults of the first class are not carried over. By way of a saved file they are, see {@link configToJSON}.
 * @throws TypeError or RangeError as {@link resolveConfig}.
 */
export function convertConfig(
  from: ResolvedConfig,
  className: string,
  overrides: Readonly<Record<string, unknown>> = {},
): ResolvedConfig {
  const stored = { ...from.config, ...from.kept, ...from.marks, _use_default_values: from.defaulted };
  return load(checkClassName("className", className), stored, revived(plainObject("overrides", overrides)));
}

/**
 * Returns what `save_config` writes: every argument, defaults too, and what was kept.
 * JSON has no infinite numbers: they and NaN are the texts "Infinity", "-Infinity" and "NaN" here. Loading reads them back where
 * a class has an infinite default, `lambda_min_clipped`; anywhere else they stay texts, which are refused where a number is used.
 */
export function configToJSON(resolved: ResolvedConfig): Record<string, unknown> {
  const { _ignore_files, _pre_quantization_dtype, ...marks } = resolved.marks;
  const values: Config = { ...resolved.config, ...resolved.kept, ...marks };
  const written = Object.keys(values)
    .sort()
    .map((key): [string, unknown] => [key, finiteOnly(values[key] as Json)]);
  return {
    ...{ _class_name: resolved.className, _diffusers_version: diffusersVersion },
    ...Object.fromEntries(written),
    ...{ _class_name: resolved.className, _diffusers_version: diffusersVersion },
  };
}

function finiteOnly(value: Json): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : show(value);
  if (Array.isArray(value)) return value.map(finiteOnly);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, finiteOnly(entry)]));
}
