// The fine trajectory that a search compares with: states at exactly the plan's times, from the same initial noise.
import * as check from "../check.ts";
import { gaussianNoise } from "../diffusion/noise.ts";
import { type NoiseSchedule, scheduleToJSON } from "../diffusion/schedule.ts";
import { trainStepsOf } from "../diffusion/snap.ts";
import { checkPlan } from "../plan/json.ts";
import { noiseFactor, type Plan } from "../plan/plan.ts";
import { type SampleOptions, sampleSteps } from "../sampling/sample.ts";
import type { NoiseOptions } from "../sampling/sources.ts";
import { createPlan } from "../solvers/index.ts";

/** How the library makes a reference: default DDIM with at least 200 steps. */
export interface ReferenceRule {
  steps?: number;
  solver?: string;
  order?: number;
}

/** A reference made elsewhere: states[j] is the state at grid[j], and every time of the plan is in the grid to 1e-9. */
export interface GivenReference {
  grid: ArrayLike<number>;
  states: Float32Array[];
  /** Model calls it has cost, where `ratioReference` made it; nobody reads it. */
  nfe?: number;
}

/**
 * Returns a grid through the given times with at least `steps` steps. Each interval gets its share of the way in log-SNR and is divided
 * equally there; at an end without a finite one, equally in time. Times of a discrete schedule's table are refined to such times.
 * (Equal parts in time throughout leave the last steps so coarse that the reference is off by a tenth of what it is to judge;
 * bench/quality prints such differences.)
 */
export function refine(schedule: NoiseSchedule, times: ArrayLike<number>, steps: number): Float64Array {
  const lambdas = Array.from(times, (t) => schedule.lambda(t));
  const ways = lambdas.slice(1).map((lambda, k) => lambda - (lambdas[k] as number));
  const finite = ways.filter(Number.isFinite);
  const mean = finite.reduce((sum, way) => sum + way, 0) / Math.max(1, finite.length);
  const shares = ways.map((way) => ((Number.isFinite(way) ? way / mean : 1) * steps) / ways.length);
  const parts = shares.map((share) => Math.max(1, Math.floor(share)));
  // What rounding down has left goes to the largest remainders.
  const byRemainder = shares.map((share, k) => ({ k, remainder: share - Math.floor(share) }));
  byRemainder.sort((a, b) => b.remainder - a.remainder || a.k - b.k);
  let missing = steps - parts.reduce((sum, n) => sum + n, 0);
  for (let i = 0; missing > 0; i++, missing--) {
    const { k } = byRemainder[i % byRemainder.length] as { k: number };
    parts[k] = (parts[k] as number) + 1;
  }
  const fine = parts.flatMap((n, k) => {
    const [s, t] = [times[k] as number, times[k + 1] as number];
    const [from, to] = [lambdas[k] as number, lambdas[k + 1] as number];
    const between = (a: number, b: number, j: number) => ((n - j) * a + j * b) / n;
    const inner = (j: number) => (Number.isFinite(to - from) ? schedule.time(between(from, to, j)) : between(s, t, j));
    return Array.from({ length: n }, (_, j) => (j === 0 ? s : inner(j)));
  });
  fine.push(times[times.length - 1] as number);
  return Float64Array.from(times, (t) => schedule.modelTime(t)).every(isWhole) && schedule.kind === "vp-discrete"
    ? onTable(schedule, fine)
    : Float64Array.from(fine);
}

const isWhole = (x: number) => Math.abs(x - Math.round(x)) < 1e-9;

/** Returns the times moved to whole model times, each once: where a plan keeps to the table of its network, so must its reference. */
function onTable(schedule: NoiseSchedule, times: readonly number[]): Float64Array {
  // Entry n of a table of M lies at (n + 1)/M.
  const entries = trainStepsOf(schedule);
  const moved = times.map((t) =>
    isWhole(schedule.modelTime(t)) ? t : (Math.round(schedule.modelTime(t)) + 1) / entries,
  );
  return Float64Array.from(moved.filter((t, i) => i === 0 || t < (moved[i - 1] as number)));
}

/** Returns the plan of a reference run for `plan`, through its times, or through more of them. */
export function referencePlan(plan: Plan, rule: ReferenceRule, times: ArrayLike<number> = plan.grid): Plan {
  const given = check.options<ReferenceRule>("reference", rule, ["steps", "solver", "order"]);
  const { steps: least = 200, solver = "ddim" } = given;
  const steps = check.integer("reference.steps", least, times.length - 1);
  const { schedule, thresholding } = plan.options;
  return createPlan({
    schedule,
    grid: refine(schedule, times, steps),
    solver,
    ...(given.order === undefined ? {} : { order: given.order }),
    ...(thresholding === undefined ? {} : { thresholding }),
  });
}

