// The registry, and createPlan over it. A new solver is one file beside this one and one entry of the list below.
import * as check from "../check.ts";
import { checkGrid, type Spacing, spacings, timeGrid } from "../diffusion/grid.ts";
import type { Point } from "../diffusion/prediction.ts";
import { checkSchedule, type NoiseSchedule } from "../diffusion/schedule.ts";
import { snapGrid, trainStepsOf } from "../diffusion/snap.ts";
import { checkRatios, compensate } from "../plan/compensate.ts";
import { finishPlan } from "../plan/json.ts";
import type { Plan, PlanOptions, Thresholding } from "../plan/plan.ts";
import { type CheckedThresholding, Trace } from "../plan/tracer.ts";
import { wasm } from "../wasm/module.ts";
import { ddim } from "./ddim.ts";
import { deis } from "./deis.ts";
import { dpmpp } from "./dpmpp.ts";
import { dpmppSinglestep } from "./dpmpp-singlestep.ts";
import { euler } from "./euler.ts";
import { flowHeun } from "./flow-heun.ts";
import { heun } from "./heun.ts";
import { kdpm2 } from "./kdpm2.ts";
import { lcm } from "./lcm.ts";
import { lms } from "./lms.ts";
import { pndm } from "./pndm.ts";
import { sa } from "./sa.ts";
import type { GridPoint, Solver } from "./solver.ts";
import { tcd } from "./tcd.ts";
import { unipc } from "./unipc.ts";

/** Every solver, in the order in which the documentation lists them. */
export const solvers: readonly Solver[] = [
  unipc,
  dpmpp,
  ddim,
  dpmppSinglestep,
  deis,
  sa,
  pndm,
  lcm,
  tcd,
  flowHeun,
  euler,
  heun,
  kdpm2,
  lms,
] as unknown as readonly Solver[];

/** Options of every solver; the others are the solver's own. */
export const commonOptions = [
  ...(["schedule", "steps", "spacing", "grid", "integerTimesteps", "solver"] as const),
  ...(["predict", "lowerOrderFinal", "thresholding", "noiseScale", "ratios", "dcOrder"] as const),
];

/**
 * Returns the solver of a name or alias.
 * @throws RangeError listing the valid names.
 */
export function findSolver(name: unknown): Solver {
  if (typeof name !== "string") check.wrongType("solver", "the name of a solver", name);
  const found = solvers.find((s) => s.name === name || s.aliases.includes(name));
  const names = solvers.map((s) => JSON.stringify(s.name)).join(", ");
  return found ?? check.wrongValue("solver", `one of ${names}`, name);
}

/**
 * Returns the plan of a sampling run: which model calls, which combinations, which draws, with all their coefficients.
 * @throws TypeError for a missing, unknown or wrongly typed option, RangeError for a value that is not allowed.
 */
export function createPlan(options: PlanOptions): Plan {
  const head = check.object("options", options);
  const { solver: name = "unipc" } = head;
  const solver = findSolver(name);
  const own = Object.keys(solver.options);
  const given = check.options(`solver "${solver.name}"`, head, [...commonOptions, ...own]) as Partial<PlanOptions>;
  if (given.schedule === undefined) throw new TypeError('"schedule": required, for example vpDiscrete()');
  const schedule = checkSchedule(given.schedule, "schedule");
  return planOn({ ...given, schedule }, solver, placeGrid(given, schedule));
}

/** The times of a plan, and the options that stand for them. */
export interface Placed {
  readonly grid: Float64Array;
  readonly placed: { steps: number; spacing?: Spacing; grid?: number[]; integerTimesteps?: true };
  /** The level to which each step goes, where that is not the next point of the grid. */
  readonly arrivals?: readonly (Point | undefined)[];
}

