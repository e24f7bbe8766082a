// Every engine once, and runs in float64.
import { type SampleOptions, sample } from "../../src/index.ts";
import { type Engine, wasmEngine } from "../../src/wasm/engine.ts";
import { referenceEngine } from "./reference-engine.ts";

/** Engines of float32, which must agree bit for bit. */
export const singleEngines: Readonly<Record<string, Engine>> = {
  wasm: wasmEngine,
  reference: referenceEngine(Math.fround),
};

type Doubles<C> = Omit<SampleOptions<C>, "initial" | "noise" | "seed" | "stepNoise" | "engine"> & {
  initial: readonly number[];
  stepNoise?(draw: number): readonly number[];
};

/** Returns what `sample` gives in float64 from the state at grid[0]. */
export async function sampleInDoubles<C>({ initial, stepNoise, ...rest }: Doubles<C>): Promise<number[]> {
  // An engine decides the element type of all tensors at its border; the public types know float32 only.
  const doubles = (values: readonly number[]) => Float64Array.from(values) as unknown as Float32Array;
  const options: SampleOptions<C> = { ...rest, initial: doubles(initial), engine: referenceEngine() };
  if (stepNoise !== undefined) options.stepNoise = (draw) => doubles(stepNoise(draw));
  return Array.from((await sample(options)).data);
}
