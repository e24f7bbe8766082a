// What the tests of examples/text-to-image share: the folder, the reference of test/fixtures/tiny-sd, and how to compare with it.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { decode } from "fast-png";
import { Files } from "../../examples/text-to-image/files.js";
import { ort, repository } from "../support/networks.ts";

/** Some of the values of an array: 0, stride, 2·stride, … */
export interface Kept {
  file: string;
  offset: number;
  length: number;
  stride: number;
  shape: number[];
  maxAbs: number;
}

export interface Call {
  timestep: number;
  latents: Kept;
  noise?: Kept;
  modelInput?: Kept;
  modelOutput?: Kept;
}

export interface ReferenceRun {
  id: string;
  scheduler: string;
  arguments: Record<string, unknown>;
  prompt: string | string[];
  negativePrompt: string | string[] | null;
  guidanceScale: number;
  steps: number;
  seed: number | number[];
  width: number;
  height: number;
  eta?: number;
  strength?: number;
  timesteps: number[];
  sigmas: number[] | null;
  noise: { initial: Kept; encoder?: Kept };
  latentParameters?: Kept;
  initialLatents: Kept;
  trajectory: Call[];
  decoded: Kept;
  pictures: { file: string }[];
  tolerance: { latents: number; decoded: number; pixels: number };
}

interface Reference {
  scalingFactor: number;
  tokenizer: { text: string; ids: number[]; length: number }[];
  textEmbeddings: Record<string, { ids: number[]; embedding: Kept }>;
  inputPicture: { file: string };
  graphs: Record<
    "text_encoder" | "unet" | "vae_decoder" | "vae_encoder",
    { inputs: Record<string, Kept>; outputs: Record<string, Kept> }
  >;
  runs: ReferenceRun[];
}

const fixture = (path: string): URL => repository(`test/fixtures/tiny-sd/${path}`);

export const modelFolder = fileURLToPath(fixture("model"));
export const reference: Reference = JSON.parse(readFileSync(fixture("reference.json"), "utf8"));
export const runtime = { ort, executionProviders: ["wasm"] };
export const read = async (path: string): Promise<Uint8Array> =>
  new Uint8Array(await readFile(fixture(`model/${path}`)));
export const files = new Files(read);

const arrays = new Map<string, Buffer>();

/** Returns the values that are kept of an array. */
export function values({ file, offset, length }: Kept): Float32Array {
  const bytes = arrays.get(file) ?? readFileSync(fixture(file));
  arrays.set(file, bytes);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + 4 * offset, bytes.byteOffset + 4 * (offset + length)));
}

/** Returns the largest difference from an array, over its largest magnitude, at the values that are kept of it. */
export function error(actual: ArrayLike<number>, kept: Kept): number {
  if (actual.length !== kept.shape.reduce((a, b) => a * b, 1)) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (const [i, expected] of values(kept).entries()) {
    const difference = Math.abs((actual[i * kept.stride] as number) - expected);
    // NaN fails every comparison below a bound, and here too.
    if (!(difference <= largest)) largest = difference;
  }
  return largest / kept.maxAbs;
}

/** Returns a picture of the reference: rows of red, green, blue. */
export function picture(file: string): { width: number; height: number; data: Uint8Array } {
  const { width, height, data } = decode(readFileSync(fixture(file)));
  return { width, height, data: new Uint8Array(data) };
}

/** Returns the largest difference of two pictures in an 8-bit value. */
export function pixelError(actual: Uint8Array, expected: Uint8Array): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return actual.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0);
}

export function runNamed(id: string): ReferenceRun {
  const run = reference.runs.find((r) => r.id === id);
  if (run === undefined) throw new Error(`no run ${id}`);
  return run;
}

/** A call of a session: the folder's graph by its inputs, and copies of what it was fed. */
export interface SessionCall {
  inputs: readonly string[];
  feeds: Record<string, { type: string; dims: readonly number[]; data: number[] }>;
}

/** Returns ONNX Runtime with a list of all calls of its sessions, and of which sessions were opened and released, in order. */
export function recordingOrt() {
  const calls: SessionCall[] = [];
  const lives: string[] = [];
  const recording = {
    ...ort,
    Tensor: ort.Tensor,
    InferenceSession: {
      async create(...parameters: Parameters<typeof ort.InferenceSession.create>) {
        const session = await ort.InferenceSession.create(...parameters);
        const { inputNames } = session;
        const name = `${inputNames.join(", ")} → ${session.outputNames[0]}`;
        lives.push(`open ${name}`);
        const [run, release] = [session.run.bind(session), session.release.bind(session)];
        session.run = async (feeds: Record<string, ort.Tensor>, ...rest: []) => {
          const copies = Object.entries(feeds).map(([input, { type, dims, data }]) => {
            return [input, { type, dims, data: Array.from(data as Float32Array, Number) }] as const;
          });
          calls.push({ inputs: inputNames, feeds: Object.fromEntries(copies) });
          return run(feeds, ...rest);
        };
        session.release = async () => {
          lives.push(`release ${name}`);
          return release();
        };
        return session;
      },
    },
  } as unknown as typeof ort;
  /** Returns the calls of the UNet. */
  const unet = () => calls.filter(({ inputs }) => inputs.includes("timestep"));
  return { ort: recording, calls, lives, unet };
}
