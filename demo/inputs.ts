// What a run of a setting is given.
import type { Plan } from "../src/index.ts";
import type { LoadedModel } from "../src/onnx/index.ts";
import { count, labelsOf, type Setting } from "./setting.ts";

/** What every run of a setting has, whatever its plan. */
export function inputsOf(model: LoadedModel, { label, guidance, seed }: Setting) {
  const condition = labelsOf(label, model.labels);
  return {
    shape: [count, ...model.shape],
    seed,
    condition,
    guidanceScale: guidance,
    ...(guidance === 1 ? {} : { unconditional: condition.map(() => -1) }),
  };
}

export function planOf(model: LoadedModel, { solver, steps, guidance, ratios }: Setting): Plan {
  return model.plan({ solver, steps, guidanceScale: guidance, ratios });
}
