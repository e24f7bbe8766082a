// Networks and reference values that several tests use.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";

ort.env.wasm.numThreads = 1;

export { ort };

/** Returns the path of a file of the repository. */
export const repository = (path: string): URL => new URL(`../../${path}`, import.meta.url);

/** The bundled network's reference values; see `note` in the file and test/fixtures/README.md. */
export interface DigitsReference {
  shape: number[];
  sample: number[];
  classLabels: number[];
  raw: { timestep: number; output: number[] }[];
  noise: number[];
  labels: number[];
  nullLabel: number;
  runs: {
    solver: string;
    steps: number;
    order: number;
    variant: "bh1" | "bh2";
    guidanceScale: number;
    ratios: number[] | null;
    dcOrder: number | null;
    result: number[];
  }[];
}

export const digits: DigitsReference = JSON.parse(readFileSync(repository("test/fixtures/digits.json"), "utf8"));

export async function openSession(path: string): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(await readFile(repository(path)), { executionProviders: ["wasm"] });
}

/** Returns the largest difference of two arrays over the largest magnitude of the second. */
export function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i] as number));
    const d = Math.abs((actual[i] as number) - (expected[i] as number));
    // NaN fails every comparison below a bound, and here too.
    if (!(d <= difference)) difference = d;
  }
  return difference / largest;
}
