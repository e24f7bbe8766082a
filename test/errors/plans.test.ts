// Every way to be wrong about a plan. Nothing is half done: what was handed in is as it was.
import { describe, expect, it } from "vitest";
import { compensate, createPlan, flow, type Plan, type PlanOptions, planFromJSON, vpLinear } from "../../src/index.ts";
import { commonOptions, solvers } from "../../src/solvers/index.ts";
import { expectError, type Row, snapshot, thrown, wrong } from "./table.ts";

const schedule = vpLinear();
const given = (part: object): PlanOptions => wrong({ schedule, steps: 5, ...part });
const onGrid = (grid: unknown, part: object = {}): PlanOptions => wrong({ schedule, grid, ...part });
/** What the messages list: they are complete, and a new solver or option is in them. */
const solverNames = solvers.map(({ name }) => JSON.stringify(name)).join(", ");
const optionNames = (name: string) =>
  [...commonOptions, ...Object.keys(solvers.find((s) => s.name === name)?.options ?? {})].join(", ");
const own = (part: object): PlanOptions => wrong({ schedule: { ...schedule, kind: "mine", ...part }, steps: 5 });

const plans: Row<PlanOptions>[] = [
  ["no options", wrong(undefined), TypeError, '"options": expected an object, got undefined'],
  ["null for options", wrong(null), TypeError, '"options": expected an object, got null'],
  ["a list for options", wrong([schedule, 5]), TypeError, '"options": expected an object, got an array of length 2'],
  ["no schedule", given({ schedule: undefined }), TypeError, '"schedule": required, for example vpDiscrete()'],
  [
    "the name of a schedule",
    given({ schedule: "vp-linear" }),
    TypeError,
    '"schedule": expected a noise schedule, such as vpLinear(), got "vp-linear"',
  ],
  [
    "a maker of schedules, not called",
    given({ schedule: vpLinear }),
    TypeError,
    '"schedule": expected a noise schedule, such as vpLinear(), got a function',
  ],
  [
    "an own schedule whose alpha is NaN",
    own({ alpha: () => Number.NaN }),
    RangeError,
    '"schedule.alpha(1)": expected a finite number > 0, got NaN',
  ],
  [
    "an own schedule whose sigma is negative",
    own({ sigma: () => -1 }),
    RangeError,
    '"schedule.sigma(1)": expected a finite number > 0, got -1',
  ],
  [
    "an own schedule whose sigma is a string",
    own({ sigma: () => "1" }),
    TypeError,
    '"schedule.sigma(1)": expected a finite number > 0, got "1"',
  ],
  [
    "an own schedule whose lambda does not fit",
    own({ lambda: (t: number) => -t }),
    RangeError,
    '"schedule.lambda(1)": expected ln(alpha/sigma) = -5.024978406659204, got -1',
  ],
  [
    "an own schedule whose lambda is NaN",
    own({ lambda: () => Number.NaN }),
    RangeError,
    '"schedule.lambda(1)": expected a number, got NaN',
  ],
  [
    "an own schedule whose modelTime is undefined",
    own({ modelTime: () => undefined }),
    TypeError,
    '"schedule.modelTime(1)": expected a finite number, got undefined',
  ],
  ["neither steps nor grid", given({ steps: undefined }), TypeError, '"steps": required where no "grid" is given'],
  ["steps 0", given({ steps: 0 }), RangeError, '"steps": expected an integer ≥ 1, got 0'],
  ["steps negative", given({ steps: -5 }), RangeError, '"steps": expected an integer ≥ 1, got -5'],
  ["steps fractional", given({ steps: 5.5 }), RangeError, '"steps": expected an integer ≥ 1, got 5.5'],
  ["steps NaN", given({ steps: Number.NaN }), RangeError, '"steps": expected an integer ≥ 1, got NaN'],
  ["steps Infinity", given({ steps: Infinity }), RangeError, '"steps": expected an integer ≥ 1, got Infinity'],
  ["steps as a string", given({ steps: "5" }), TypeError, '"steps": expected an integer ≥ 1, got "5"'],
  ["steps null", given({ steps: null }), TypeError, '"steps": expected an integer ≥ 1, got null'],
  [
    "an unknown spacing",
    given({ spacing: "linspace" }),
    RangeError,
    '"spacing": expected one of "time_uniform", "logSNR", "time_quadratic", "karras", "exponential", got "linspace"',
  ],
  [
    "spacing null",
    given({ spacing: null }),
    TypeError,
    '"spacing": expected one of "time_uniform", "logSNR", "time_quadratic", "karras", "exponential", got null',
  ],
  [
    "logSNR on flow",
    given({ schedule: flow(), spacing: "logSNR" }),
    RangeError,
    '"spacing": expected one that needs no lambda at t = 1, where it is -Infinity; use "time_uniform", or ends where signal and noise are both left, such as flow({ tMin: 1e-3, tMax: 0.999 })',
  ],
  [
    "spacing beside a grid",
    onGrid([1, 0.5], { spacing: "karras" }),
    TypeError,
    '"spacing": expected none beside an explicit "grid"',
  ],
  [
    "steps that contradict the grid",
    onGrid([1, 0.5, 0.1], { steps: 3 }),
    RangeError,
    '"steps": expected 2, as "grid" has, got 3',
  ],
  [
    "a grid that rises",
    onGrid([0.1, 0.5, 1]),
    RangeError,
    '"grid[1]": expected less than the time before, 0.1, got 0.5',
  ],
  [
    "a grid with duplicates",
    onGrid([1, 0.5, 0.5, 0.1]),
    RangeError,
    '"grid[2]": expected less than the time before, 0.5, got 0.5',
  ],
  ["a grid of one point", onGrid([1]), RangeError, '"grid": expected at least 2 times, got 1'],
  ["an empty grid", onGrid([]), RangeError, '"grid": expected at least 2 times, got 0'],
  ["grid null", onGrid(null), TypeError, '"grid": expected an array of numbers, got null'],
  ["grid a number", onGrid(5), TypeError, '"grid": expected an array of numbers, got 5'],
  ["a grid with NaN", onGrid([1, Number.NaN, 0.1]), RangeError, '"grid[1]": expected a finite number, got NaN'],
  ["a grid with a string", onGrid([1, "0.5", 0.1]), TypeError, '"grid[1]": expected a number, got "0.5"'],
  ["a grid of holes", onGrid(new Array(3)), TypeError, '"grid[0]": expected a number, got undefined'],
  [
    "a grid in an Int8Array, where it is 1 and 0",
    onGrid(Int8Array.of(1, 0.5, 0.1)),
    RangeError,
    '"grid[2]": expected less than the time before, 0, got 0',
  ],
  [
    "a grid beyond the schedule",
    onGrid([1.2, 0.5], { schedule: flow() }),
    RangeError,
    '"grid[0]": expected a time of the schedule, from 0 to 1, got 1.2',
  ],
  [
    "a grid of the network's times",
    onGrid([999, 500, 0]),
    RangeError,
    '"schedule.alpha(999)": expected a finite number > 0, got 0',
  ],
  [
    "an unknown solver",
    given({ solver: "eulerian" }),
    RangeError,
    `"solver": expected one of ${solverNames}, got "eulerian"`,
  ],
  [
    "a solver in other letters",
    given({ solver: "UniPC" }),
    RangeError,
    `"solver": expected one of ${solverNames}, got "UniPC"`,
  ],
  [
    "the name of a member of every object",
    given({ solver: "constructor" }),
    RangeError,
    `"solver": expected one of ${solverNames}, got "constructor"`,
  ],
  ["solver null", given({ solver: null }), TypeError, '"solver": expected the name of a solver, got null'],
  [
    "solver a function",
    given({ solver: () => "unipc" }),
    TypeError,
    '"solver": expected the name of a solver, got a function',
  ],
  [
    "a misspelt option",
    given({ Order: 2 }),
    TypeError,
    `"Order": unknown option of solver "unipc"; expected one of ${optionNames("unipc")}`,
  ],
  [
    "an option of other libraries",
    given({ solver: "dpmpp", num_inference_steps: 20 }),
    TypeError,
    `"num_inference_steps": unknown option of solver "dpmpp"; expected one of ${optionNames("dpmpp")}`,
  ],
  [
    "eta for unipc",
    given({ eta: 0.5 }),
    TypeError,
    `"eta": unknown option of solver "unipc"; expected one of ${optionNames("unipc")}`,
  ],
  [
    "eta for dpmpp",
    given({ solver: "dpmpp", eta: 0 }),
    TypeError,
    `"eta": unknown option of solver "dpmpp"; expected one of ${optionNames("dpmpp")}`,
  ],
  [
    "variant for ddim",
    given({ solver: "ddim", variant: "bh1" }),
    TypeError,
    `"variant": unknown option of solver "ddim"; expected one of ${optionNames("ddim")}`,
  ],
  [
    "corrector for dpmpp",
    given({ solver: "dpmpp", corrector: false }),
    TypeError,
    `"corrector": unknown option of solver "dpmpp"; expected one of ${optionNames("dpmpp")}`,
  ],
  [
    "disableCorrector for ddim",
    given({ solver: "ddim", disableCorrector: [0] }),
    TypeError,
    `"disableCorrector": unknown option of solver "ddim"; expected one of ${optionNames("ddim")}`,
  ],
  ["order 0", given({ order: 0 }), RangeError, '"order": expected an integer ≥ 1, got 0'],
  ["order fractional", given({ order: 2.5 }), RangeError, '"order": expected an integer ≥ 1, got 2.5'],
  ["order as a string", given({ order: "2" }), TypeError, '"order": expected an integer ≥ 1, got "2"'],
  ["order null", given({ order: null }), TypeError, '"order": expected an integer ≥ 1, got null'],
  [
    "order 4 of dpmpp",
    given({ solver: "dpmpp", order: 4 }),
    RangeError,
    '"order": expected an integer from 1 to 3, got 4',
  ],
  ["order 2 of ddim", given({ solver: "ddim", order: 2 }), RangeError, '"order": expected 1, got 2'],
  ["eta above 1", given({ solver: "ddim", eta: 1.5 }), RangeError, '"eta": expected a number from 0 to 1, got 1.5'],
  ["eta negative", given({ solver: "ddim", eta: -0.1 }), RangeError, '"eta": expected a number from 0 to 1, got -0.1'],
  ["eta NaN", given({ solver: "ddim", eta: Number.NaN }), RangeError, '"eta": expected a number from 0 to 1, got NaN'],
  ["eta true", given({ solver: "ddim", eta: true }), TypeError, '"eta": expected a number from 0 to 1, got true'],
  ["an unknown variant", given({ variant: "bh3" }), RangeError, '"variant": expected one of "bh1", "bh2", got "bh3"'],
  ["corrector as a number", given({ corrector: 1 }), TypeError, '"corrector": expected true or false, got 1'],
  [
    "disableCorrector as a number",
    given({ disableCorrector: 0 }),
    TypeError,
    '"disableCorrector": expected an array of numbers, got 0',
  ],
  [
    "disableCorrector of a step that does not exist",
    given({ disableCorrector: [0, 5] }),
    RangeError,
    '"disableCorrector[1]": expected an integer from 0 to 4, got 5',
  ],
  [
    "disableCorrector counted from the end",
    given({ disableCorrector: [-1] }),
    RangeError,
    '"disableCorrector[0]": expected an integer from 0 to 4, got -1',
  ],
  [
    "lowerOrderFinal as a string",
    given({ lowerOrderFinal: "true" }),
    TypeError,
    '"lowerOrderFinal": expected true or false, got "true"',
  ],
  [
    "lowerOrderFinal null",
    given({ lowerOrderFinal: null }),
    TypeError,
    '"lowerOrderFinal": expected true or false, got null',
  ],
  [
    "an unknown space",
    given({ predict: "v_prediction" }),
    RangeError,
    '"predict": expected one of "sample", "epsilon", got "v_prediction"',
  ],
  ["predict null", given({ predict: null }), TypeError, '"predict": expected one of "sample", "epsilon", got null'],
  [
    "predict epsilon where no signal is left",
    given({ schedule: flow(), predict: "epsilon" }),
    RangeError,
    '"predict": expected "sample" on a grid that reaches alpha = 0 or sigma = 0, got "epsilon"; use "sample", or a grid between them',
  ],
  [
    "predict epsilon where no noise is left",
    onGrid([0.5, 0], { schedule: flow(), predict: "epsilon", solver: "ddim" }),
    RangeError,
    '"predict": expected "sample" on a grid that reaches alpha = 0 or sigma = 0, got "epsilon"; use "sample", or a grid between them',
  ],
  ["thresholding true", given({ thresholding: true }), TypeError, '"thresholding": expected an object, got true'],
  ["thresholding null", given({ thresholding: null }), TypeError, '"thresholding": expected an object, got null'],
  [
    "thresholding.ratio above 1",
    given({ thresholding: { ratio: 99.5 } }),
    RangeError,
    '"thresholding.ratio": expected a number from 0 to 1, got 99.5',
  ],
  [
    "thresholding.ratio as a string",
    given({ thresholding: { ratio: "0.995" } }),
    TypeError,
    '"thresholding.ratio": expected a number from 0 to 1, got "0.995"',
  ],
  [
    "thresholding.ratio null",
    given({ thresholding: { ratio: null } }),
    TypeError,
    '"thresholding.ratio": expected a number from 0 to 1, got null',
  ],
  [
    "thresholding.maxValue 0",
    given({ thresholding: { maxValue: 0 } }),
    RangeError,
    '"thresholding.maxValue": expected a finite number > 0, got 0',
  ],
  [
    "thresholding.maxValue Infinity",
    given({ thresholding: { maxValue: Infinity } }),
    RangeError,
    '"thresholding.maxValue": expected a finite number > 0, got Infinity',
  ],
  [
    "thresholding.maxValue null",
    given({ thresholding: { maxValue: null } }),
    TypeError,
    '"thresholding.maxValue": expected a finite number > 0, got null',
  ],
  [
    "thresholding misspelt",
    given({ thresholding: { max: 1 } }),
    TypeError,
    '"max": unknown option of thresholding; expected one of ratio, maxValue, limit',
  ],
  ["ratios as a number", given({ ratios: 1.1 }), TypeError, '"ratios": expected an array of numbers, got 1.1'],
  ["ratios null", given({ ratios: null }), TypeError, '"ratios": expected an array of numbers, got null'],
  ["too few ratios", given({ ratios: [1, 1, 1.1] }), RangeError, '"ratios": expected one per step, 5, got 3'],
  [
    "too many ratios",
    given({ ratios: [1, 1, 1.1, 1.1, 1, 1] }),
    RangeError,
    '"ratios": expected one per step, 5, got 6',
  ],
  [
    "a ratio whose weights no double holds",
    given({ ratios: [1, 1, 1e308, 1, 1] }),
    RangeError,
    '"steps[2]": expected a step that keeps a clean signal clean, got one in which value 8 has a coefficient that is not finite',
  ],
  ["no ratios", given({ ratios: [] }), RangeError, '"ratios": expected one per step, 5, got 0'],
  [
    "a first ratio that is not 1",
    given({ ratios: [1, 0.9, 1.1, 1, 1] }),
    RangeError,
    '"ratios[1]": expected 1, got 0.9; the first 2 steps lack the history that dcOrder 2 needs',
  ],
  [
    "a third ratio that is not 1 with dcOrder 3",
    given({ ratios: [1, 1, 1.1, 1, 1], dcOrder: 3 }),
    RangeError,
    '"ratios[2]": expected 1, got 1.1; the first 3 steps lack the history that dcOrder 3 needs',
  ],
  [
    "a ratio NaN",
    given({ ratios: [1, 1, Number.NaN, 1, 1] }),
    RangeError,
    '"ratios[2]": expected a finite number, got NaN',
  ],
  [
    "a ratio Infinity",
    given({ ratios: [1, 1, 1, 1, Infinity] }),
    RangeError,
    '"ratios[4]": expected a finite number, got Infinity',
  ],
  [
    "a ratio as a string",
    given({ ratios: [1, 1, "1.1", 1, 1] }),
    TypeError,
    '"ratios[2]": expected a number, got "1.1"',
  ],
  [
    "dcOrder 0",
    given({ ratios: [1, 1, 1, 1, 1], dcOrder: 0 }),
    RangeError,
    '"dcOrder": expected an integer ≥ 1, got 0',
  ],
  ["dcOrder fractional", given({ dcOrder: 1.5 }), RangeError, '"dcOrder": expected an integer ≥ 1, got 1.5'],
  ["dcOrder as a string", given({ dcOrder: "2" }), TypeError, '"dcOrder": expected an integer ≥ 1, got "2"'],
  ["dcOrder null", given({ dcOrder: null }), TypeError, '"dcOrder": expected an integer ≥ 1, got null'],
];

