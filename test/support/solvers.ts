// Every solver of the registry in every setting worth telling apart, found through the solvers' own option checks: a test that
// walks this list names no solver, and a new one is in it as soon as it is registered.
import type { PlanOptions, Space } from "../../src/plan/plan.ts";
import { solvers } from "../../src/solvers/index.ts";
import type { Solver, SolverOption } from "../../src/solvers/solver.ts";

export interface Setting {
  readonly solver: Solver;
  /** The solver's own options, all of them. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly title: string;
}

export const spaces: readonly Space[] = ["sample", "epsilon"];

/** Values that an option might take; its check says which of them it does. Names come from the message of the check itself. */
const pool: readonly unknown[] = [true, false, 0, 0.5, 1, 2, 3, 4, [], [0]];

function accepted(name: string, option: SolverOption<unknown>): unknown[] {
  const values = [option.default, ...pool, ...names(name, option)];
  const taken = values.filter((value) => {
    try {
      option.check(name, value, 1);
      return true;
    } catch {
      return false;
    }
  });
  return [...new Map(taken.map((value) => [JSON.stringify(value), value])).values()];
}

/** The names that the message of a check lists: `"variant": expected one of "bh1", "bh2", got "?"`. */
function names(name: string, option: SolverOption<unknown>): string[] {
  try {
    option.check(name, "?", 1);
  } catch (error) {
    const listed = /expected one of (.*), got/.exec((error as Error).message)?.[1] ?? "";
    return [...listed.matchAll(/"([^"]*)"/g)].map((match) => match[1] as string);
  }
  return [];
}

/** Returns all combinations of the values that the options of a solver accept. */
export function settingsOf(solver: Solver): Setting[] {
  let combinations: Record<string, unknown>[] = [{}];
  for (const [name, option] of Object.entries(solver.options)) {
    const values = accepted(name, option);
    combinations = combinations.flatMap((options) => values.map((value) => ({ ...options, [name]: value })));
  }
  return combinations.map((options) => ({ solver, options, title: `${solver.name} ${JSON.stringify(options)}` }));
}

/** Every solver in every setting. */
export const settings: readonly Setting[] = solvers.flatMap(settingsOf);

/** Every solver as it is when nothing but its name is given, and then in every other order it takes. */
export const orders: readonly Setting[] = solvers.flatMap((solver) => {
  const defaults = Object.fromEntries(Object.entries(solver.options).map(([name, o]) => [name, o.default]));
  return settingsOf(solver).filter(({ options }) =>
    Object.keys(options).every((n) => n === "order" || JSON.stringify(options[n]) === JSON.stringify(defaults[n])),
  );
});

/** Returns the options of a plan for a setting. */
export function planOptions(setting: Setting, rest: Omit<PlanOptions, "solver">): PlanOptions {
  return { solver: setting.solver.name, ...setting.options, ...rest };
}
