// The form of bench/results/quality.json.
import type { Estimate } from "../../src/cli/compare/statistics.ts";
import type { Judgement } from "./classifier.ts";
import type { FoundRatios } from "./ratios.ts";

/** One solver at one number of calls, without or with compensation. */
export interface Cell {
  readonly bed: string;
  readonly guidance: number;
  readonly solver: string;
  readonly steps: number;
  readonly compensated: boolean;
  readonly ratios?: FoundRatios;
  /** Mean squared error of the final picture to the reference, with its 95 % bootstrap interval over seeds. */
  readonly error: Estimate;
  /** The error over that without compensation, drawn seed by seed. */
  readonly gain?: Estimate;
  readonly judgement?: Judgement;
}

export interface Reference {
  readonly bed: string;
  readonly guidance: number;
  /** Mean squared difference to the same solver with twice as many steps, and over how many seeds. */
  readonly uncertainty: { readonly value: number; readonly seeds: number };
  readonly judgement?: Judgement;
}

export interface Results {
  readonly benchmark: "quality";
  readonly quick: boolean;
  readonly date: string;
  readonly processor: string;
  readonly processors: number;
  readonly platform: string;
  readonly node: string;
  readonly runtime: string;
  readonly beds: Readonly<Record<string, string>>;
  readonly seeds: { readonly test: string; readonly search: string; readonly count: number };
  readonly reference: string;
  readonly heldOut: Judgement & { readonly count: number };
  readonly references: readonly Reference[];
  readonly cells: readonly Cell[];
}

/** Solvers by the name that tables give them. */
export const solvers = {
  DDIM: { solver: "ddim" },
  "DPM-Solver++ 2M": { solver: "dpmpp", order: 2 },
  "UniPC-2": { solver: "unipc", order: 2 },
  "UniPC-3": { solver: "unipc", order: 3 },
} as const;
