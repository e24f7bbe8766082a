// What page and worker say to each other: jobs with a number, events while they run, one end.
import type { SearchRules, Setting } from "./setting.ts";

/** Where a network comes from; files by their paths in the folder. */
export type Source =
  | { readonly kind: "bundled" }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "files"; readonly files: ReadonlyMap<string, Blob> };

export interface ModelInfo {
  /** `[channels, height, width]`. */
  readonly shape: readonly number[];
  readonly labels: number;
  readonly hash: string;
}

export interface PictureStep {
  readonly step: number;
  readonly steps: number;
  readonly t: number;
  readonly nfe: number;
  readonly x: Float32Array;
  readonly denoised: Float32Array;
}

export interface Pictures {
  readonly data: Float32Array;
  readonly nfe: number;
  /** Milliseconds in the network and in all else. */
  readonly network: number;
  readonly solver: number;
  readonly hash: string;
  /** The ratios that were used. */
  readonly ratios: readonly number[] | undefined;
}

/** Model calls made, and about how many there will be. */
export interface Progress {
  readonly kind: "progress";
  readonly done: number;
  readonly total: number;
}

export interface Row {
  readonly kind: "row";
  readonly name: string;
  readonly data?: Float32Array;
  readonly nfe?: number;
  /** Mean squared error to the reference, which has none. */
  readonly error?: number;
  readonly milliseconds?: number;
  /** Why there are no pictures. */
  readonly note?: string;
}

export interface SearchStep {
  readonly kind: "step";
  readonly step: number;
  readonly ratio: number;
  readonly loss: number;
  readonly lossWithout: number;
  readonly nfe: number;
}

export interface SearchResult {
  readonly ratios: readonly number[];
  readonly mse: number;
  readonly mseWithout: number;
  readonly heldOut: number;
  readonly heldOutWithout: number;
  readonly nfe: number;
  /** The file that `dc-solver sample --ratios` takes. */
  readonly json: string;
}

/** A contender of the comparison beside the plain solvers: these ratios, or the model folder's. */
export interface CompareInput {
  readonly setting: Setting;
  readonly ratios: readonly number[] | undefined;
  readonly referenceSteps: number;
}

/** Input, event and output of each kind of job. */
export interface Jobs {
  load: { input: Source; event: never; output: ModelInfo };
  bits: { input: undefined; event: never; output: string };
  sample: { input: Setting; event: PictureStep; output: Pictures };
  compare: { input: CompareInput; event: Progress | Row; output: undefined };
  search: { input: SearchRules & { readonly setting: Setting }; event: Progress | SearchStep; output: SearchResult };
}

export type Kind = keyof Jobs;

export type ToWorker =
  | { readonly id: number; readonly kind: Kind; readonly input: unknown }
  | { readonly id: number; readonly kind: "abort" };

export type FromWorker =
  | { readonly id: number; readonly event: unknown }
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly failure: { readonly name: string; readonly message: string } };
