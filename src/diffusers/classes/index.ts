// Every class of diffusers that is supported, each a row.
import type { ClassName } from "../defaults.ts";
import type { ClassRow } from "../row.ts";
import { ddim } from "./ddim.ts";

export const rows: Partial<Record<ClassName, ClassRow>> = {
  DDIMScheduler: ddim,
};
