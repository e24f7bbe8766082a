// Solver against solver, from the same noise, beside a fine reference.
import { NonFiniteError, type Plan, sample } from "../src/index.ts";
import type { LoadedModel } from "../src/onnx/index.ts";
import { inputsOf } from "./inputs.ts";
import { listened } from "./listen.ts";
import type { CompareInput, Progress, Row } from "./protocol.ts";

/** UniPC of order 3, uniform in log-SNR where the network takes any time; integer timesteps crowd there. */
function referencePlan(model: LoadedModel, steps: number): Plan {
  const rule = { solver: "unipc", order: 3, steps, ratios: "off" } as const;
  try {
    return model.plan({ ...rule, spacing: "logSNR" });
  } catch {
    return model.plan(rule);
  }
}

function meanSquare(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (const [i, value] of a.entries()) {
    const difference = value - (b[i] as number);
    sum += difference * difference;
  }
  return sum / a.length;
}

export async function compare(
  model: LoadedModel,
  { setting, ratios, referenceSteps }: CompareInput,
  tell: (event: Progress | Row) => void,
  signal: AbortSignal,
): Promise<undefined> {
  const { steps, guidance } = setting;
  const plan = (solver: string) => model.plan({ solver, steps, guidanceScale: guidance, ratios: "off" });
  const compensated = model.plan({ solver: "unipc", steps, guidanceScale: guidance, ratios: ratios ?? "auto" });
  const contenders: [string, Plan | undefined][] = [
    ["DDIM", plan("ddim")],
    ["DPM-Solver++", plan("dpmpp")],
    ["UniPC", plan("unipc")],
    ["UniPC + ratios", compensated.options.ratios === undefined ? undefined : compensated],
  ];
  const reference = referencePlan(model, referenceSteps);
  const total = contenders.reduce((sum, [, each]) => sum + (each?.nfe ?? 0), reference.nfe);
  let done = 0;
  const run = async (each: Plan) => {
    const clock = { network: 0, waiting: 0 };
    const denoiser = listened(model.denoiser, clock, () => tell({ kind: "progress", done: ++done, total }));
    const started = performance.now();
    const { data, nfe } = await sample({ ...inputsOf(model, setting), plan: each, denoiser, signal });
    return { data, nfe, milliseconds: performance.now() - started - clock.waiting };
  };

  const truth = await run(reference);
  tell({ kind: "row", name: `reference: UniPC-3, ${referenceSteps} steps`, ...truth });
  for (const [name, each] of contenders) {
    if (each === undefined) {
      tell({ kind: "row", name, note: "none for this setting; search for some below" });
      continue;
    }
    try {
      const result = await run(each);
      tell({ kind: "row", name, ...result, error: meanSquare(result.data, truth.data) });
    } catch (cause) {
      if (!(cause instanceof NonFiniteError)) throw cause;
      tell({ kind: "row", name, note: `no finite numbers after step ${cause.step + 1}` });
    }
  }
}
