// From a name that people write to what it is here. Case, spaces, hyphens and underscores do not count; a schedule type may follow.
import * as check from "../check.ts";
import { type ClassName, type Config, defaults } from "./defaults.ts";
import { type Method, nameGroups, type SamplerOrigin, type ScheduleType, type SolverOptions } from "./names.ts";

/** What a sampler's name stands for. */
export interface Sampler {
  /** As its origin writes it, with the schedule type if there is one. */
  readonly name: string;
  readonly from: SamplerOrigin;
  /** The class of diffusers, for `scheduler.to(className, overrides)`; undefined where it has none. */
  readonly className: ClassName | undefined;
  readonly overrides: Config;
  /** Options of `createPlan`; undefined where it has no counterpart. */
  readonly solver: SolverOptions | undefined;
  /** What is missing, or differs from the origin. */
  readonly note?: string;
}

const key = (name: string) => name.toLowerCase().replace(/[\s_-]+/g, "");

const samplers = /* @__PURE__ */ nameGroups.flatMap(({ from, samplers }) =>
  Object.entries(samplers).map(([name, method]) => ({ name, from, method, key: key(name) })),
);
const types = /* @__PURE__ */ nameGroups.flatMap((group) =>
  Object.entries(group.types).map(([name, type]) => ({ name, from: group.from, type, key: key(name) })),
);

const supported = ({ className, solver }: Pick<Method, "className" | "solver">) =>
  className !== undefined || solver !== undefined;

/** The names of all samplers that are supported, without schedule types: "DPM++ 2M", "dpmpp_2m", "DPMSolverMultistepScheduler", … */
export const samplerNames: readonly string[] = /* @__PURE__ */ Object.freeze(
  /* @__PURE__ */ samplers.filter(({ method }) => supported(method)).map(({ name }) => name),
);

function joined(...notes: (string | undefined)[]): { note?: string } {
  const note = notes.filter((text) => text !== undefined).join("; ");
  return note === "" ? {} : { note };
}

/** Returns a sampler with a schedule type: without the class, or the solver, that does not take it. */
function withType(method: Method, type: ScheduleType): Method {
  const { className, solver } = method;
  if (type.overrides === undefined && type.note !== undefined) return { note: type.note };
  const usual = className === undefined ? {} : defaults[className];
  const takes = className !== undefined && (type.argument === undefined || type.argument in usual);
  const lack = className === undefined || takes ? undefined : `${className} has no ${type.argument}`;
  const own = Object.entries(type.overrides ?? {}).filter(([argument]) => argument in usual);
  const placed = solver !== undefined && (type.spacing !== undefined || type.overrides === undefined);
  return {
    ...(takes ? { className, overrides: { ...method.overrides, ...Object.fromEntries(own) } } : {}),
    ...(placed ? { solver: { ...solver, ...(type.spacing === undefined ? {} : { spacing: type.spacing }) } } : {}),
    ...joined(method.note, type.note, lack),
  };
}

function find(wanted: string): { name: string; from: SamplerOrigin; method: Method } | undefined {
  const exact = samplers.find((sampler) => sampler.key === wanted);
  if (exact !== undefined) return exact;
  for (const { name, from, method, key } of samplers) {
    const named = wanted.startsWith(key) ? types.filter((type) => key + type.key === wanted) : [];
    const type = named.find((type) => type.from === from) ?? named[0];
    if (type === undefined) continue;
    return { name: `${name} ${type.name}`, from, method: supported(method) ? withType(method, type.type) : method };
  }
  return undefined;
}

const pairs = (text: string) => new Set(Array.from(text, (_, i) => text.slice(i, i + 2)));

/** Returns how much of two keys is the same, 0 to 1: the share of their pairs of letters (Dice's coefficient). */
function likeness(a: string, b: string): number {
  const [of, to] = [pairs(a), pairs(b)];
  return (2 * Array.from(of).filter((pair) => to.has(pair)).length) / (of.size + to.size);
}

/**
 * Returns what a sampler is here, by a name of A1111, ComfyUI, k-diffusion or diffusers, which a schedule type may follow:
 * `findSampler("DPM++ 2M Karras")`, `findSampler("dpmpp_2m karras")`, `findSampler("EulerDiscreteScheduler")`. All names with their
 * sources: docs/sampler-names.md.
 * @throws RangeError for a sampler that is not supported, with the reason, and for an unknown name, with those that are near.
 */
export function findSampler(name: string): Sampler {
  if (typeof name !== "string") check.wrongType("sampler", "the name of a sampler", name);
  const wanted = key(name);
  const found = find(wanted);
  if (found !== undefined) {
    const { className, overrides = {}, solver, note } = found.method;
    if (!supported(found.method)) check.wrongValue("sampler", "one that is supported", name, `not supported: ${note}`);
    const entry = { name: found.name, from: found.from, className, overrides, solver };
    return Object.freeze({ ...entry, ...joined(note) });
  }
  // Longer than any name; of a whole book the pairs would take long to compare.
  const start = wanted.slice(0, 80);
  const near = samplerNames
    .filter((other, i) => samplerNames.findIndex((name) => key(name) === key(other)) === i)
    .map((other) => ({ other, like: likeness(start, key(other)) }))
    .sort((a, b) => b.like - a.like)
    .slice(0, 5)
    .map(({ other }) => JSON.stringify(other));
  return check.wrongValue("sampler", `the name of a sampler, such as ${near.join(", ")}`, name);
}
