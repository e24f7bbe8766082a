// dc-solver fit: searched ratios become a model of ratios, for other numbers of steps and other guidance.
import { readFile } from "node:fs/promises";
import { fitRatioModel, predictRatios, type RatioDegrees, type RatioModel } from "../compensation/cpr.ts";
import { type RatioSearch, ratioSearchFromJSON } from "../compensation/search-json.ts";
import { settingsDifference } from "../compensation/settings.ts";
import { checkFree, writeJson } from "./files.ts";
import { brief, parseJson } from "./ratios.ts";
import { parse, readNumbers, UsageError } from "./usage.ts";

const defaults = { out: "cpr.json", degrees: "3,2,2" };

export const fitHelp = `dc-solver fit: fits a ratio model to the results of several searches, dc-solver fit FILES… --out cpr.json

  --out FILE      (${defaults.out})
  --degrees S,G,N degrees in the step, the guidance scale and the number of steps (${defaults.degrees}); with one guidance scale
                  take 0 for G, with one number of steps 0 for N
  --force         overwrites FILE
  --json          the result as JSON on stdout
  --help`;

interface Observed {
  readonly file: string;
  readonly search: RatioSearch;
}

async function read(file: string): Promise<Observed> {
  try {
    return { file, search: ratioSearchFromJSON(parseJson(await readFile(file, "utf8"))) };
  } catch (cause) {
    throw new Error(`"${file}": ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** Throws unless one model can hold all that was observed. */
function checkAlike([first, ...others]: readonly Observed[]): void {
  if (first === undefined) throw new UsageError("expected files that dc-solver search has written, got none");
  for (const other of others) {
    const [a, b] = [first.search, other.search];
    const name = settingsDifference(a.settings, b.settings) as keyof RatioSearch["settings"] | undefined;
    const differ = (what: string, x: unknown, y: unknown): never => {
      throw new Error(`"${first.file}" and "${other.file}" differ in "${what}": ${brief(x)} and ${brief(y)}`);
    };
    if (name !== undefined) differ(`settings.${name}`, a.settings[name], b.settings[name]);
    if (a.dcOrder !== b.dcOrder) differ("dcOrder", a.dcOrder, b.dcOrder);
  }
}

/** How far the model is from the ratios that it was fitted to: root mean square, and the largest distance with its place. */
interface Residuals {
  readonly rms: number;
  readonly max: number;
  readonly at: { readonly file: string; readonly step: number };
}

function residualsOf(model: RatioModel, observed: readonly Observed[]): Residuals {
  const all = observed.flatMap(({ file, search: { steps, guidanceScale, ratios, dcOrder } }) => {
    const predicted = predictRatios(model, { steps, guidanceScale, clamp: false });
    const distances = ratios.map((r, k) => ({ file, step: k + 1, distance: Math.abs(r - (predicted[k] as number)) }));
    return distances.slice(dcOrder);
  });
  const worst = all.reduce((a, b) => (b.distance > a.distance ? b : a));
  const rms = Math.sqrt(all.reduce((sum, { distance }) => sum + distance * distance, 0) / all.length);
  return { rms, max: worst.distance, at: { file: worst.file, step: worst.step } };
}

function modelOf(observations: readonly RatioSearch[], degrees: RatioDegrees): RatioModel {
  try {
    return fitRatioModel(observations, { degrees });
  } catch (cause) {
    const { message } = cause as Error;
    throw message.startsWith('"degrees') ? new UsageError(`--degrees: ${message}`, { cause }) : cause;
  }
}

/** Runs `dc-solver fit` and prints how good the model is. */
export async function runFit(argv: readonly string[]): Promise<void> {
  const { text, on, files } = parse(argv, defaults, ["force", "json", "help"], true);
  if (on.has("help")) return void process.stdout.write(`${fitHelp}\n`);
  const [step, guidance, steps] = readNumbers("degrees", text.degrees, 3) as [number, number, number];
  const { out = "" } = text;
  if (out === "") throw new UsageError('--out: expected a file name, got ""');
  if (files.length === 0) checkAlike([]);
  await checkFree("--out", out, on.has("force"));
  const observed = await Promise.all(files.map(read));
  checkAlike(observed);
  const observations = observed.map(({ search }) => search);
  const model = modelOf(observations, { step, guidance, steps });
  const residuals = residualsOf(model, observed);
  writeJson(out, model);
  const unknowns = model.coefficients.length;
  const { rank, range } = model;
  if (on.has("json")) {
    const result = { out, rank, unknowns, residuals, ...(model.toJSON() as object) };
    return void process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  }
  const open =
    "the files leave the rest open, and between their settings the model may be far off; fit more, or lower --degrees";
  const lines = [
    `a model of ${observed.length} search${observed.length === 1 ? "" : "es"} in ${out}`,
    `rank ${rank} of ${unknowns}${rank < unknowns ? `: ${open}` : ""}`,
    `residuals of the ratios: rms ${residuals.rms.toExponential(2)}, max ${residuals.max.toExponential(2)} (step ${residuals.at.step} of "${residuals.at.file}")`,
    `range: ${range.steps[0]} to ${range.steps[1]} steps, guidance ${range.guidanceScale[0]} to ${range.guidanceScale[1]}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
