// DPM-Solver singlestep: the scheduler's grid is cut into groups of as many calls as the order, each a step of the solver whose
// intermediate times the grid fixes.
import * as check from "../../check.ts";
import type { Config } from "../config.ts";
import { truth } from "../construct.ts";
import type { ClassRow } from "../row.ts";
import { sigmaTimetable } from "../sigma-timetable.ts";
import type { Level } from "../table-schedule.ts";
import { checkNoisePrediction } from "./noise-prediction.ts";
import { thresholdingOf } from "./thresholding.ts";

export const dpmSolverSinglestep: ClassRow = {
  takes: ["timesteps", "mu"],
  stepTakes: [],
  timetable(settings, request, tables) {
    const repeats = settings.config.solver_order === 1;
    const timetable = sigmaTimetable(settings, request, tables, {
      ...{ final: "table", repeats, roundsLevels: settings.config.algorithm_type !== "dpmsolver" },
    });
    return { ...timetable, stops: (from) => stopsOf(settings.config, timetable.timesteps.length, from) };
  },
  method({ config }, _step, { timesteps, levels }, from) {
    const algorithm = config.algorithm_type as string;
    const data = algorithm !== "dpmsolver";
    if (!data) checkNoisePrediction(config, "dpmsolver++");
    const sde = algorithm === "sde-dpmsolver++";
    const stops = stopsOf(config, timesteps.length, from);
    const [start, end] = stops.slice(-2).map((i) => levels[i]) as [Level, Level];
    if (sde && end.sigma > start.sigma) {
      const remedy = "sigma_min takes the grid below the sigma it ends at, and an SDE cannot go back up";
      check.wrongValue("final_sigmas_type", '"zero" with this grid', config.final_sigmas_type, remedy);
    }
    return {
      ...{ solver: "dpmpp-singlestep", order: config.solver_order as number, sde },
      ...{ variant: config.solver_type as "midpoint" | "heun", predict: data ? "sample" : "epsilon" },
      intermediate: stops.slice(1).map((stop, k) => levels.slice((stops[k] as number) + 1, stop).map(({ t }) => t)),
      ...thresholdingOf(config),
    };
  },
};

/** Returns the indices of the levels at which the groups of a run begin, and of the last level. */
function stopsOf(config: Config, steps: number, from: number): number[] {
  const order = config.solver_order as number;
  const lowered = config.final_sigmas_type === "zero" || (truth(config.lower_order_final) && steps % order === 0);
  const stops: number[] = [];
  for (let i = from; i < steps; i++) {
    // Orders count up within a group, also where a run starts in the middle of one; the last is 1 where the end is lowered.
    if (i === from || i % order === 0 || (i === steps - 1 && lowered)) stops.push(i);
  }
  return [...stops, steps];
}
