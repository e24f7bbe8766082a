// EDM Euler: Karras' sigmas and preconditioning; the network is told ln(sigma)/4.
import * as check from "../../check.ts";
import { wasm } from "../../wasm/module.ts";
import { exactly, torchLinspace } from "../arithmetic.ts";
import type { ClassRow, Settings, Timetable, TimetableRequest } from "../row.ts";
import { karrasRamp } from "../sigma-grids.ts";
import { betweenSigmas, sigmaLevels, tableSchedule } from "../table-schedule.ts";
import { rounding, type TablePrecision } from "../tables.ts";
import { churned } from "./euler.ts";

export const edmEuler: ClassRow = {
  takes: ["sigmas"],
  stepTakes: ["sChurn", "sTmin", "sTmax", "sNoise"],
  timetable({ config }: Settings, request: TimetableRequest, tables: TablePrecision): Timetable {
    const round = rounding(tables);
    const [low, high] = [check.positive("sigma_min", config.sigma_min), check.positive("sigma_max", config.sigma_max)];
    const data = check.positive("sigma_data", config.sigma_data);
    const ramp = rampOf(request);
    // The exponential grid is made in float32.
    const exponential = () => torchLinspace(wasm().log(low), wasm().log(high), ramp.length, round).reverse();
    const inner =
      config.sigma_schedule === "exponential"
        ? exponential().map((log) => wasm().exp(log))
        : karrasRamp([high, low], ramp, config.rho as number);
    const rounded = inner.map(round);
    const told = (s: number) => round(wasm().log(s)) / 4;
    const timesteps = rounded.map(told);
    const sigmas = [...rounded, config.final_sigmas_type === "sigma_min" ? (rounded.at(-1) as number) : 0];
    const levels = sigmaLevels("ve", sigmas, timesteps, true);
    const between = betweenSigmas("ve", told, { sigmaData: data });
    const schedule = (from: number) => tableSchedule("diffusers-edm", levels.slice(from), between);
    return { timesteps, sigmas, initNoiseSigma: Math.sqrt(high * high + 1), levels, schedule };
  },
  method({ config }, step, timetable, from) {
    const kind = check.oneOf("prediction_type", config.prediction_type, ["epsilon", "v_prediction"]);
    return churned(step, timetable, from, kind);
  },
};

/** Returns the positions on the way from sigma_max to sigma_min: what diffusers takes for `sigmas` are these. */
function rampOf({ steps, sigmas }: TimetableRequest): number[] {
  if (sigmas === undefined) return torchLinspace(0, 1, check.integer("steps", steps, 1), exactly);
  const ramp = Array.from(check.numbers("sigmas", sigmas));
  if (ramp.length === 0) check.wrongValue("sigmas", "at least one position of the ramp from 0 to 1", sigmas);
  if (steps !== undefined && steps !== ramp.length)
    check.wrongValue("steps", `${ramp.length}, the length of "sigmas"`, steps);
  return ramp;
}