/** Returns the plan of a checked schedule and solver on a grid that the caller answers for: its last two levels may be equal. */
export function planOn(
  given: Partial<PlanOptions> & Pick<PlanOptions, "schedule">,
  solver: Solver,
  { grid, placed, arrivals }: Placed,
): Plan {
  const { schedule } = given;
  const steps = grid.length - 1;

  const settings: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(solver.options)) {
    const value = (given as Record<string, unknown>)[name];
    settings[name] = value === undefined ? option.default : option.check(name, value, steps);
  }
  // Defaults stand in for undefined alone: null is a value of the wrong kind.
  const { predict: space = "sample", lowerOrderFinal: lower = true, dcOrder: degree = 2 } = given;
  const predict = check.oneOf("predict", space, ["sample", "epsilon"]);
  const lowerOrderFinal = check.boolean("lowerOrderFinal", lower);
  const thresholding = given.thresholding === undefined ? undefined : checkThresholding(given.thresholding);
  const noiseScale = given.noiseScale === undefined ? undefined : check.positive("noiseScale", given.noiseScale);
  const dcOrder = check.integer("dcOrder", degree, 1);
  const ratios = given.ratios === undefined ? undefined : checkRatios(given.ratios, steps, dcOrder);

  const points = Array.from(grid, (t) => gridPoint(schedule, t));
  const arrival = (k: number): GridPoint => {
    const { t, lambda } = points[k + 1] as GridPoint;
    const { alpha, sigma } = arrivals?.[k] ?? (points[k + 1] as GridPoint);
    if (arrivals?.[k] === undefined) return { t, alpha, sigma, lambda };
    return { t, alpha, sigma, lambda: sigma === 0 ? Infinity : wasm().log(alpha / sigma) };
  };
  // The model is never called at the last time.
  for (const t of grid.subarray(0, steps)) check.finite(`schedule.modelTime(${t})`, schedule.modelTime(t));
  if (predict === "epsilon" && !points.every((p) => Number.isFinite(p.lambda))) {
    const remedy = 'use "sample", or a grid between them';
    check.wrongValue("predict", '"sample" on a grid that reaches alpha = 0 or sigma = 0', predict, remedy);
  }
  const trace = new Trace(schedule, grid, predict, thresholding, arrivals);
  solver.build(trace, { schedule, points, arrival, predict, lowerOrderFinal }, settings);

  const filled = { schedule, ...placed, solver: solver.name, ...settings, predict, lowerOrderFinal, dcOrder };
  const optional = { ...(thresholding && { thresholding }), ...(noiseScale !== undefined && { noiseScale }) };
  const plan = finishPlan({ ...filled, ...optional } as PlanOptions, grid, trace.steps);
  return ratios === undefined ? plan : compensate(plan, ratios, dcOrder);
}

/** Returns the times, and the options that stand for them: `steps` with either `spacing` or `grid`. */
function placeGrid(given: Partial<PlanOptions>, schedule: NoiseSchedule): Placed {
  const snap = check.boolean("integerTimesteps", given.integerTimesteps ?? false);
  const trainSteps = trainStepsOf(schedule);
  if (snap && schedule.kind !== "vp-discrete")
    check.wrongValue("integerTimesteps", 'false, as the schedule is not "vp-discrete"', true);
  const snapped = snap ? { integerTimesteps: true as const } : {};
  if (given.grid === undefined) {
    if (given.steps === undefined) throw new TypeError('"steps": required where no "grid" is given');
    const steps = check.integer("steps", given.steps, 1);
    const { spacing: rule = "time_uniform" } = given;
    const spacing = check.oneOf("spacing", rule, spacings);
    const make = (count: number) => timeGrid(schedule, count, spacing);
    const grid = snap ? snapGrid(make(steps), trainSteps, make) : make(steps);
    return { grid, placed: { steps, spacing, ...snapped } };
  }
  if (given.spacing !== undefined) throw new TypeError('"spacing": expected none beside an explicit "grid"');
  const whole = snap ? snapGrid(check.numbers("grid", given.grid), trainSteps) : given.grid;
  const grid = checkGrid(whole, "grid", schedule);
  const steps = grid.length - 1;
  if (given.steps !== undefined && check.integer("steps", given.steps, 1) !== steps) {
    check.wrongValue("steps", `${steps}, as "grid" has`, given.steps);
  }
  return { grid, placed: { steps, grid: Array.from(grid), ...snapped } };
}

function checkThresholding(value: unknown): CheckedThresholding {
  const given = check.options<Thresholding>("thresholding", value, ["ratio", "maxValue", "limit"]);
  const { ratio = 0.995, maxValue = 1, limit } = given;
  check.share("thresholding.ratio", ratio);
  check.positive("thresholding.maxValue", maxValue);
  if (limit === undefined) return { ratio, maxValue };
  return { ratio, maxValue, limit: check.positive("thresholding.limit", limit) };
}

/** Returns a time with its noise level; a user's own schedule may be wrong about it, and any may be asked too far out. */
function gridPoint(schedule: NoiseSchedule, t: number): GridPoint {
  const lambda = check.number(`schedule.lambda(${t})`, schedule.lambda(t), "a number", () => true);
  const level = (name: "alpha" | "sigma", end: number) => {
    const least = lambda === end ? "≥ 0" : "> 0";
    const accepts = (v: number) => v < Infinity && (v > 0 || (v === 0 && lambda === end));
    return check.number(`schedule.${name}(${t})`, schedule[name](t), `a finite number ${least}`, accepts);
  };
  const [alpha, sigma] = [level("alpha", -Infinity), level("sigma", Infinity)];
  const exact = wasm().log(alpha / sigma);
  // Far above rounding, far below what taking log-SNR for its half, or another base, would leave.
  if (Number.isFinite(lambda) && !(Math.abs(lambda - exact) <= 1e-6 * (1 + Math.abs(exact))))
    check.wrongValue(`schedule.lambda(${t})`, `ln(alpha/sigma) = ${exact}`, lambda);
  return { t, alpha, sigma, lambda };
}
