// Compensation ratios of the bench: the model folder's where it has some, else searched here, on seeds that nothing is judged by.
import { refine } from "../../src/compensation/reference.ts";
import { compensate, gaussianNoise, type Plan, sampleSteps, searchRatios } from "../../src/index.ts";
import { type Bed, guided, labelsOf, type PlanChoice } from "./beds.ts";

/**
 * The fine solver that errors are measured against. Uniform in time, 80 steps are themselves off by up to a twelfth of the mean squared
 * error of UniPC at 10 calls (digits, guidance 1), most of it from the last steps; uniform in log-SNR by a sixtieth.
 */
export const fine = { solver: "unipc", order: 3, steps: 80, spacing: "logSNR" } as const;

/** Steps of the reference of a search, which has to pass through the times of the plan. */
const searchSteps = 60;

/** A fine run's states at the times of a plan. */
export interface Trajectory {
  readonly grid: readonly number[];
  readonly states: Float32Array[];
}

/** Returns a fine trajectory at the times of `steps` steps; one serves all solvers. */
export async function trajectory(
  bed: Bed,
  steps: number,
  guidance: number,
  seeds: readonly number[],
): Promise<Trajectory> {
  const grid = Array.from(bed.plan({ steps }).grid);
  const plan = bed.plan({
    solver: fine.solver,
    order: fine.order,
    grid: Array.from(refine(bed.schedule, grid, searchSteps)),
  });
  const shape = [seeds.length, ...bed.shape];
  // The schedules of both beds preserve variance: the first state is the noise itself.
  const noise = gaussianNoise(seeds, shape);
  const states = [noise];
  const condition = labelsOf(seeds);
  const run = { plan, denoiser: bed.denoiser, shape, noise, ...guided(condition, guidance) };
  for await (const { t, x } of sampleSteps<readonly number[]>(run)) if (t === grid[states.length]) states.push(x);
  return { grid, states };
}

export interface FoundRatios {
  readonly source: "model folder" | "searched here";
  readonly ratios: readonly number[];
  readonly dcOrder: number;
}

/** Returns the ratios of a setting. */
export async function findRatios(
  bed: Bed,
  choice: PlanChoice,
  guidance: number,
  seeds: readonly number[],
  reference: () => Promise<Trajectory>,
): Promise<FoundRatios> {
  const shipped = bed.shipped(choice, guidance);
  if (shipped?.options.ratios !== undefined) {
    return { source: "model folder", ratios: shipped.options.ratios, dcOrder: shipped.options.dcOrder ?? 2 };
  }
  const { ratios, dcOrder } = await searchRatios<readonly number[]>({
    plan: bed.plan(choice),
    denoiser: bed.denoiser,
    shape: [seeds.length, ...bed.shape],
    seed: seeds,
    ...guided(labelsOf(seeds), guidance),
    reference: await reference(),
  });
  return { source: "searched here", ratios, dcOrder };
}

export function withRatios(plan: Plan, { ratios, dcOrder }: FoundRatios): Plan {
  return compensate(plan, ratios, dcOrder);
}
