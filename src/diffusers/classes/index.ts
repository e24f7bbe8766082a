// Every class of diffusers that is supported, each a row.
import type { ClassName } from "../defaults.ts";
import type { ClassRow } from "../row.ts";
import { lcm, tcd } from "./consistency.ts";
import { cogVideoXDdim, ddim } from "./ddim.ts";
import { ddpm } from "./ddpm.ts";
import { deisMultistep } from "./deis.ts";
import { dpmSolverMultistep } from "./dpmsolver-multistep.ts";
import { dpmSolverSinglestep } from "./dpmsolver-singlestep.ts";
import { edmDpmSolverMultistep } from "./edm-dpmsolver.ts";
import { flowMatchEuler, flowMatchHeun, flowMatchLcm } from "./flow-match.ts";
import { ipndm, pndm } from "./pndm.ts";
import { saSolver } from "./sa-solver.ts";
import { unipcMultistep } from "./unipc.ts";

export const rows: Partial<Record<ClassName, ClassRow>> = {
  DDIMScheduler: ddim,
  DPMSolverMultistepScheduler: dpmSolverMultistep,
  UniPCMultistepScheduler: unipcMultistep,
  EDMDPMSolverMultistepScheduler: edmDpmSolverMultistep,
  DDPMScheduler: ddpm,
  PNDMScheduler: pndm,
  IPNDMScheduler: ipndm,
  LCMScheduler: lcm,
  TCDScheduler: tcd,
  DPMSolverSinglestepScheduler: dpmSolverSinglestep,
  DEISMultistepScheduler: deisMultistep,
  SASolverScheduler: saSolver,
  FlowMatchEulerDiscreteScheduler: flowMatchEuler,
  FlowMatchHeunDiscreteScheduler: flowMatchHeun,
  FlowMatchLCMScheduler: flowMatchLcm,
  DDIMParallelScheduler: ddim,
  DDPMParallelScheduler: ddpm,
  CogVideoXDDIMScheduler: cogVideoXDdim,
};