describe("createPlan refuses", () => {
  it.each(plans)("%s", (...row) => {
    const before = snapshot(row[1]);
    expectError(
      thrown(() => createPlan(row[1])),
      row,
    );
    expect(snapshot(row[1])).toEqual(before);
  });
});

const plan = createPlan({ schedule, steps: 4 });
const compensations: Row<readonly [plan: Plan, ratios: readonly number[], dcOrder?: number]>[] = [
  [
    "no plan",
    [wrong(undefined), [1, 1, 1, 1]],
    TypeError,
    '"plan": expected a plan from createPlan, compensate or planFromJSON, got undefined',
  ],
  [
    "the JSON of a plan",
    [wrong(plan.toJSON()), [1, 1, 1, 1]],
    TypeError,
    '"plan": expected a plan from createPlan, compensate or planFromJSON, got an object',
  ],
  [
    "a copy of a plan",
    [{ ...plan }, [1, 1, 1, 1]],
    TypeError,
    '"plan": expected a plan from createPlan, compensate or planFromJSON, got an object',
  ],
  [
    "no ratios for a plan",
    [plan, wrong(undefined)],
    TypeError,
    '"ratios": expected an array of numbers, got undefined',
  ],
  ["one ratio for all steps", [plan, wrong(1.1)], TypeError, '"ratios": expected an array of numbers, got 1.1'],
  ["too few ratios for a plan", [plan, [1, 1, 1]], RangeError, '"ratios": expected one per step, 4, got 3'],
  [
    "a first ratio that moves",
    [plan, [1.1, 1, 1, 1]],
    RangeError,
    '"ratios[0]": expected 1, got 1.1; the first 2 steps lack the history that dcOrder 2 needs',
  ],
  [
    "a ratio NaN of a plan",
    [plan, [1, 1, 1, Number.NaN]],
    RangeError,
    '"ratios[3]": expected a finite number, got NaN',
  ],
  ["a ratio null", [plan, [1, 1, wrong(null), 1]], TypeError, '"ratios[2]": expected a number, got null'],
  ["dcOrder 0 for a plan", [plan, [1, 1, 1, 1], 0], RangeError, '"dcOrder": expected an integer ≥ 1, got 0'],
  [
    "dcOrder NaN for a plan",
    [plan, [1, 1, 1, 1], Number.NaN],
    RangeError,
    '"dcOrder": expected an integer ≥ 1, got NaN',
  ],
  [
    "dcOrder null for a plan",
    [plan, [1, 1, 1, 1], wrong(null)],
    TypeError,
    '"dcOrder": expected an integer ≥ 1, got null',
  ],
  [
    "dcOrder as a string for a plan",
    [plan, [1, 1, 1, 1], wrong("1")],
    TypeError,
    '"dcOrder": expected an integer ≥ 1, got "1"',
  ],
];

