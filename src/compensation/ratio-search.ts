// Finds compensation ratios by forward passes: greedily, step by step, the ratio whose state after the step is nearest to a fine
// reference. Where no model call lies between ratio and state, the state is a polynomial in the ratio and the best one is found in
// closed form; elsewhere the residual vector is interpolated between at most a handful of calls (docs/ratio-search.md).
import * as check from "../check.ts";
import type { Denoiser } from "../denoisers/denoiser.ts";
import { compensate, instrument } from "../plan/compensate.ts";
import { digest } from "../plan/digest.ts";
import { checkPlan } from "../plan/json.ts";
import type { Plan } from "../plan/plan.ts";
import { Run, type RunOptions, refuseDevice } from "../sampling/run.ts";
import {
  type Call,
  callNames,
  checkCall,
  checkDenoiser,
  runNames,
  type SampleOptions,
  sample,
} from "../sampling/sample.ts";
import { residuals } from "../wasm/residuals.ts";
import { GreedySearch, meanSquare, type SearchRules, type StepResult } from "./greedy.ts";
import { type GivenReference, type ReferenceRule, referencePlan, runReference, takeReference } from "./reference.ts";
import { finishSearch, type RatioSearch, readProgress, writeProgress } from "./search-json.ts";
import { settingsOf } from "./settings.ts";

export interface RatioSearchOptions<C>
  extends Omit<SampleOptions<C>, "onStep" | "guidanceScale" | "guidanceInterval" | "guidanceRescale"> {
  /** One scale for all calls, which the found ratios hold for; default 1. */
  guidanceScale?: number;
  /** A rule for the library to make the reference by, or states made elsewhere. */
  reference?: ReferenceRule | GivenReference;
  /** Smallest and largest ratio, default [0.25, 2]. */
  bounds?: [number, number];
  /** A ratio this close to one already evaluated ends the search of its step, default 2e-3. */
  tolerance?: number;
  /** Evaluations of the loss in a step, default 9. */
  maxEvaluations?: number;
  /**
   * Which state is compared: the one after the next corrector (default), or the predictor's, in closed form and without a model
   * call: exact for plans without corrector, elsewhere no more than a first guess.
   */
  objective?: "corrected" | "predicted";
  /** The last `progress` of a search that stopped, or the JSON of a finished one. */
  resume?: unknown;
  /** Data the ratios are judged by but not found with; the library makes its reference. */
  holdout?: {
    noise?: Float32Array;
    seed?: number | readonly number[];
    condition?: C;
    unconditional?: C;
    shape?: readonly number[];
  };
  /** After every step, compensated or not. */
  onStep?(event: RatioSearchEvent): void;
}

export interface RatioSearchEvent {
  step: number;
  ratio: number;
  /** Mean squared error of the state after the step, and the same at ratio 1 with the earlier ratios kept. */
  loss: number;
  lossWithout: number;
  /** Model calls spent on the step. */
  nfe: number;
  /** Plain JSON to resume from. */
  progress: unknown;
}

/** Ratios are found for one guidance scale; what makes guidance change from call to call has no place in their settings. */
const searchRunNames = runNames.filter((name) => name !== "guidanceInterval" && name !== "guidanceRescale");

/** Highest dcOrder of a search: the loss is a polynomial of twice this degree, and the minimiser has room for degree 16. */
const mostDcOrder = 8;

const searchNames = ["reference", "bounds", "tolerance", "maxEvaluations", "objective", "resume", "holdout", "onStep"];

/**
 * Returns the compensation ratios of a plan for a network, found on the given initial noises against a fine reference.
 * @throws (rejects) TypeError, RangeError as `sample` does, and for a plan with draws, a reference that lacks a time of the plan, or a
 *   `resume` that began with something else; NonFiniteError; `signal.reason` on abort.
 */
