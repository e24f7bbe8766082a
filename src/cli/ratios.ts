// --ratios: from a word or a file to a compensated plan.
import { readFile } from "node:fs/promises";
import { ratioModelFromNpy } from "../compensation/cpr.ts";
import type { LoadedModel, ModelPlanOptions } from "../onnx/load-model.ts";
import { compensationOf, difference, type Ratios, type RatioUse, ratiosFromJSON } from "../onnx/ratios.ts";
import { compensate } from "../plan/compensate.ts";
import type { Plan } from "../plan/plan.ts";
import { blameUsage } from "./usage.ts";

/** What --ratios may say; a file holds an array of ratios, a search, or a ratio model as JSON or .npy. */
export type GivenRatios = "auto" | "off" | number[] | { file: string; ratios: Ratios };

/** Reads what --ratios says. */
export async function readRatios(text: string): Promise<GivenRatios> {
  if (text === "auto" || text === "off") return text;
  return naming(text, async () => {
    const bytes = await readFile(text);
    // "\x93NUMPY"
    if (bytes[0] === 0x93) return { file: text, ratios: ratioModelFromNpy(bytes) };
    const json = parseJson(bytes.toString());
    const isList = Array.isArray(json) && json.every((r) => typeof r === "number");
    return isList ? json : { file: text, ratios: ratiosFromJSON(json) };
  });
}

/** Returns what a text says in JSON. */
export function parseJson(text: string): unknown {
  try {
    // Some editors begin a file with a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new Error(`not JSON, or cut off: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

async function naming<T>(file: string, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new Error(`--ratios: "${file}": ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** Returns the model's plan with what --ratios says, which must be meant for such a plan, such guidance and this network. */
export async function planWith(model: LoadedModel, given: GivenRatios, o: ModelPlanOptions): Promise<Plan> {
  if (typeof given === "string" || Array.isArray(given)) return blameUsage(() => model.plan({ ...o, ratios: given }));
  const plan = blameUsage(() => model.plan({ ...o, ratios: "off" }));
  const use: RatioUse = { plan, guidanceScale: o.guidanceScale ?? 1, model: model.hash() };
  return naming(given.file, () => {
    const found = difference(given.ratios, use);
    if (found !== undefined) {
      const [want, got] = [brief(found.want), brief(found.got)];
      throw new Error(`made for another setting, "${found.name}": want ${want}, got ${got}`);
    }
    const { ratios, dcOrder } = compensationOf(given.ratios, use);
    return compensate(plan, ratios, dcOrder);
  });
}

/** Returns a setting in one line that is not too long. */
export function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? "none";
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
