// LCM and TCD: some of the timesteps that their teacher's grid was distilled on.
import * as check from "../../check.ts";
import type { ClassRow, Settings, TimetableRequest } from "../row.ts";
import { rounding } from "../tables.ts";
import { discreteLevels, integerTimesteps } from "./discrete.ts";
import { thresholdingOf } from "./thresholding.ts";

/** Returns the timesteps of a request; `spread` says whether originalSteps in it means all training timesteps (TCD). */
function timestepsOf({ config }: Settings, request: TimetableRequest, spread: boolean): number[] {
  const trainSteps = config.num_train_timesteps as number;
  const given = integerTimesteps(request, trainSteps);
  const { strength = 1 } = request;
  const original =
    request.originalSteps === undefined
      ? check.integer("original_inference_steps", config.original_inference_steps, 1, trainSteps)
      : check.integer("originalSteps", request.originalSteps, 1, spread ? undefined : trainSteps);
  if (given !== undefined) {
    if (strength === 1) return given;
    // diffusers then adds noise after the last step.
    check.wrongValue("strength", "1 beside timesteps", strength, "leave out the first timesteps instead");
  }
  const all = spread && request.originalSteps !== undefined;
  const length = Math.floor((all ? trainSteps : original) * strength);
  const most = Math.min(original, length);
  const remedy = "a subset of the teacher's grid";
  const steps = check.integer("steps", request.steps, 1);
  if (steps > most) check.wrongValue("steps", `an integer from 1 to ${most}`, steps, remedy);
  const skip = Math.floor(trainSteps / original);
  const place = (index: number) => (all ? length - 1 - index : (length - index) * skip - 1);
  // numpy.linspace without its end steps by length/steps.
  const stride = length / steps;
  return Array.from({ length: steps }, (_, i) => place(Math.floor(i * stride)));
}

export const lcm: ClassRow = {
  takes: ["timesteps", "strength", "originalSteps"],
  stepTakes: [],
  timetable(settings, request, tables) {
    const timesteps = timestepsOf(settings, request, false);
    return discreteLevels(settings.config, tables, timesteps, (t, i) => timesteps[i + 1] ?? Math.min(t - 1, -1), 1);
  },
  method({ config }) {
    const scaling = check.finite("timestep_scaling", config.timestep_scaling);
    return { solver: "lcm", lastDraw: false, boundary: { scaling }, ...thresholdingOf(config) };
  },
};

export const tcd: ClassRow = {
  takes: ["timesteps", "strength", "originalSteps"],
  stepTakes: ["eta"],
  timetable(settings, request, tables) {
    const timesteps = timestepsOf(settings, request, true);
    // The last step goes to timestep 0, whose level is the first entry of the table.
    return discreteLevels(
      settings.config,
      tables,
      timesteps,
      (t, i) => timesteps[i + 1] ?? Math.min(t - 1, 0),
      "first",
    );
  },
  method({ config }, { eta = 0.3, tables = "float32" }, { timesteps }, from) {
    check.share("eta", eta);
    const count = Array.isArray(config.trained_betas)
      ? config.trained_betas.length
      : (config.num_train_timesteps as number);
    const round = rounding(tables);
    // Cut off after a product in the table's precision, which decides some of them; time is (timestep + 1)/count.
    const ends = [...timesteps.slice(from + 1), 0];
    const times = ends.map((t) => (Math.floor(round(round(1 - eta) * t)) + 1) / count);
    return { solver: "tcd", gamma: eta, through: { times } };
  },
};
