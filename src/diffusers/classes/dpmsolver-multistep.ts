// DPM-Solver multistep: the solver dpmpp, whose order at the end depends on how many steps there are.
import * as check from "../../check.ts";
import type { Space } from "../../diffusion/prediction.ts";
import { truth } from "../construct.ts";
import type { ClassRow, Method, Settings, Timetable } from "../row.ts";
import { sigmaTimetable } from "../sigma-timetable.ts";
import type { Level } from "../table-schedule.ts";
import { thresholdingOf } from "./thresholding.ts";

export const dpmSolverMultistep: ClassRow = {
  takes: ["timesteps", "mu"],
  stepTakes: [],
  timetable: (settings, request, tables) =>
    sigmaTimetable(settings, request, tables, {
      final: "table",
      repeats: settings.config.solver_order === 1,
      cutsCosine: true,
      roundsLevels: (settings.config.algorithm_type as string).endsWith("++"),
    }),
  method(settings, _step, timetable, from) {
    const { config } = settings;
    if (config.prediction_type === "flow_prediction" && !(config.algorithm_type as string).endsWith("++"))
      check.wrongValue("algorithm_type", '"dpmsolver++" or "sde-dpmsolver++" with flow', config.algorithm_type);
    return multistepMethod(settings, timetable, from, ["sde-dpmsolver"]);
  },
};

/**
 * Returns the method of the DPM-Solver multistep classes.
 * @param secondOrder the algorithms of which diffusers has no third order
 */
export function multistepMethod(
  { config }: Settings,
  { levels }: Timetable,
  from: number,
  secondOrder: readonly string[],
): Method {
  const order = check.integer("solver_order", config.solver_order, 1, 3);
  const algorithm = config.algorithm_type as string;
  const predict: Space = algorithm.endsWith("++") ? "sample" : "epsilon";
  const steps = levels.length - 1;
  // By the length of the whole list, wherever a run starts.
  const lowerOrderFinal = truth(config.lower_order_final) && steps < 15;
  const eulerFinal = truth(config.euler_at_final);
  const run = steps - from;
  const last = lowerOrderFinal || eulerFinal || config.final_sigmas_type === "zero" ? 1 : Math.min(order, run);
  if (order === 3 && secondOrder.includes(algorithm) && (last === 3 || run > (lowerOrderFinal ? 4 : 3)))
    check.wrongValue("solver_order", `1 or 2 with algorithm_type ${algorithm}`, order);
  const variant = config.solver_type as "midpoint" | "heun";
  const sde = algorithm.startsWith("sde-");
  const [before, end] = levels.slice(-2) as [Level, Level];
  const refuse = (why: string): never =>
    check.wrongValue("final_sigmas_type", '"zero" with this grid', config.final_sigmas_type, why);
  if (end.sigma === before.sigma && (last === 3 || (last === 2 && variant === "heun")))
    refuse("the grid ends at the sigma that is appended, and the formula divides by the length of that step");
  if (end.sigma > before.sigma && sde)
    refuse("the grid ends below the sigma that is appended, and an SDE cannot go back");
  const method = { solver: "dpmpp", order, variant, sde, eulerFinal, predict, lowerOrderFinal };
  return { ...method, ...thresholdingOf(config) };
}
