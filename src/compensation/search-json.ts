// Searches as JSON: the finished ones that `sample` uses, and the unfinished ones that a search resumes from. One kind of file.
import * as check from "../check.ts";
import { libraryVersion } from "../version.ts";
import type { StepResult } from "./greedy.ts";
import { type RatioSettings, ratioSettingsFromJSON } from "./settings.ts";

/** The ratios of one setting, with how good they are and what they cost. */
export interface RatioSearch {
  steps: number;
  guidanceScale: number;
  /** The seeds of the initial noises, where they came from seeds. */
  seeds?: number | readonly number[];
  /** One per step; the first dcOrder are 1. */
  ratios: number[];
  dcOrder: number;
  /** Per step: mean squared error of the state after it to the reference, and the same at ratio 1 with the earlier ratios kept. */
  loss: number[];
  lossWithout: number[];
  /** Mean squared error of the final state, with the ratios and in a run with none. */
  mse: number;
  mseWithout: number;
  holdoutMse?: number;
  holdoutMseWithout?: number;
  /** Model calls, a guided pair counted once; `search` is every call that is not the reference's. */
  nfe: { reference: number; search: number };
  settings: RatioSettings;
  toJSON(): unknown;
}

const kind = "dc-solver/ratios";
const version = 1;

/** Returns the search with its JSON form; `identity` is the fingerprint of all that it began with. */
export function finishSearch(o: Omit<RatioSearch, "toJSON"> & { identity: string }): RatioSearch {
  const { identity, ...search } = o;
  const toJSON = () => structuredClone({ kind, version, library: libraryVersion, finished: true, identity, ...search });
  return { ...search, toJSON };
}

/** Returns the JSON of a search after its first steps. */
export function writeProgress(identity: string, steps: number, found: readonly StepResult[]): unknown {
  const list = found.map(({ ratio, loss, lossWithout }) => ({ ratio, loss, lossWithout }));
  return { kind, version, library: libraryVersion, finished: false, identity, steps, found: list };
}

/**
 * Returns what an earlier search of the same identity has found.
 * @throws TypeError for what is no search, RangeError for one that began with something else.
 */
export function readProgress(value: unknown, identity: string, steps: number): StepResult[] {
  const json = head("resume", value);
  if (json.identity !== identity) {
    const remedy = "it began with another plan, noise, condition, guidance, reference or rule; start anew";
    throw new RangeError(`"resume": expected a search of the same setting, got another; ${remedy}`);
  }
  if (json.finished === true) {
    const { ratios, loss, lossWithout } = ratioSearchFromJSON(json);
    return ratios.map((ratio, k) => ({ ratio, loss: loss[k] as number, lossWithout: lossWithout[k] as number }));
  }
  if (!Array.isArray(json.found)) check.wrongType("resume.found", "an array", json.found);
  if (json.found.length > steps) check.wrongValue("resume.found", `at most ${steps} steps`, json.found);
  return json.found.map((entry: unknown, k): StepResult => {
    const step = check.object(`resume.found[${k}]`, entry);
    const read = (name: string) => check.finite(`resume.found[${k}].${name}`, step[name]);
    return { ratio: read("ratio"), loss: read("loss"), lossWithout: read("lossWithout") };
  });
}

/**
 * Returns the search that `search.toJSON()` wrote.
 * @throws TypeError for what is no search, RangeError for another version, an unfinished search or numbers that do not fit together.
 */
export function ratioSearchFromJSON(value: unknown): RatioSearch {
  const json = head("json", value);
  if (json.finished !== true) {
    throw new RangeError(
      '"json": expected a finished search, got one that stopped; resume it with searchRatios({ resume })',
    );
  }
  const steps = check.integer("steps", json.steps, 1);
  const perStep = (name: string) => {
    const list = Array.from(check.numbers(name, json[name]), (v, k) => check.finite(`${name}[${k}]`, v));
    if (list.length !== steps) check.wrongValue(name, `one number per step, ${steps}`, list);
    return list;
  };
  const dcOrder = check.integer("dcOrder", json.dcOrder, 1);
  const ratios = perStep("ratios");
  for (const [k, ratio] of ratios.entries())
    if (k < dcOrder && ratio !== 1) check.wrongValue(`ratios[${k}]`, "1", ratio);
  const nfe = check.object("nfe", json.nfe);
  const optional = (name: string) => (json[name] === undefined ? {} : { [name]: check.finite(name, json[name]) });
  if (typeof json.identity !== "string") check.wrongType("identity", "a string", json.identity);
  return finishSearch({
    identity: json.identity,
    steps,
    guidanceScale: check.finite("guidanceScale", json.guidanceScale),
    ...(json.seeds === undefined ? {} : { seeds: seeds(json.seeds) }),
    ratios,
    dcOrder,
    loss: perStep("loss"),
    lossWithout: perStep("lossWithout"),
    mse: check.finite("mse", json.mse),
    mseWithout: check.finite("mseWithout", json.mseWithout),
    ...optional("holdoutMse"),
    ...optional("holdoutMseWithout"),
    nfe: {
      reference: check.integer("nfe.reference", nfe.reference, 0),
      search: check.integer("nfe.search", nfe.search, 0),
    },
    settings: ratioSettingsFromJSON(json.settings),
  });
}

function seeds(value: unknown): number | number[] {
  if (typeof value === "number") return check.finite("seeds", value);
  return Array.from(check.numbers("seeds", value), (s, i) => check.finite(`seeds[${i}]`, s));
}

function head(name: string, value: unknown): Record<string, unknown> {
  const given = check.object(name, value);
  const json = (typeof given.toJSON === "function" ? given.toJSON() : given) as Record<string, unknown>;
  if (json.kind !== kind) check.wrongType("kind", JSON.stringify(kind), json.kind);
  if (json.version !== version) {
    check.wrongValue(
      "version",
      `${version}`,
      json.version,
      "another version of the library wrote this file; search again",
    );
  }
  return json;
}
