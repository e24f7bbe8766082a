// DPM-Solver multistep for networks of EDM: a ramp of sigmas in float32, states without loss of signal.
import * as check from "../../check.ts";
import { wasm } from "../../wasm/module.ts";
import { torchLinspace } from "../arithmetic.ts";
import type { ClassRow } from "../row.ts";
import { levelsOf } from "../sigma-timetable.ts";
import { betweenSigmas, tableSchedule } from "../table-schedule.ts";
import { rounding } from "../tables.ts";
import { multistepMethod } from "./dpmsolver-multistep.ts";

export const edmDpmSolverMultistep: ClassRow = {
  takes: [],
  stepTakes: [],
  timetable({ config }, { steps }, tables) {
    const round = rounding(tables);
    const { exp, log, pow } = wasm();
    const count = check.integer("steps", steps, 1);
    check.oneOf("prediction_type", config.prediction_type, ["epsilon", "v_prediction"]);
    const sigmaData = check.positive("sigma_data", config.sigma_data);
    const [low, high] = [check.positive("sigma_min", config.sigma_min), check.positive("sigma_max", config.sigma_max)];
    const karras = (rho: number) => {
      const [a, b] = [pow(high, 1 / rho), pow(low, 1 / rho)];
      return torchLinspace(0, 1, count, round).map((x) => round(pow(round(round(a) + round(x * round(b - a))), rho)));
    };
    const sigmas =
      config.sigma_schedule === "karras"
        ? karras(config.rho as number)
        : torchLinspace(log(low), log(high), count, round)
            .map((x) => round(exp(x)))
            .reverse();
    const told = (s: number) => round(0.25 * round(log(s)));
    const timesteps = sigmas.map(told);
    const end = check.oneOf("final_sigmas_type", config.final_sigmas_type, ["zero", "sigma_min"]);
    const all = [...sigmas, end === "zero" ? 0 : round(low)];
    const levels = levelsOf("ve", all, timesteps, false, round);
    const between = betweenSigmas("ve", told, { sigmaData });
    return {
      timesteps,
      sigmas: all,
      initNoiseSigma: Math.sqrt(high * high + 1),
      levels,
      schedule: (from) => tableSchedule("diffusers-edm", levels.slice(from), between),
    };
  },
  method: (settings, _step, timetable, from) => multistepMethod(settings, timetable, from, ["sde-dpmsolver++"]),
};