describe("compensate refuses", () => {
  it.each(compensations)("%s", (...row) => {
    const before = JSON.stringify(plan);
    expectError(
      thrown(() => compensate(...row[1])),
      row,
    );
    expect(JSON.stringify(plan)).toBe(before);
  });
});

/** Returns the JSON of a plan after a change. */
const changed = (change: (json: ReturnType<typeof wrong>) => void, of: Plan = plan) => {
  const json = wrong(of.toJSON());
  change(json);
  return json as unknown;
};
const ancestral = createPlan({ schedule, steps: 3, solver: "ddim", eta: 1, thresholding: {} });

const documents: Row<unknown>[] = [
  ["nothing", undefined, TypeError, '"json": expected the JSON of a plan, got undefined'],
  ["null", null, TypeError, '"json": expected the JSON of a plan, got null'],
  ["a number", 5, TypeError, '"json": expected the JSON of a plan, got 5'],
  ["an empty text", "", TypeError, '"json": expected the JSON of a plan, got text that does not parse'],
  ["text that is no JSON", "{ kind:", TypeError, '"json": expected the JSON of a plan, got text that does not parse'],
  [
    "the text of a text",
    JSON.stringify("hello"),
    TypeError,
    '"json": expected the JSON of a plan, got text that does not parse',
  ],
  ["an array", [], TypeError, '"kind": expected "dc-solver/plan", got undefined'],
  ["an empty object", {}, TypeError, '"kind": expected "dc-solver/plan", got undefined'],
  [
    "another kind of document",
    { kind: "dc-solver/ratios", version: 1 },
    TypeError,
    '"kind": expected "dc-solver/plan", got "dc-solver/ratios"',
  ],
  [
    "a plan of a later version",
    changed((j) => (j.version = 2)),
    RangeError,
    '"version": expected 1, got 2; another version of the library wrote this plan; create it again',
  ],
  [
    "a version as a string",
    changed((j) => (j.version = "1")),
    RangeError,
    '"version": expected 1, got "1"; another version of the library wrote this plan; create it again',
  ],
  [
    "a plan without digest",
    changed((j) => delete j.digest),
    TypeError,
    '"plan.digest": expected to be there, it is missing',
  ],
  [
    "a plan without steps",
    changed((j) => delete j.steps),
    TypeError,
    '"plan.steps": expected to be there, it is missing',
  ],
  [
    "a plan with something more",
    changed((j) => (j.note = "mine")),
    TypeError,
    '"plan.note": expected none of that name, got "mine"',
  ],
  ["an altered digest", changed((j) => (j.digest = "0000000000000000")), RangeError, '"digest": expected …'],
  ["an altered option", changed((j) => (j.options.order = 3)), RangeError, '"digest": expected …'],
  [
    "an altered model time",
    changed((j) => (j.steps[0].operations[0].modelTime += 1)),
    RangeError,
    '"digest": expected …',
  ],
  ["a schedule with another beta", changed((j) => (j.options.schedule.beta1 = 21)), RangeError, '"digest": expected …'],
  [
    "a schedule with a wrong beta",
    changed((j) => (j.options.schedule.beta1 = -1)),
    RangeError,
    '"beta1": expected a finite number > 0, got -1',
  ],
  [
    "a schedule that is no object",
    changed((j) => (j.options.schedule = "vp-linear")),
    TypeError,
    '"schedule": expected an object, got "vp-linear"',
  ],
  ["an option that was not there", changed((j) => (j.options.sampler = "x")), RangeError, '"digest": expected …'],
  [
    "a spacing that does not exist",
    changed((j) => (j.options.spacing = "x")),
    RangeError,
    '"options.spacing": expected one of "time_uniform", "logSNR", "time_quadratic", "karras", "exponential", got "x"',
  ],
  ["steps that are no array", changed((j) => (j.steps = {})), TypeError, '"steps": expected an array, got an object'],
  [
    "no steps at all",
    changed((j) => Object.assign(j, { steps: [], grid: [1] })),
    RangeError,
    '"grid": expected one time more than there are steps, got 1 for 0',
  ],
  [
    "fewer steps than the grid has",
    changed((j) => j.steps.pop()),
    RangeError,
    '"grid": expected one time more than there are steps, got 5 for 3',
  ],
  [
    "a grid with null, as JSON writes NaN",
    changed((j) => (j.grid[1] = null)),
    TypeError,
    '"grid[1]": expected a finite number, got null',
  ],
  [
    "a time that the steps do not have",
    changed((j) => (j.grid[1] += 0.01)),
    RangeError,
    '"steps[0]": expected a step that keeps a clean signal clean, got one in which the times are not those of the grid',
  ],
  [
    "an operation that does not exist",
    changed((j) => (j.steps[0].operations[0].kind = "mul")),
    RangeError,
    '"steps[0].operations[0].kind": expected one of "evaluate", "combine", "draw", "clip", got "mul"',
  ],
  [
    "an operation that is null",
    changed((j) => (j.steps[0].operations[1] = null)),
    TypeError,
    '"steps[0].operations[1].kind": expected one of "evaluate", "combine", "draw", "clip", got undefined',
  ],
  [
    "a coefficient as a string",
    changed((j) => (j.steps[0].operations[1].terms[0][0] = "1")),
    TypeError,
    '"steps[0].operations[1].terms[0][0]": expected a finite number, got "1"',
  ],
  [
    "a coefficient with a wrong sign",
    changed((j) => (j.steps[0].operations[1].terms[0][0] *= -1)),
    RangeError,
    '"steps[0]": expected a step that keeps a clean signal clean, got one in which the state of the call at t = 0.75025 is inconsistent',
  ],
  [
    "a term without a value",
    changed((j) => j.steps[0].operations[1].terms[0].pop()),
    RangeError,
    '"steps[0].operations[1].terms[0]": expected a coefficient and a value, got an array of length 1',
  ],
  [
    "a combination of nothing",
    changed((j) => (j.steps[0].operations[1].terms = [])),
    RangeError,
    '"steps[0].operations[1].terms": expected at least one term, got an array of length 0',
  ],
  [
    "a value that does not exist yet",
    changed((j) => (j.steps[0].operations[0].x = 7)),
    RangeError,
    '"steps[0]": expected a step that keeps a clean signal clean, got one in which value 1 reads a value that does not exist yet',
  ],
  [
    "a value that is negative",
    changed((j) => (j.steps[0].operations[0].x = -1)),
    RangeError,
    '"steps[0].operations[0].x": expected an integer ≥ 0, got -1',
  ],
  [
    "values out of order",
    changed((j) => (j.steps[0].operations[1].to = 9)),
    RangeError,
    '"steps[0]": expected a step that keeps a clean signal clean, got one in which value 9 is out of order',
  ],
  [
    "a draw out of order",
    changed((j) => (j.steps[0].operations[2].draw = 2), ancestral),
    RangeError,
    '"steps[0]": expected a step that keeps a clean signal clean, got one in which draw 2 is out of order',
  ],
  [
    "a draw 0",
    changed((j) => (j.steps[0].operations[2].draw = 0), ancestral),
    RangeError,
    '"steps[0].operations[2].draw": expected an integer ≥ 1, got 0',
  ],
  [
    "a clip above 1",
    changed((j) => (j.steps[0].operations[1].ratio = 2), ancestral),
    RangeError,
    '"steps[0].operations[1].ratio": expected a number from 0 to 1, got 2',
  ],
  [
    "a clip at 0",
    changed((j) => (j.steps[0].operations[1].maxValue = 0), ancestral),
    RangeError,
    '"steps[0].operations[1].maxValue": expected a finite number > 0, got 0',
  ],
];

