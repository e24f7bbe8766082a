// Everything random of a run, and that all of it has a source.
import * as check from "../check.ts";
import { checkSeeds, generators, type NoiseSource, noiseSource, type Seed } from "../diffusion/noise.ts";
import type { Plan } from "../plan/plan.ts";

/** What a run may be handed of noise. */
export interface NoiseOptions {
  /** Initial standard-normal noise; default: draw 0 of the seed. */
  noise?: Float32Array;
  /** Instead of noise: the state at grid[0] as it is. */
  initial?: Float32Array;
  /** One seed, or one per batch item, for everything random that is not handed in. */
  seed?: number | readonly number[];
  generator?: "philox" | "torch";
  /** Standard normals of the plan's draw 1, 2, …; default: from the seed. */
  stepNoise?(draw: number): Float32Array;
}

/** Returns where the initial noise and the draws come from; everything random must have a source, and a seed must have a use. */
export function randomSources(o: NoiseOptions, plan: Plan, shape: readonly number[]) {
  const { generator: kind = "philox", stepNoise } = o;
  const generator = check.oneOf("generator", kind, generators);
  if (o.noise !== undefined && o.initial !== undefined) throw new TypeError('"initial": expected none beside "noise"');
  if (stepNoise !== undefined && typeof stepNoise !== "function") check.wrongType("stepNoise", "a function", stepNoise);
  const seed = o.seed === undefined ? undefined : checkSeeds(o.seed, shape[0] as number, generator);
  const startIsGiven = o.noise !== undefined || o.initial !== undefined;
  const stepsAreGiven = plan.draws === 0 || stepNoise !== undefined;
  if (seed !== undefined && startIsGiven && stepsAreGiven) {
    throw new TypeError('"seed": nothing is left for it to draw; expected none beside the noise that is handed in');
  }
  if (seed === undefined && !startIsGiven)
    throw new TypeError('"seed": required where neither "noise" nor "initial" is given');
  if (seed === undefined && !stepsAreGiven) {
    throw new TypeError(`"seed": required for the plan's ${plan.draws} draws where no "stepNoise" is given`);
  }
  let source: NoiseSource | undefined;
  const draw = (index: number) => {
    source ??= noiseSource(seed as Seed | readonly Seed[], shape, generator);
    return source.draw(index);
  };
  return {
    start: () => draw(0),
    step: (index: number) => (stepNoise === undefined ? draw(index) : o.stepNoise?.(index)),
  };
}
