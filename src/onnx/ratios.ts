// Compensation ratios beside a network: the files of a model folder's `ratios`, and which of them fits a plan.
import { object, show, wrongType } from "../check.ts";
import { predictRatios, type RatioModel, ratioModelFromJSON } from "../compensation/cpr.ts";
import { type RatioSearch, ratioSearchFromJSON } from "../compensation/search-json.ts";
import { type RatioSettings, settingsDifference, settingsOf } from "../compensation/settings.ts";
import type { Plan } from "../plan/plan.ts";
import { type Folder, listNames, parseObject, reader, readIfThere } from "./files.ts";

/** Ratios of one setting, or a model of them. */
export type Ratios = RatioSearch | RatioModel;

/** A file of the folder, its path inside it. */
export interface RatioFile {
  readonly path: string;
  readonly ratios: Ratios;
}

/** What ratios are wanted for. */
export interface RatioUse {
  readonly plan: Plan;
  readonly guidanceScale: number;
  /** Hash of the network. */
  readonly model: string;
}

const indexFile = "ratios/index.json";
const indexKind = "dc-solver/ratio-index";

export function isModel(ratios: Ratios): ratios is RatioModel {
  return "coefficients" in ratios;
}

/**
 * Returns the search or the model whose JSON it is.
 * @throws TypeError for what is neither, RangeError for another version, an unfinished search or numbers that do not fit together.
 */
export function ratiosFromJSON(value: unknown): Ratios {
  const json = object("json", value);
  if (json.kind === "dc-solver/ratios") return ratioSearchFromJSON(json);
  if (json.kind === "dc-solver/ratio-model") return ratioModelFromJSON(json);
  return wrongType("kind", '"dc-solver/ratios" or "dc-solver/ratio-model"', json.kind);
}

/** Runs `read`; what it throws then begins with the file's name. */
export function naming<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const Kind = cause instanceof TypeError ? TypeError : RangeError;
    throw new Kind(`"${path}": ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/**
 * Returns the ratio files of a model folder: those that `ratios/index.json` lists or, where there is no such index and the folder can
 * be listed, all `.json` files of `ratios`.
 * @param hash returns the hash of the network; called only if there are files
 * @throws Error, TypeError, RangeError or SyntaxError that names the file: broken, or of another network.
 */
export async function readRatioFiles(folder: Folder, hash: () => string | Promise<string>): Promise<RatioFile[]> {
  const paths = await ratioPaths(folder);
  const read = reader(folder);
  const files = paths.map(async (path): Promise<RatioFile> => {
    const json = parseObject(path, await read(path));
    return { path, ratios: naming(path, () => ratiosFromJSON(json)) };
  });
  const found = await Promise.all(files);
  for (const { path, ratios } of found) {
    const { model } = ratios.settings ?? {};
    if (model === undefined || model === (await hash())) continue;
    throw new RangeError(
      `"${path}": "settings.model": expected ${show(await hash())}, the hash of this network, got ${show(model)}; search again with this network, or remove the file`,
    );
  }
  return found;
}

async function ratioPaths(folder: Folder): Promise<string[]> {
  const bytes = await readIfThere(folder, indexFile);
  // Servers of web applications give a page, and no error, for what is not there.
  if (bytes === undefined || bytes[0] === 0x3c) {
    const names = await listNames(folder, "ratios");
    return names.filter((name) => name.endsWith(".json")).map((name) => `ratios/${name}`);
  }
  const json = parseObject(indexFile, bytes);
  return naming(indexFile, () => {
    if (json.kind !== indexKind) wrongType("kind", show(indexKind), json.kind);
    if (json.version !== 1) throw new RangeError(`"version": expected 1, got ${show(json.version)}`);
    if (!Array.isArray(json.files)) wrongType("files", "an array of file names", json.files);
    return json.files.map((name: unknown, i) => {
      if (typeof name !== "string") wrongType(`files[${i}]`, "a file name", name);
      // A name alone: what the index lists lies beside it.
      if (!/^[^\\/]+\.json$/.test(name)) {
        throw new RangeError(`"files[${i}]": expected the name of a .json file beside the index, got ${show(name)}`);
      }
      return `ratios/${name}`;
    });
  });
}

/** A setting in which ratios differ from what they are wanted for. */
export interface Difference {
  readonly name: string;
  readonly want: unknown;
  readonly got: unknown;
}

/** Returns the first setting of the ratios that is not the plan's or the network's; undefined if they fit as far as they say. */
export function difference(ratios: Ratios, { plan, guidanceScale, model }: RatioUse): Difference | undefined {
  const { settings } = ratios;
  if (settings !== undefined) {
    const wanted: RatioSettings = { ...settingsOf(plan), ...(settings.model === undefined ? {} : { model }) };
    const name = settingsDifference(wanted, settings) as keyof RatioSettings | undefined;
    if (name !== undefined) return deepen(`settings.${name}`, wanted[name], settings[name]);
  }
  if (isModel(ratios)) return undefined;
  if (ratios.steps !== plan.steps.length) return { name: "steps", want: plan.steps.length, got: ratios.steps };
  if (ratios.guidanceScale !== guidanceScale) {
    return { name: "guidanceScale", want: guidanceScale, got: ratios.guidanceScale };
  }
  return undefined;
}

/** Returns the difference of two objects at the first key in which they differ. */
function deepen(name: string, want: unknown, got: unknown): Difference {
  if (isPlainObject(want) && isPlainObject(got)) {
    const keys = [...new Set([...Object.keys(want), ...Object.keys(got)])];
    const key = keys.find((k) => JSON.stringify(want[k]) !== JSON.stringify(got[k]));
    if (key !== undefined) return deepen(`${name}.${key}`, want[key], got[key]);
  }
  return { name, want, got };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Ratios for `compensate`. */
export interface Compensation {
  readonly ratios: readonly number[];
  readonly dcOrder: number;
}

/**
 * Returns what the ratios say for a plan that they fit.
 * @throws RangeError for a model whose range does not hold the plan's steps or the guidance.
 */
export function compensationOf(ratios: Ratios, { plan, guidanceScale }: RatioUse): Compensation {
  const { dcOrder } = ratios;
  if (!isModel(ratios)) return { ratios: ratios.ratios, dcOrder };
  return { ratios: predictRatios(ratios, { steps: plan.steps.length, guidanceScale }), dcOrder };
}

/** Returns the ratios that fit: of the first such search, else of the first such model whose range holds the plan, else undefined. */
export function fittingRatios(
  files: readonly RatioFile[],
  use: RatioUse,
  dcOrder: number | undefined,
): Compensation | undefined {
  const fits = files
    .map((file) => file.ratios)
    .filter((r) => r.settings !== undefined && (dcOrder ?? r.dcOrder) === r.dcOrder && !difference(r, use));
  const found = fits.find((r) => !isModel(r)) ?? fits.find((r) => isModel(r) && holds(r, use));
  return found && compensationOf(found, use);
}

function holds({ range }: RatioModel, { plan, guidanceScale }: RatioUse): boolean {
  const within = (value: number, [low, high]: [number, number]) => value >= low && value <= high;
  return within(plan.steps.length, range.steps) && within(guidanceScale, range.guidanceScale);
}
