// Align Your Steps: noise levels that were optimised for a model and for ten steps.
// Source: Sabour, Fidler, Kreis 2024 (arXiv 2404.14507), table 3: the eleven levels, to three decimals. Timesteps, and 0 for the last
// level: AysSchedules of diffusers 0.42.1, src/diffusers/schedulers/scheduling_utils.py. The first list of timesteps is also on
// https://research.nvidia.com/labs/toronto-ai/AlignYourSteps/howto.html, which gives the interpolation to other numbers of steps (known
// from AUTOMATIC1111/stable-diffusion-webui, commit 5bbbda473fc87c161ec7f5351d78b8c43799d436, modules/sd_schedulers.py, which cites it).
import * as check from "../check.ts";
import { checkSchedule, type NoiseSchedule, vpDiscrete } from "../diffusion/schedule.ts";
import { wasm } from "../wasm/module.ts";

const tables = {
  sd15: {
    levels: [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029],
    timesteps: [999, 850, 736, 645, 545, 455, 343, 233, 124, 24],
  },
  sdxl: {
    levels: [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.38, 0.234, 0.113, 0.029],
    timesteps: [999, 845, 730, 587, 443, 310, 193, 116, 53, 13],
  },
  svd: { levels: [700, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002], timesteps: undefined },
} as const;

/** A model whose noise levels were optimised: Stable Diffusion 1.5, SDXL, Stable Video Diffusion. */
export type AysModel = keyof typeof tables;

/** The grid of a run. */
export interface AysGrid {
  /** What the network is told, noise to data, one entry a step: for `timetable` and `plan`. Undefined for svd, which is told a sigma. */
  readonly timesteps: readonly number[] | undefined;
  /** sigma over alpha, `steps` + 1 of them, the last one 0. */
  readonly sigmas: readonly number[];
}

/** Returns the levels of a run with `steps` steps: the table's, or interpolated linearly in their logarithms by index. */
function levelsOf(model: AysModel, steps: number): number[] {
  const { levels } = tables[check.oneOf("model", model, Object.keys(tables) as AysModel[])];
  check.integer("steps", steps, 1, 1000);
  return Array.from({ length: steps + 1 }, (_, i) => {
    const position = (i * (levels.length - 1)) / steps;
    const k = Math.floor(position);
    const level = levels[k] as number;
    if (position === k) return level;
    const [from, to] = [wasm().log(level), wasm().log(levels[k + 1] as number)];
    return wasm().exp(from + (position - k) * (to - from));
  });
}

/**
 * Returns the grid of Align Your Steps: with ten steps the published numbers, with others the interpolated levels and the training
 * timesteps nearest to them on the betas of Stable Diffusion (which gives the published ones but for one, 125 in place of 124).
 * @throws RangeError for an unknown model, and for so many steps that two fall on one timestep.
 */
export function ays(model: AysModel, steps = 10): AysGrid {
  const levels = levelsOf(model, steps);
  const sigmas = Object.freeze([...levels.slice(0, -1), 0]);
  const published = tables[model].timesteps;
  if (published === undefined || steps === 10) return Object.freeze({ timesteps: published, sigmas });
  const { time } = vpDiscrete({ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 });
  const timesteps = levels.slice(0, -1).map((s) => Math.min(Math.round(1000 * time(-wasm().log(s))) - 1, 999));
  const twice = timesteps.find((t, i) => t === timesteps[i - 1]);
  if (twice !== undefined) check.wrongValue("steps", `so few that no two fall on the timestep ${twice}`, steps);
  return Object.freeze({ timesteps: Object.freeze(timesteps), sigmas });
}

/**
 * Returns the levels of Align Your Steps as times of a schedule, `steps` + 1 of them, for `createPlan({ schedule, grid })`. The last
 * one is the published 0.029, or 0.002 for svd, not 0. An end that is the schedule's own but for the published decimals is that.
 * @throws TypeError for something that is no schedule, RangeError for an unknown model.
 */
export function aysTimes(model: AysModel, schedule: NoiseSchedule, steps = 10): Float64Array {
  checkSchedule(schedule, "schedule");
  const ends = [schedule.tMax, schedule.tMin].map((t) => ({ t, level: schedule.sigma(t) / schedule.alpha(t) }));
  return Float64Array.from(levelsOf(model, steps), (level) => {
    const end = ends.find((e) => Math.abs(e.level - level) < 5e-4);
    return end === undefined ? schedule.time(-wasm().log(level)) : end.t;
  });
}
