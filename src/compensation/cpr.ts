// Cascade polynomial regression: compensation ratios of any number of steps and any guidance scale, from a few searches.
// The ratio of step i of N is a polynomial in i/N whose coefficients are polynomials in the guidance scale, whose coefficients
// are polynomials in N. It is linear in the numbers of the model, so one least squares problem fits them all.
// Source: Zhao et al., "DC-Solver" (arXiv 2409.03755), and the file that its authors publish.
import * as check from "../check.ts";
import { libraryVersion } from "../version.ts";
import { leastSquares } from "../wasm/module.ts";
import { npyDoubles } from "./npy.ts";
import { type RatioSettings, ratioSettingsFromJSON, settingsDifference } from "./settings.ts";

/** Highest powers: of i/N, of the guidance scale, and of the number of steps. */
export interface RatioDegrees {
  step: number;
  guidance: number;
  steps: number;
}

/** Ratios found for one number of steps and one guidance scale; a `RatioSearch` is one. */
export interface RatioObservation {
  steps: number;
  guidanceScale: number;
  /** One per step; the first dcOrder are 1. */
  ratios: readonly number[];
  /** Default 2; the same in all observations of a fit. */
  dcOrder?: number;
  /** Where the ratios are valid; the same in all observations of a fit. */
  settings?: RatioSettings;
}

/** A fit of ratios. */
export interface RatioModel {
  /**
   * Numbers C[a][b][c] in one row, [stepPower][guidanceTerm][stepsTerm]: ratio = Σ C[a][b][c] · ξ^a · γ^(degrees.guidance − b) ·
   * n^(degrees.steps − c), with ξ = i/N, γ = guidanceScale/12, n = N/50 and i = 1 … N. So the lowest power of ξ comes first, the
   * highest of γ and n.
   */
  coefficients: Float64Array;
  degrees: RatioDegrees;
  /** What was observed, both ends included. */
  range: { steps: [number, number]; guidanceScale: [number, number] };
  /** Directions that the observations determine. Fewer than coefficients: between the observed steps or scales it is a guess. */
  rank: number;
  /** The first dcOrder ratios are 1. */
  dcOrder: number;
  settings?: RatioSettings;
  /** Returns the model as JSON: `{ kind: "dc-solver/ratio-model", version: 1, library, … }`. */
  toJSON(): unknown;
}

const kind = "dc-solver/ratio-model";
const version = 1;

// The units of the published coefficients.
const guidanceUnit = 12;
const stepsUnit = 50;
const published: RatioDegrees = { step: 3, guidance: 2, steps: 2 };
/** Beyond it nothing is left of float64, whatever the observations. */
const highestDegree = 8;

function size({ step, guidance, steps }: RatioDegrees): number {
  return (step + 1) * (guidance + 1) * (steps + 1);
}

function finishModel(o: Omit<RatioModel, "toJSON">): RatioModel {
  const toJSON = () =>
    structuredClone({ kind, version, library: libraryVersion, ...o, coefficients: Array.from(o.coefficients) });
  return { ...o, toJSON };
}

/** Returns 1, x, x², … up to the degree. */
function powers(x: number, degree: number): number[] {
  const list = [1];
  for (let p = 1; p <= degree; p++) list.push((list[p - 1] as number) * x);
  return list;
}

/** Returns what the coefficients multiply, in their order. */
function features(degrees: RatioDegrees, i: number, steps: number, guidanceScale: number): number[] {
  const xi = powers(i / steps, degrees.step);
  const gamma = powers(guidanceScale / guidanceUnit, degrees.guidance).reverse();
  const n = powers(steps / stepsUnit, degrees.steps).reverse();
  return xi.flatMap((x) => gamma.flatMap((g) => n.map((m) => x * g * m)));
}

function checkDegrees(name: string, value: unknown, defaults?: RatioDegrees): RatioDegrees {
  const given = check.options<RatioDegrees>(name, value, ["step", "guidance", "steps"]);
  const degree = (axis: keyof RatioDegrees) => {
    const value = given[axis] === undefined ? defaults?.[axis] : given[axis];
    return check.integer(`${name}.${axis}`, value, 0, highestDegree);
  };
  return { step: degree("step"), guidance: degree("guidance"), steps: degree("steps") };
}

type Checked = Required<Omit<RatioObservation, "settings">> & { settings: RatioSettings | undefined };

