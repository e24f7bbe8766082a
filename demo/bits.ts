// Bits, and what they ought to be: a hash, and a scenario without a network whose hash is the same on every machine.
import { createPlan, type Denoiser, sample, vpDiscrete } from "../src/index.ts";

/** What Node gave when the page was built. */
export interface ServerBits {
  readonly runtime: string;
  readonly solver: string;
  /** The hash of the default setting's pictures, with the bundled network. */
  readonly pictures: string;
}

/** Returns FNV-1a of 32 bits over the bytes of an array, little-endian as on all machines in use, as 8 hex digits. */
export function hashOf(data: Float32Array, start = 0x811c9dc5): string {
  let hash = start;
  for (const byte of new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}

// A multiplication by a power of two and one rounded addition: the same in every engine.
const denoiser: Denoiser<number> = {
  prediction: "epsilon",
  predict: ({ x, condition = 0 }) => x.map((value) => value * 0.5 + condition),
};

/** Returns the hash of what every solver, with guidance and with ratios, makes of a fixed function in the network's place. */
export async function solverBits(): Promise<string> {
  const schedule = vpDiscrete();
  const plans = [
    ...["unipc", "dpmpp", "ddim"].flatMap((solver) => [5, 8].map((steps) => createPlan({ schedule, solver, steps }))),
    createPlan({ schedule, steps: 5, ratios: [1, 1, 0.875, 1.125, 0.75] }),
    createPlan({ schedule, steps: 6, solver: "ddim", eta: 1 }),
  ];
  const shape = [2, 1, 28, 28];
  let hash = hashOf(new Float32Array(0));
  for (const plan of plans) {
    for (const guidanceScale of [1, 7.5]) {
      const { data } = await sample({
        plan,
        denoiser,
        shape,
        seed: 1,
        condition: 0.25,
        unconditional: 0,
        guidanceScale,
      });
      hash = hashOf(data, Number.parseInt(hash, 16));
    }
  }
  return hash;
}
