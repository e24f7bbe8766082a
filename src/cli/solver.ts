// --solver and --solvers: this library's solvers, and the samplers of other programs by their names there.
import { findSampler } from "../diffusers/find-sampler.ts";
import type { SolverOptions } from "../diffusers/names.ts";
import { solvers } from "../solvers/index.ts";
import { UsageError } from "./usage.ts";

/** Returns the options of the plan that a name stands for: "dpmpp", or "DPM++ 2M Karras". */
export function readSolver(option: string, name: string): SolverOptions {
  const own = solvers.find((solver) => solver.name === name || solver.aliases.includes(name));
  if (own !== undefined) return { solver: own.name };
  try {
    const { solver, note } = findSampler(name);
    if (solver !== undefined) return solver;
    throw new RangeError(`expected one that a plan can have, got "${name}"; not supported: ${note}`);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const names = solvers.map((solver) => solver.name).join(", ");
    const what = cause.message.replace('"sampler": ', "");
    throw new UsageError(`--${option}: ${what}; this library's own solvers: ${names}`, { cause });
  }
}
