// Every class of diffusers that is supported, each a row.
import type { ClassName } from "../defaults.ts";
import type { ClassRow } from "../row.ts";
import { ddim } from "./ddim.ts";
import { deisMultistep } from "./deis.ts";
import { dpmSolverSinglestep } from "./dpmsolver-singlestep.ts";
import { saSolver } from "./sa-solver.ts";

export const rows: Partial<Record<ClassName, ClassRow>> = {
  DDIMScheduler: ddim,
  DPMSolverSinglestepScheduler: dpmSolverSinglestep,
  DEISMultistepScheduler: deisMultistep,
  SASolverScheduler: saSolver,
};
