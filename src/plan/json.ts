// Plans as JSON, and the one place where a plan comes to be. The steps are the plan: loading checks them and never rebuilds.
import * as check from "../check.ts";
import { spacings } from "../diffusion/grid.ts";
import { scheduleFromJSON, scheduleToJSON } from "../diffusion/schedule.ts";
import { digest } from "./digest.ts";
import {
  type Clip,
  type Combine,
  type Draw,
  deepFreeze,
  type Evaluate,
  modelCalls,
  type Operation,
  type Output,
  type Plan,
  type PlanOptions,
  type PlanStep,
  type Point,
} from "./plan.ts";
import { validate } from "./validate.ts";

const kind = "dc-solver/plan";
const version = 1;

const finished = new WeakSet<Plan>();

/** Returns `value` if it is a plan that this library made or loaded; what merely looks like one has not been validated. */
export function checkPlan(value: unknown): Plan {
  if (typeof value !== "object" || value === null || !finished.has(value as Plan)) {
    check.wrongType("plan", "a plan from createPlan, compensate or planFromJSON", value);
  }
  return value as Plan;
}

/** Returns a frozen plan after validating its steps. */
export function finishPlan(options: PlanOptions, grid: Float64Array, steps: readonly PlanStep[]): Plan {
  validate(grid, steps);
  const operations = steps.flatMap((s) => s.operations);
  // A schedule of the user's own is not ours to freeze.
  const { schedule, ...settings } = options;
  const plan: Plan = {
    nfe: modelCalls({ steps }).length,
    draws: operations.filter((o) => o.kind === "draw").length,
    // A typed array cannot be frozen; every reader gets its own.
    get grid() {
      return grid.slice();
    },
    options: Object.freeze({ schedule, ...deepFreeze(settings) }),
    steps: deepFreeze([...steps]),
    toJSON() {
      const body = { options: optionsToJSON(options), grid: Array.from(grid), steps };
      return structuredClone({ kind, version, ...body, digest: digest(body) });
    },
  };
  finished.add(plan);
  return Object.freeze(plan);
}

function optionsToJSON({ schedule, grid, ...rest }: PlanOptions): Record<string, unknown> {
  return { schedule: scheduleToJSON(schedule), ...(grid === undefined ? {} : { grid: Array.from(grid) }), ...rest };
}

type Json = Record<string, unknown>;

/** Returns an object with exactly the given keys; `optional` ones may be missing. */
function object(path: string, value: unknown, required: readonly string[], optional: readonly string[] = []): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) check.wrongType(path, "an object", value);
  for (const key of required) {
    if (!Object.hasOwn(value, key)) throw new TypeError(`"${path}.${key}": expected to be there, it is missing`);
  }
  for (const key of Object.keys(value)) {
    if (![...required, ...optional].includes(key))
      throw new TypeError(`"${path}.${key}": expected none of that name, got ${check.show((value as Json)[key])}`);
  }
  return value as Json;
}

function list(path: string, value: unknown): unknown[] {
  if (!Array.isArray(value)) check.wrongType(path, "an array", value);
  return value;
}

const id = (path: string, value: unknown) => check.integer(path, value, 0);
const pointKeys = ["t", "alpha", "sigma"] as const;

function point(path: string, json: Json): Point {
  const level = (key: "alpha" | "sigma") => check.notNegative(`${path}.${key}`, json[key]);
  return { t: check.finite(`${path}.t`, json.t), alpha: level("alpha"), sigma: level("sigma") };
}

/** Returns the optional factors of an operation that are there. */
function positives<K extends string>(path: string, json: Json, keys: readonly K[]): { [key in K]?: number } {
  const there = keys.filter((key) => json[key] !== undefined);
  return Object.fromEntries(there.map((key) => [key, check.positive(`${path}.${key}`, json[key])])) as {
    [key in K]?: number;
  };
}

function operation(path: string, value: unknown): Operation {
  const { kind } = value !== null && typeof value === "object" ? (value as Json) : {};
  switch (check.oneOf(`${path}.kind`, kind, ["evaluate", "combine", "draw", "clip"])) {
    case "evaluate": {
      const json = object(path, value, ["kind", "to", "x", ...pointKeys, "modelTime", "space"], ["input", "sigmaData"]);
      return {
        kind: "evaluate",
        x: id(`${path}.x`, json.x),
        ...point(path, json),
        modelTime: check.finite(`${path}.modelTime`, json.modelTime),
        space: check.oneOf(`${path}.space`, json.space, ["sample", "epsilon"]),
        ...positives(path, json, ["input", "sigmaData"]),
        to: id(`${path}.to`, json.to),
      } satisfies Evaluate;
    }
    case "combine": {
      const json = object(path, value, ["kind", "to", "terms"], ["replaces"]);
      const terms = list(`${path}.terms`, json.terms).map((entry, i) => {
        const pair = list(`${path}.terms[${i}]`, entry);
        if (pair.length !== 2) check.wrongValue(`${path}.terms[${i}]`, "a coefficient and a value", pair);
        return [check.finite(`${path}.terms[${i}][0]`, pair[0]), id(`${path}.terms[${i}][1]`, pair[1])] as const;
      });
      if (terms.length === 0) check.wrongValue(`${path}.terms`, "at least one term", terms);
      if (new Set(terms.map(([, from]) => from)).size !== terms.length)
        check.wrongValue(`${path}.terms`, "each value once", terms);
      const replaces = json.replaces === undefined ? {} : { replaces: id(`${path}.replaces`, json.replaces) };
      return { kind: "combine", to: id(`${path}.to`, json.to), terms, ...replaces } satisfies Combine;
    }
    case "draw": {
      const json = object(path, value, ["kind", "to", "draw"]);
      return {
        kind: "draw",
        to: id(`${path}.to`, json.to),
        draw: check.integer(`${path}.draw`, json.draw, 1),
      } satisfies Draw;
    }
    case "clip": {
      const json = object(path, value, ["kind", "to", "from", "ratio", "maxValue"], ["limit"]);
      return {
        kind: "clip",
        to: id(`${path}.to`, json.to),
        from: id(`${path}.from`, json.from),
        ratio: check.share(`${path}.ratio`, json.ratio),
        maxValue: check.positive(`${path}.maxValue`, json.maxValue),
        ...positives(path, json, ["limit"]),
      } satisfies Clip;
    }
  }
}