export async function searchRatios<C>(o: RatioSearchOptions<C>): Promise<RatioSearch> {
  check.options("searchRatios", o, [...searchRunNames, ...callNames, "denoiser", ...searchNames]);
  const plan = checkPlan(o.plan);
  if (plan.draws > 0)
    check.wrongValue("plan", "one without draws: a noisy state has no reference", `${plan.draws} draws`);
  const denoiser = checkDenoiser<C>(o.denoiser);
  check.finite("guidanceScale", o.guidanceScale ?? 1);
  checkCall(o);
  refuseDevice("searchRatios", o.engine);
  const counted = counting(denoiser, o.guidanceScale);
  if (o.onStep !== undefined && typeof o.onStep !== "function") check.wrongType("onStep", "a function", o.onStep);
  const rules = searchRules(o);
  const dcOrder = check.integer("plan.options.dcOrder", plan.options.dcOrder ?? 2, 1, mostDcOrder);
  const shape = check.shape("shape", o.shape);
  const length = shape.reduce((product, n) => product * n, 1);
  const base: RunOptions & Call<C> = pick(o, [...searchRunNames, ...callNames]);
  const isGiven = o.reference !== undefined && "states" in check.object("reference", o.reference);
  const given = isGiven ? takeReference(plan, o.reference, length) : undefined;
  const fine = isGiven ? undefined : referencePlan(plan, (o.reference ?? {}) as ReferenceRule);
  const holdout = o.holdout === undefined ? undefined : checkHoldout(o, base);
  const instrumented = instrument(plan, dcOrder);
  checkRun("", { ...base, plan: instrumented }, denoiser.prediction);
  if (holdout !== undefined) checkRun("holdout.", { ...holdout, plan }, denoiser.prediction);

  const identity = digest({
    plan: compensate(
      plan,
      plan.steps.map(() => 1),
      dcOrder,
    ).toJSON(),
    inputs: [
      o.noise,
      o.initial,
      o.seed,
      o.generator,
      shape,
      rules.guidanceScale,
      plain(o.condition),
      plain(o.unconditional),
    ],
    reference: given ?? fine?.toJSON(),
    rules: [rules.low, rules.high, rules.tolerance, rules.maxEvaluations, rules.objective],
  });
  const done = o.resume === undefined ? [] : readProgress(o.resume, identity, plan.steps.length);
  const reference = given ?? (await runReference(plan, { ...base, plan: fine as Plan, denoiser: counted.denoiser }));
  const referenceCalls = counted.calls;

  const steps: StepResult[] = [];
  const store = residuals(length, Math.max(rules.maxEvaluations, dcOrder + 1));
  let run: Run | undefined;
  try {
    run = new Run({ ...base, plan: instrumented }, denoiser.prediction, "steps", true);
    const greedy = new GreedySearch({
      run,
      store,
      denoiser: counted.denoiser,
      call: base,
      grid: plan.grid,
      dcOrder,
      rules,
      reference,
    });
    for (let k = 0; k < plan.steps.length; k++) {
      const before = counted.calls;
      const { ratio, loss, lossWithout } = await greedy.step(k, done[k]);
      steps.push({ ratio, loss, lossWithout });
      const progress = writeProgress(identity, plan.steps.length, steps);
      o.onStep?.({ step: k, ratio, loss, lossWithout, nfe: counted.calls - before, progress });
      o.signal?.throwIfAborted();
    }
  } finally {
    run?.dispose();
    store.release();
  }

  const ratios = steps.map((s) => s.ratio);
  const none = ratios.map(() => 1);
  const judge = async (list: readonly number[], options: RunOptions & Call<C>, truth: Float32Array) =>
    meanSquare(
      (await sample({ ...options, plan: compensate(plan, list, dcOrder), denoiser: counted.denoiser })).data,
      truth,
    );
  const final = reference.at(-1) as Float32Array;
  const mseWithout = await judge(none, base, final);
  // The search has seen the final state itself, unless it looked at predictions.
  const mse = rules.objective === "corrected" ? (steps.at(-1) as StepResult).loss : await judge(ratios, base, final);
  let heldOutReference = 0;
  const heldOut: { holdoutMse?: number; holdoutMseWithout?: number } = {};
  if (holdout !== undefined) {
    const before = counted.calls;
    const rule = isGiven ? {} : ((o.reference ?? {}) as ReferenceRule);
    const truth = await sample({ ...holdout, plan: referencePlan(plan, rule), denoiser: counted.denoiser });
    heldOutReference = counted.calls - before;
    heldOut.holdoutMse = await judge(ratios, holdout, truth.data);
    heldOut.holdoutMseWithout = await judge(none, holdout, truth.data);
  }
  return finishSearch({
    identity,
    steps: plan.steps.length,
    guidanceScale: rules.guidanceScale,
    ...(o.seed === undefined ? {} : { seeds: o.seed }),
    ratios,
    dcOrder,
    loss: steps.map((s) => s.loss),
    lossWithout: steps.map((s) => s.lossWithout),
    mse,
    mseWithout,
    ...heldOut,
    nfe: { reference: referenceCalls + heldOutReference, search: counted.calls - referenceCalls - heldOutReference },
    settings: settingsOf(plan),
  });
}