function checkObservation(name: string, value: unknown): Checked {
  // Further keys are welcome: a whole RatioSearch, or its JSON, is an observation.
  const given = check.object(name, value);
  if (given.finished === false) {
    throw new RangeError(`"${name}": expected a finished search, got one that stopped; resume it first`);
  }
  const steps = check.integer(`${name}.steps`, given.steps, 1);
  const dcOrder = check.integer(`${name}.dcOrder`, given.dcOrder === undefined ? 2 : given.dcOrder, 1);
  const ratios = Array.from(check.numbers(`${name}.ratios`, given.ratios), (ratio, k) => {
    check.finite(`${name}.ratios[${k}]`, ratio);
    if (k < dcOrder && ratio !== 1) check.wrongValue(`${name}.ratios[${k}]`, `1, as dcOrder is ${dcOrder}`, ratio);
    return ratio;
  });
  if (ratios.length !== steps) check.wrongValue(`${name}.ratios`, `one number per step, ${steps}`, ratios);
  const settings = given.settings === undefined ? undefined : ratioSettingsFromJSON(given.settings);
  return {
    steps,
    guidanceScale: check.finite(`${name}.guidanceScale`, given.guidanceScale),
    ratios,
    dcOrder,
    settings,
  };
}

/** Returns the observations after checking that one model can hold them all. */
function checkObservations(value: unknown): [Checked, ...Checked[]] {
  if (!Array.isArray(value)) check.wrongType("observations", "an array of observations", value);
  const [first, ...others] = value.map((entry, j) => checkObservation(`observations[${j}]`, entry));
  if (first === undefined) check.wrongValue("observations", "at least one observation", value);
  others.forEach(({ dcOrder, settings }, j) => {
    const name = `observations[${j + 1}]`;
    if (dcOrder !== first.dcOrder) {
      check.wrongValue(`${name}.dcOrder`, `${first.dcOrder}, as in observations[0]`, dcOrder);
    }
    const difference = settingsDifference(first.settings, settings);
    if (difference === undefined) return;
    const got = settings === undefined ? "none" : first.settings === undefined ? "some" : `another ${difference}`;
    throw new RangeError(`"${name}.settings": expected those of observations[0], got ${got}`);
  });
  return [first, ...others];
}

