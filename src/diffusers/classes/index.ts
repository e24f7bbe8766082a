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
import { edmEuler } from "./edm-euler.ts";
import { euler, eulerAncestral } from "./euler.ts";
import { flowMatchEuler, flowMatchHeun, flowMatchLcm } from "./flow-match.ts";
import { lms } from "./lms.ts";
import { ipndm, pndm } from "./pndm.ts";
import { saSolver } from "./sa-solver.ts";
import { heun, kdpm2, kdpm2Ancestral } from "./second-order.ts";
import { unipcMultistep } from "./unipc.ts";

export const rows: Readonly<Record<ClassName, ClassRow>> = {
  DDIMScheduler: ddim,
  DDPMScheduler: ddpm,
  PNDMScheduler: pndm,
  IPNDMScheduler: ipndm,
  LCMScheduler: lcm,
  TCDScheduler: tcd,
  DPMSolverMultistepScheduler: dpmSolverMultistep,
  DPMSolverSinglestepScheduler: dpmSolverSinglestep,
  DEISMultistepScheduler: deisMultistep,
  SASolverScheduler: saSolver,
  UniPCMultistepScheduler: unipcMultistep,
  EDMDPMSolverMultistepScheduler: edmDpmSolverMultistep,
  EulerDiscreteScheduler: euler,
  EulerAncestralDiscreteScheduler: eulerAncestral,
  HeunDiscreteScheduler: heun,
  KDPM2DiscreteScheduler: kdpm2,
  KDPM2AncestralDiscreteScheduler: kdpm2Ancestral,
  LMSDiscreteScheduler: lms,
  EDMEulerScheduler: edmEuler,
  FlowMatchEulerDiscreteScheduler: flowMatchEuler,
  FlowMatchHeunDiscreteScheduler: flowMatchHeun,
  FlowMatchLCMScheduler: flowMatchLcm,
  DDIMParallelScheduler: ddim,
  DDPMParallelScheduler: ddpm,
  CogVideoXDDIMScheduler: cogVideoXDdim,
};
