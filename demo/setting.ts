// What a visitor can set, as part of the page's address and as a command line.
export const solverNames = ["unipc", "dpmpp", "ddim"] as const;
export type SolverName = (typeof solverNames)[number];

/** Pictures in a run, as many as the command line draws. */
export const count = 10;

export const limits = {
  steps: { least: 3, most: 12 },
  guidance: { least: 1, most: 12, part: 0.25 },
  seed: { least: 0, most: 0xffffffff },
} as const;

export interface Setting {
  /** A label, or all: one after the other. */
  readonly label: number | "all";
  readonly steps: number;
  readonly guidance: number;
  readonly solver: SolverName;
  readonly seed: number;
  /** Compensation: what the model folder has, none, or these. */
  readonly ratios: "auto" | "off" | readonly number[];
}

/** Guidance 3: there the folder has ratios for UniPC, and its pictures are nearest to real digits (README, Quality). */
export const defaults: Setting = { label: "all", steps: 5, guidance: 3, solver: "unipc", seed: 0, ratios: "auto" };

/** Returns the setting as the part of an address after "#". */
export function toHash(s: Setting): string {
  const ratios = typeof s.ratios === "string" ? s.ratios : s.ratios.join(",");
  return `class=${s.label}&steps=${s.steps}&guidance=${s.guidance}&solver=${s.solver}&seed=${s.seed}&ratios=${ratios}`;
}

/** Returns the setting of an address; what is missing or makes no sense is as usual. */
export function fromHash(hash: string): Setting {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const label = given.get("class") ?? "";
  const { steps, guidance, seed } = limits;
  const solver = solverNames.find((name) => name === given.get("solver")) ?? defaults.solver;
  const setting = {
    label: /^\d{1,4}$/.test(label) ? Number(label) : defaults.label,
    steps: within(Math.round(number(given, "steps", defaults.steps)), steps),
    guidance: within(
      Math.round(number(given, "guidance", defaults.guidance) / guidance.part) * guidance.part,
      guidance,
    ),
    solver,
    seed: within(Math.round(number(given, "seed", defaults.seed)), seed),
  };
  return { ...setting, ratios: ratiosOf(given.get("ratios"), setting.steps) };
}

function number(given: URLSearchParams, name: string, otherwise: number): number {
  const text = given.get(name)?.trim();
  const value = text ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : otherwise;
}

function within(value: number, { least, most }: { least: number; most: number }): number {
  return Math.min(Math.max(value, least), most);
}

function ratiosOf(text: string | null, steps: number): Setting["ratios"] {
  if (text === "off") return text;
  const list = (text ?? "").split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  return list.length === steps && list.every(Number.isFinite) ? list : defaults.ratios;
}

/** Returns the labels of the pictures of a run; a network without labels hears −1. */
export function labelsOf(label: Setting["label"], labels: number, pictures = count): number[] {
  return Array.from({ length: pictures }, (_, i) => (labels === 0 ? -1 : label === "all" ? i % labels : label));
}

/** Returns the command that draws the same pictures; `own` tells that the model is not the bundled one. */
export function sampleCommand(s: Setting, own: boolean): string {
  const ratios = typeof s.ratios === "string" ? s.ratios : "ratios.json";
  const words = [`--class ${s.label}`, `--steps ${s.steps}`, `--guidance ${s.guidance}`, `--solver ${s.solver}`];
  return ["npx dc-solver sample", ...model(own), ...words, `--seed ${s.seed}`, `--ratios ${ratios}`].join(" ");
}

/** What a search is asked beside the setting. */
export interface SearchRules {
  readonly points: number;
  readonly referenceSteps: number;
}

/** Returns the command that makes the same search. */
export function searchCommand(s: Setting, { points, referenceSteps }: SearchRules, own: boolean): string {
  const setting = [`--steps ${s.steps}`, `--guidance ${s.guidance}`, `--solver ${s.solver}`, `--seed ${s.seed}`];
  const rules = [`--points ${points}`, `--holdout ${points}`, `--reference-steps ${referenceSteps}`];
  return ["npx dc-solver search", ...model(own), ...setting, ...rules, "--reference-solver unipc"].join(" ");
}

const model = (own: boolean) => (own ? ["--model DIR"] : []);

/** Returns a program for Node that prints the hash of the same pictures' bits. */
export function hashProgram(s: Setting, labels: number, own: boolean): string {
  const folder = own ? '"DIR"' : 'new URL("../models/digits/", import.meta.resolve("dc-solver"))';
  const ratios = typeof s.ratios === "string" ? JSON.stringify(s.ratios) : `[${s.ratios.join(", ")}]`;
  return `import * as ort from "onnxruntime-web";
import { loadModel } from "dc-solver/onnx";
const model = await loadModel({ ort, folder: ${folder} });
const guidanceScale = ${s.guidance};
const plan = model.plan({ solver: "${s.solver}", steps: ${s.steps}, guidanceScale, ratios: ${ratios} });
const { data } = await model.sample({ plan, guidanceScale, condition: [${labelsOf(s.label, labels).join(", ")}], seed: ${s.seed} });
let hash = 0x811c9dc5;
for (const byte of new Uint8Array(data.buffer)) hash = Math.imul(hash ^ byte, 0x01000193);
console.log((hash >>> 0).toString(16).padStart(8, "0"));`;
}
