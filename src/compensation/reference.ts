// The fine trajectory that a search compares with: states at exactly the plan's times, from the same initial noise.
import * as check from "../check.ts";
import type { Plan } from "../plan/plan.ts";
import { type SampleOptions, sampleSteps } from "../sampling/sample.ts";
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
}

/** Returns a grid that contains the given one, with the same number of equal parts in each of its intervals, at least `steps` in all. */
export function refine(grid: ArrayLike<number>, steps: number): Float64Array {
  const intervals = grid.length - 1;
  const parts = Math.ceil(steps / intervals);
  const fine = new Float64Array(intervals * parts + 1);
  for (let i = 0; i < fine.length; i++) {
    const k = Math.min(Math.floor(i / parts), intervals - 1);
    const j = i - k * parts;
    const [s, t] = [grid[k] as number, grid[k + 1] as number];
    fine[i] = j === 0 ? s : j === parts ? t : ((parts - j) * s + j * t) / parts;
  }
  return fine;
}

/** Returns the plan of a reference run for `plan`. */
export function referencePlan(plan: Plan, rule: ReferenceRule): Plan {
  const given = check.options<ReferenceRule>("reference", rule, ["steps", "solver", "order"]);
  const { steps: least = 200, solver = "ddim" } = given;
  const steps = check.integer("reference.steps", least, plan.steps.length);
  const { schedule, thresholding } = plan.options;
  return createPlan({
    schedule,
    grid: refine(plan.grid, steps),
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

/** Returns the states at plan.grid[1], plan.grid[2], … from a given reference. */
export function takeReference(plan: Plan, value: unknown, length: number): Float32Array[] {
  const given = check.options<GivenReference>("reference", value, ["grid", "states"]);
  const grid = check.numbers("reference.grid", given.grid);
  if (!Array.isArray(given.states)) check.wrongType("reference.states", "an array of Float32Array", given.states);
  if (given.states.length !== grid.length) {
    check.wrongValue("reference.states", `one state for each of ${grid.length} times`, given.states);
  }
  const found = Array.from(plan.grid, (t) => {
    const j = Array.from(grid).findIndex((time) => Math.abs(time - t) <= 1e-9);
    if (j < 0) throw new RangeError(`"reference.grid": expected every time of the plan to 1e-9, ${t} is missing`);
    const state = given.states?.[j];
    if (!(state instanceof Float32Array)) check.wrongType(`reference.states[${j}]`, "a Float32Array", state);
    if (state.length !== length) check.wrongValue(`reference.states[${j}]`, `a length of ${length}`, state.length);
    if (!state.every(Number.isFinite))
      throw new RangeError(`"reference.states[${j}]": expected finite numbers, got NaN or ±Infinity`);
    return state;
  });
  return found.slice(1);
}