function searchRules<C>(o: RatioSearchOptions<C>): SearchRules {
  // Defaults stand in for undefined alone: null is a value of the wrong kind.
  const { bounds: interval = [0.25, 2], tolerance = 2e-3, maxEvaluations = 9, objective = "corrected" } = o;
  const { guidanceScale = 1 } = o;
  const bounds = check.numbers("bounds", interval);
  if (bounds.length !== 2) check.wrongValue("bounds", "a smallest and a largest ratio", bounds);
  const [low, high] = [check.finite("bounds[0]", bounds[0]), check.finite("bounds[1]", bounds[1])];
  if (low > 1 || high < 1 || low === high) {
    throw new RangeError(
      `"bounds": expected an interval around 1, got [${low}, ${high}]; ratio 1 stands for no compensation`,
    );
  }
  return {
    low,
    high,
    tolerance: check.positive("tolerance", tolerance),
    maxEvaluations: check.integer("maxEvaluations", maxEvaluations, 1, 64),
    objective: check.oneOf("objective", objective, ["corrected", "predicted"]),
    guidanceScale: check.finite("guidanceScale", guidanceScale),
  };
}

/** Returns the options of the runs on held-out data: what it does not give is as in the search. */
function checkHoldout<C>(o: RatioSearchOptions<C>, base: RunOptions & Call<C>): RunOptions & Call<C> {
  const names = ["noise", "seed", "condition", "unconditional", "shape"];
  const given = check.options<NonNullable<typeof o.holdout>>("holdout", o.holdout, names);
  if (given.noise === undefined && given.seed === undefined) {
    throw new TypeError('"holdout": expected "seed" or "noise" of other data than the search\'s');
  }
  const { noise: _, initial: __, seed: ___, ...rest } = base;
  return { ...rest, ...pick(given, names) };
}

/** Throws what a run with these options would throw, named as in the search's, before a reference has cost its model calls. */
function checkRun(prefix: string, o: RunOptions, prediction: Denoiser["prediction"]): void {
  try {
    new Run(o, prediction, "nothing").dispose();
  } catch (cause) {
    if (prefix === "" || !(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    const Kind = cause instanceof TypeError ? TypeError : RangeError;
    throw new Kind(cause.message.replace(/^"/, `"${prefix}`), { cause });
  }
}

/** Returns the denoiser with a count of its calls; a guided pair is one, also where the denoiser has no batched form of it. */
function counting<C>(denoiser: Denoiser<C>, guidanceScale: number | undefined) {
  const { predictGuided } = denoiser;
  const share = (guidanceScale ?? 1) !== 1 && predictGuided === undefined ? 0.5 : 1;
  const counted: { calls: number; denoiser: Denoiser<C> } = {
    calls: 0,
    denoiser: {
      prediction: denoiser.prediction,
      predict(input) {
        counted.calls += share;
        return denoiser.predict(input);
      },
    },
  };
  if (predictGuided !== undefined) {
    counted.denoiser.predictGuided = (input) => {
      counted.calls++;
      return predictGuided.call(denoiser, input);
    };
  }
  return counted;
}

/** Returns the entries of an object that are among the names and there. */
function pick<T extends object, R>(value: T, names: readonly string[]): R {
  return Object.fromEntries(Object.entries(value).filter(([name, v]) => names.includes(name) && v !== undefined)) as R;
}

/** Returns what of a condition can be told apart in JSON; a condition that cannot be written counts as any other. */
function plain(condition: unknown): unknown {
  if (ArrayBuffer.isView(condition)) return condition;
  try {
    return JSON.parse(JSON.stringify(condition) ?? "null") as unknown;
  } catch {
    return "opaque";
  }
}