describe("planFromJSON refuses", () => {
  it.each(documents)("%s", (...row) => {
    const before = snapshot(row[1]);
    expectError(
      thrown(() => planFromJSON(row[1])),
      row,
    );
    expect(snapshot(row[1])).toEqual(before);
    if (typeof row[1] === "object")
      expectError(
        thrown(() => planFromJSON(JSON.stringify(row[1]))),
        row,
      );
  });
});

describe("createPlan leaves alone", () => {
  it("what it was given", () => {
    const mine = { ...vpLinear(), kind: "mine" };
    const options = {
      schedule: mine,
      grid: [0.9, 0.6, 0.3, 0.1],
      ratios: [1, 1, 1.1],
      disableCorrector: [0],
      thresholding: { ratio: 0.9 },
    };
    const before = snapshot(options);
    const made = createPlan(options);
    expect(snapshot(options)).toEqual(before);
    for (const part of [options, ...Object.values(options)]) expect(Object.isFrozen(part)).toBe(false);
    options.ratios[2] = 5;
    options.grid[0] = 5;
    options.disableCorrector.push(1);
    options.thresholding.ratio = 0;
    expect(made.options).toMatchObject(wrong(before));
    expect(made.grid).toEqual(Float64Array.of(0.9, 0.6, 0.3, 0.1));
  });
});