function step(path: string, value: unknown): PlanStep {
  const json = object(path, value, ["start", "end", "operations", "outputs", "state"], ["consistent"]);
  if (json.consistent !== undefined && json.consistent !== false)
    check.wrongType(`${path}.consistent`, "false or nothing", json.consistent);
  return {
    start: point(`${path}.start`, object(`${path}.start`, json.start, pointKeys)),
    end: point(`${path}.end`, object(`${path}.end`, json.end, pointKeys)),
    operations: list(`${path}.operations`, json.operations).map((o, i) => operation(`${path}.operations[${i}]`, o)),
    outputs: list(`${path}.outputs`, json.outputs).map((o, i): Output => {
      const at = `${path}.outputs[${i}]`;
      const output = object(at, o, ["t", "value", "denoised"]);
      return {
        t: check.finite(`${at}.t`, output.t),
        value: id(`${at}.value`, output.value),
        denoised: id(`${at}.denoised`, output.denoised),
      };
    }),
    state: id(`${path}.state`, json.state),
    ...(json.consistent === false ? { consistent: false } : {}),
  };
}

/** Returns the options of a plan's JSON. What they hold beyond the schedule is for `createPlan` to judge, should they go there again. */
function optionsFromJSON(value: unknown, grid: Float64Array): PlanOptions {
  const json = check.object("options", value);
  object("options", json, ["schedule", "solver", "steps", "predict"], Object.keys(json));
  if (check.integer("options.steps", json.steps, 1) !== grid.length - 1)
    check.wrongValue("options.steps", `${grid.length - 1}`, json.steps);
  if (typeof json.solver !== "string") check.wrongType("options.solver", "a string", json.solver);
  check.oneOf("options.predict", json.predict, ["sample", "epsilon"]);
  if (json.spacing !== undefined) check.oneOf("options.spacing", json.spacing, spacings);
  if (json.ratios !== undefined) check.numbers("options.ratios", json.ratios);
  if (json.noiseScale !== undefined) check.positive("options.noiseScale", json.noiseScale);
  if (json.grid !== undefined) {
    const own = check.numbers("options.grid", json.grid);
    if (own.length !== grid.length || grid.some((t, i) => t !== own[i]))
      check.wrongValue("options.grid", "the plan's grid", own);
  }
  const { schedule, ...settings } = json;
  return { schedule: scheduleFromJSON(schedule), ...(plain("options", settings) as Json) } as unknown as PlanOptions;
}

/** Returns a copy of plain data: the plan is frozen, the document that it comes from is not. */
function plain(path: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((entry, i) => plain(`${path}[${i}]`, entry));
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
    return Object.fromEntries(entries.map(([key, entry]) => [key, plain(`${path}.${key}`, entry)]));
  }
  if (typeof value === "number") return check.finite(path, value);
  if (typeof value !== "string" && typeof value !== "boolean" && value !== null)
    check.wrongType(path, "plain data", value);
  return value;
}

/**
 * Returns the plan that `plan.toJSON()` wrote: the same operations, so the same bits.
 * @param json the parsed JSON, or its text
 * @throws TypeError for what is no plan, RangeError for a plan of another version, an inconsistent or an altered one.
 */
export function planFromJSON(json: unknown): Plan {
  if (typeof json === "string") {
    try {
      return planFromJSON(JSON.parse(json) as unknown);
    } catch (cause) {
      if (cause instanceof SyntaxError)
        throw new TypeError(`"json": expected the JSON of a plan, got text that does not parse`, { cause });
      throw cause;
    }
  }
  if (typeof json !== "object" || json === null) check.wrongType("json", "the JSON of a plan", json);
  const head = json as Json;
  if (head.kind !== kind) check.wrongType("kind", JSON.stringify(kind), head.kind);
  if (head.version !== version) {
    check.wrongValue(
      "version",
      `${version}`,
      head.version,
      "another version of the library wrote this plan; create it again",
    );
  }
  const body = object("plan", json, ["kind", "version", "options", "grid", "steps", "digest"]);
  const grid = Float64Array.from(list("grid", body.grid), (t, i) => check.finite(`grid[${i}]`, t));
  const steps = list("steps", body.steps).map((s, i) => step(`steps[${i}]`, s));
  if (steps.length === 0 || grid.length !== steps.length + 1) {
    throw new RangeError(`"grid": expected one time more than there are steps, got ${grid.length} for ${steps.length}`);
  }
  const expected = digest({ options: body.options, grid: body.grid, steps: body.steps });
  const options = optionsFromJSON(body.options, grid);
  const plan = finishPlan(options, grid, steps);
  if (body.digest !== expected)
    check.wrongValue("digest", JSON.stringify(expected), body.digest, "the plan was altered after it was written");
  return plan;
}