/** Returns the reference states at plan.grid[1], plan.grid[2], … by running the reference plan. */
export async function runReference<C>(plan: Plan, o: SampleOptions<C>): Promise<Float32Array[]> {
  const states: Float32Array[] = [];
  for await (const { t, x } of sampleSteps(o)) if (t === plan.steps[states.length]?.end.t) states.push(x);
  return states;
}

/** What a reference for several searches takes: a run's data, and the plans that the searches are about. */
export interface RatioReferenceOptions<C>
  extends Omit<SampleOptions<C>, "plan" | "onStep" | "engine" | "guidanceInterval" | "guidanceRescale"> {
  /** Plans of one schedule, thresholding and range that differ in their steps, or in solver and order. */
  plans: readonly Plan[];
  reference?: ReferenceRule;
}

/**
 * Returns one reference for searches that differ only in their steps: states at every time of the plans, by a single fine run. Hand
 * it to each as `reference`; their own `nfe.reference` is then 0, and `nfe` here is what the run has cost.
 * @throws (rejects) TypeError, RangeError for plans that cannot share one; otherwise as `sample` does.
 */
export async function ratioReference<C>(
  o: RatioReferenceOptions<C>,
): Promise<GivenReference & { grid: Float64Array; nfe: number }> {
  const { plans, reference: rule = {}, ...run } = check.object("options", o) as unknown as RatioReferenceOptions<C>;
  if (!Array.isArray(plans) || plans.length === 0) check.wrongType("plans", "a list of plans", plans);
  const [first, ...others] = plans.map(checkPlan) as [Plan, ...Plan[]];
  const kept = ({ options: { schedule, thresholding }, steps }: Plan) =>
    JSON.stringify([scheduleToJSON(schedule), thresholding, steps[0]?.start, steps.at(-1)?.end]);
  others.forEach((plan, i) => {
    if (kept(plan) !== kept(first))
      throw new RangeError(`"plans[${i + 1}]": expected schedule, thresholding, first and last time of the first plan`);
  });
  const all = [first, ...others].flatMap(({ grid }) => Array.from(grid)).sort((a, b) => b - a);
  // Times that are closer than a search tells them apart are one.
  const times = Float64Array.from(all.filter((t, i) => i === 0 || (all[i - 1] as number) - t > 1e-9));
  const plan = referencePlan(first, rule, times);
  const states: Float32Array[] = [];
  let nfe = 0;
  for await (const event of sampleSteps<C>({ ...run, plan } as SampleOptions<C>)) {
    nfe = event.nfe;
    if (event.t === times[states.length + 1]) states.push(event.x);
  }
  return { grid: times, states: [startOf(plan, run), ...states], nfe };
}

/** Returns the state at which a run starts. */
function startOf(plan: Plan, o: NoiseOptions & { shape: readonly number[] }): Float32Array {
  if (o.initial !== undefined) return o.initial.slice();
  const factor = Math.fround(noiseFactor(plan));
  return (o.noise ?? gaussianNoise(o.seed as number, o.shape, o.generator)).map((v) => v * factor);
}

/** Returns the states at plan.grid[1], plan.grid[2], … from a given reference. */
export function takeReference(plan: Plan, value: unknown, length: number): Float32Array[] {
  const given = check.options<GivenReference>("reference", value, ["grid", "states", "nfe"]);
  const grid = Array.from(check.numbers("reference.grid", given.grid));
  if (!Array.isArray(given.states)) check.wrongType("reference.states", "an array of Float32Array", given.states);
  if (given.states.length !== grid.length) {
    check.wrongValue("reference.states", `one state for each of ${grid.length} times`, given.states);
  }
  const found = Array.from(plan.grid, (t) => {
    const j = grid.findIndex((time) => Math.abs(time - t) <= 1e-9);
    if (j < 0) throw new RangeError(`"reference.grid": expected every time of the plan to 1e-9, ${t} is missing`);
    const state: unknown = given.states?.[j];
    if (!check.isTypedArray(state, "Float32Array")) check.wrongType(`reference.states[${j}]`, "a Float32Array", state);
    if (state.length !== length) check.wrongValue(`reference.states[${j}]`, `a length of ${length}`, state.length);
    if (!state.every(Number.isFinite))
      throw new RangeError(`"reference.states[${j}]": expected finite numbers, got NaN or ±Infinity`);
    return state;
  });
  return found.slice(1);
}