/** Returns the smallest and the largest number. */
function span(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

/**
 * Returns the model that is nearest to the observed ratios in the sense of least squares. For all coefficients it takes at least
 * degree + 1 numbers of steps and as many guidance scales, and enough steps: 5, 7 and 10 steps with 3 scales determine 33 of the 36
 * (`rank`), 5, 6, 7, 8 and 10 all. Of models that fit equally well it is the one with the smallest coefficients. With one guidance
 * scale or one number of steps give that axis the degree 0.
 * @throws TypeError for what is no observation, RangeError for observations that differ in dcOrder or settings, or hold no ratio.
 */
export function fitRatioModel(
  observations: readonly RatioObservation[],
  o: { degrees?: Partial<RatioDegrees> } = {},
): RatioModel {
  const all = checkObservations(observations);
  const { degrees: given = {} } = check.options<{ degrees: unknown }>("fitRatioModel", o, ["degrees"]);
  const degrees = checkDegrees("degrees", given, published);
  const { dcOrder, settings } = all[0];
  const rows = all.flatMap(({ steps, guidanceScale, ratios }) =>
    ratios.map((ratio, k) => ({ ratio, row: features(degrees, k + 1, steps, guidanceScale) })).slice(dcOrder),
  );
  if (rows.length === 0) {
    throw new RangeError(`"observations": expected one with more than dcOrder = ${dcOrder} steps, got none`);
  }
  const matrix = Float64Array.from(rows.flatMap(({ row }) => row));
  const { solution, rank } = leastSquares(
    matrix,
    Float64Array.from(rows, ({ ratio }) => ratio),
  );
  // 1e150: what can be squared and summed.
  if (!matrix.every((x) => Math.abs(x) < 1e150) || !solution.every(Number.isFinite)) {
    throw new RangeError('"observations": expected numbers whose powers a double holds, got larger ones');
  }
  return finishModel({
    coefficients: solution,
    degrees,
    range: { steps: span(all.map((x) => x.steps)), guidanceScale: span(all.map((x) => x.guidanceScale)) },
    rank,
    dcOrder,
    ...(settings === undefined ? {} : { settings }),
  });
}

function inside(name: string, value: number, [low, high]: [number, number]): void {
  const remedy = "fit a model there, or pass clamp: false to go beyond it";
  if (value < low || value > high) check.wrongValue(name, `${low} to ${high}, the range of the model`, value, remedy);
}

/**
 * Returns the ratios of a number of steps and a guidance scale, one per step; the first `model.dcOrder` are 1.
 * `clamp`, default [0.3, 1.6], bounds the others; false neither bounds them nor minds the range of the model.
 * @throws RangeError outside of the range of the model: polynomials of this kind explode there.
 */
export function predictRatios(
  model: RatioModel,
  o: { steps: number; guidanceScale: number; clamp?: [number, number] | false },
): number[] {
  const { coefficients, degrees, range, dcOrder } = checkModel("model", model);
  const given = check.options<{ steps: unknown; guidanceScale: unknown; clamp: unknown }>("predictRatios", o, [
    "steps",
    "guidanceScale",
    "clamp",
  ]);
  const steps = check.integer("steps", given.steps, 1);
  const guidanceScale = check.finite("guidanceScale", given.guidanceScale);
  const clamp =
    given.clamp === false ? undefined : checkPair("clamp", given.clamp === undefined ? [0.3, 1.6] : given.clamp);
  if (clamp !== undefined) {
    inside("steps", steps, range.steps);
    inside("guidanceScale", guidanceScale, range.guidanceScale);
  }
  const [low, high] = clamp ?? [-Infinity, Infinity];
  return Array.from({ length: steps }, (_, k) => {
    if (k < dcOrder) return 1;
    const terms = features(degrees, k + 1, steps, guidanceScale);
    const ratio = terms.reduce((sum, term, j) => sum + term * (coefficients[j] as number), 0);
    return Math.min(Math.max(ratio, low), high);
  });
}

/** Returns two finite numbers, the second not below the first. */
function checkPair(name: string, value: unknown): [number, number] {
  const pair = check.numbers(name, value);
  if (pair.length !== 2) check.wrongValue(name, "[low, high]", value);
  const low = check.finite(`${name}[0]`, pair[0]);
  return [low, check.number(`${name}[1]`, pair[1], `a finite number ≥ ${low}`, (v) => v >= low && v < Infinity)];
}

/** Returns the parts of a model after checking that they fit together. */
function checkModel(name: string, value: unknown): Omit<RatioModel, "toJSON"> {
  const given = check.object(name, value);
  const prefix = name === "json" ? "" : `${name}.`;
  const degrees = checkDegrees(`${prefix}degrees`, given.degrees);
  const coefficients = Float64Array.from(check.numbers(`${prefix}coefficients`, given.coefficients), (c, j) =>
    check.finite(`${prefix}coefficients[${j}]`, c),
  );
  const count = size(degrees);
  if (coefficients.length !== count) {
    check.wrongValue(`${prefix}coefficients`, `${count} numbers, as the degrees say`, given.coefficients);
  }
  const range = check.options<Record<"steps" | "guidanceScale", unknown>>(`${prefix}range`, given.range, [
    "steps",
    "guidanceScale",
  ]);
  const steps = checkPair(`${prefix}range.steps`, range.steps);
  steps.forEach((n, j) => {
    check.integer(`${prefix}range.steps[${j}]`, n, 1);
  });
  return {
    coefficients,
    degrees,
    range: { steps, guidanceScale: checkPair(`${prefix}range.guidanceScale`, range.guidanceScale) },
    rank: check.integer(`${prefix}rank`, given.rank, 0, count),
    dcOrder: check.integer(`${prefix}dcOrder`, given.dcOrder, 1),
    ...(given.settings === undefined ? {} : { settings: ratioSettingsFromJSON(given.settings) }),
  };
}

/**
 * Returns the model in the .npy file that the authors publish: 36 doubles, of degree 3 in the step and 2 in guidance and steps.
 * It holds for 5 to 22 steps (from 24 its terms of size 1e4 no longer cancel) and guidance scales 1 to 12.
 * @throws TypeError for what is no .npy file, RangeError for one with other content.
 */
export function ratioModelFromNpy(bytes: Uint8Array): RatioModel {
  const coefficients = npyDoubles("bytes", bytes, size(published));
  return finishModel({
    coefficients,
    degrees: { ...published },
    range: { steps: [5, 22], guidanceScale: [1, 12] },
    rank: coefficients.length,
    dcOrder: 2,
  });
}

/**
 * Returns the model that `model.toJSON()` wrote.
 * @throws TypeError for what is no ratio model, RangeError for one of another version or with numbers that do not fit together.
 */
export function ratioModelFromJSON(json: unknown): RatioModel {
  const given = check.object("json", json);
  if (given.kind !== kind) check.wrongType("kind", JSON.stringify(kind), given.kind);
  if (given.version !== version) {
    const remedy = "another version of the library wrote this file; fit the model again";
    check.wrongValue("version", `${version}`, given.version, remedy);
  }
  if (typeof given.library !== "string") check.wrongType("library", "the version that wrote it", given.library);
  const names = ["coefficients", "degrees", "range", "rank", "dcOrder", "settings"];
  check.options("ratio model", given, ["kind", "version", "library", ...names]);
  return finishModel(checkModel("json", given));
}
