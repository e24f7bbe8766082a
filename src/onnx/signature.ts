// Which input of a session is what, of which type and rank. The session's own words decide; what they leave open is an error, not a guess.
import { show } from "../check.ts";
import type { SessionLike, ValueMetadataLike } from "./ort.ts";

/** Names that the caller gives, where the session's are not the usual ones. */
export interface InputNames {
  sample?: string;
  timestep?: string;
  condition?: string;
}

/** One input of a network; without metadata `shape` is undefined and `type` the usual one. */
export interface Input {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[] | undefined;
}

/** The roles of a session's inputs and its output. */
export interface Signature {
  readonly sample: Input;
  readonly timestep: Input;
  /** Absent if the network takes no condition, or if it is not one that a single name can say. */
  readonly condition: Input | undefined;
  /** Inputs that have no role; only `encodeCondition` can fill them. */
  readonly others: readonly string[];
  readonly output: string;
}

const quote = (names: readonly string[]): string => names.map((n) => JSON.stringify(n)).join(", ");

/** Returns the inputs of a session in words, for error messages. */
export function listInputs(session: SessionLike): string {
  const describe = (name: string) => {
    const { type, shape } = metadata(session, name) ?? {};
    return type === undefined ? JSON.stringify(name) : `"${name}" (${type} [${(shape ?? []).join(", ")}])`;
  };
  return session.inputNames.map(describe).join(", ");
}

function metadata(session: SessionLike, name: string): ValueMetadataLike | undefined {
  const { inputMetadata } = session;
  return Array.isArray(inputMetadata) ? inputMetadata.find((m) => m?.name === name) : undefined;
}

function only<T>(list: readonly T[]): T | undefined {
  return list.length === 1 ? list[0] : undefined;
}

/**
 * Returns the roles of `session`'s inputs and its output: by the names that exported networks usually have, else by type and rank where
 * only one input fits, else by the names in `given`.
 * @throws TypeError that lists the session's inputs if a role is open or a given name is not among them.
 */
export function signature(session: SessionLike, given: InputNames, output: string | undefined): Signature {
  const known = session.inputNames;
  const free = new Set(known);
  const take = (role: keyof InputNames, usual: readonly string[]): string | undefined => {
    const name = given[role] ?? usual.find((n) => free.has(n));
    if (name === undefined) return undefined;
    if (!known.includes(name)) {
      throw new TypeError(
        `"inputs.${role}": the session has no input ${show(name)}; its inputs: ${listInputs(session)}`,
      );
    }
    if (!free.delete(name)) throw new TypeError(`"inputs.${role}": the input ${show(name)} already has another role`);
    return name;
  };
  // Names that are given come first: they may be another role's usual ones.
  const names: InputNames = {};
  const usual = { sample: ["sample"], timestep: ["timestep"], condition: ["class_labels", "encoder_hidden_states"] };
  const roles = ["sample", "timestep", "condition"] as const;
  const assign = (role: keyof InputNames, name: string | undefined) => {
    if (name !== undefined) names[role] = name;
  };
  for (const role of roles) if (given[role] !== undefined) assign(role, take(role, []));
  for (const role of roles) if (names[role] === undefined) assign(role, take(role, usual[role]));

  const open = () => [...free].map((name) => ({ name, ...metadata(session, name) }));
  const isFloat = (type: string | undefined) => type?.startsWith("float") ?? false;
  const claim = (role: keyof InputNames, name: string | undefined) => {
    if (names[role] !== undefined || name === undefined) return;
    free.delete(name);
    names[role] = name;
  };
  const described = open().filter((m) => m.shape !== undefined);
  const scalars = described.filter((m) => (m.shape?.length ?? 2) <= 1);
  const tensors = described.filter((m) => isFloat(m.type) && (m.shape?.length ?? 0) >= 2);
  claim("sample", only(tensors)?.name);
  claim("timestep", (only(scalars) ?? only(scalars.filter((m) => isFloat(m.type))))?.name);
  // The last one without a role, if the other two are known.
  if (names.timestep !== undefined) claim("sample", only([...free]));
  if (names.sample !== undefined) claim("timestep", only([...free]));
  if (names.sample !== undefined && names.timestep !== undefined) claim("condition", only([...free]));

  const role = (key: "sample" | "timestep"): Input => {
    const name = names[key];
    if (name !== undefined) return input(session, name, "float32");
    throw new TypeError(
      `"inputs.${key}": cannot tell which input is the ${key}; name it: the session's inputs are ${listInputs(session)}`,
    );
  };
  return {
    sample: role("sample"),
    timestep: role("timestep"),
    condition: names.condition === undefined ? undefined : input(session, names.condition, "int64"),
    others: [...free],
    output: findOutput(session, output),
  };
}

function input(session: SessionLike, name: string, usualType: string): Input {
  const found = metadata(session, name);
  return { name, type: found?.type ?? usualType, shape: found?.shape };
}

function findOutput(session: SessionLike, given: string | undefined): string {
  const names = session.outputNames;
  if (given !== undefined) {
    if (names.includes(given)) return given;
    throw new TypeError(`"output": the session has no output ${show(given)}; its outputs: ${quote(names)}`);
  }
  const found = names.includes("out_sample") ? "out_sample" : only(names);
  if (found === undefined)
    throw new TypeError(`"output": cannot tell which output to read; name one of ${quote(names)}`);
  return found;
}

/** Returns the dimensions that the timestep input wants for a batch: [], [1], [batch], or [batch, 1, …]. */
export function timestepDims(timestep: Input, batch: number): number[] {
  const { shape } = timestep;
  if (shape === undefined) return [batch];
  return shape.map((size, axis) => (axis > 0 || size === 1 ? 1 : batch));
}
