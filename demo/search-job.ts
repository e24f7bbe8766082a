// The ratio search, as `dc-solver search` does it: labels go round the classes, seeds follow each other, other seeds judge.
import { searchRatios } from "../src/index.ts";
import type { LoadedModel } from "../src/onnx/index.ts";
import { listened } from "./listen.ts";
import type { Jobs, Progress, SearchResult, SearchStep } from "./protocol.ts";
import { labelsOf } from "./setting.ts";

/** Evaluations of the loss in a step, the library's default. */
const evaluations = 9;

export async function search(
  model: LoadedModel,
  { setting, points, referenceSteps }: Jobs["search"]["input"],
  tell: (event: Progress | SearchStep) => void,
  signal: AbortSignal,
): Promise<SearchResult> {
  const { solver, steps, guidance, seed } = setting;
  const plan = model.plan({ solver, steps, guidanceScale: guidance, ratios: "off" });
  // The most there can be; steps usually need fewer.
  const total = 2 * Math.ceil(referenceSteps / steps) * steps + steps * evaluations + 3 * steps;
  let done = 0;
  const denoiser = listened(model.denoiser, { network: 0, waiting: 0 }, () =>
    tell({ kind: "progress", done: Math.min(++done, total), total }),
  );
  const all = labelsOf("all", model.labels, 2 * points);
  const data = (from: number) => {
    const condition = all.slice(from, from + points);
    return {
      seed: Array.from(condition, (_, i) => seed + from + i),
      condition,
      ...(guidance === 1 ? {} : { unconditional: condition.map(() => -1) }),
    };
  };
  const found = await searchRatios<readonly number[]>({
    plan,
    denoiser,
    shape: [points, ...model.shape],
    guidanceScale: guidance,
    ...data(0),
    holdout: data(points),
    reference: { solver: "unipc", steps: referenceSteps },
    signal,
    onStep: ({ step, ratio, loss, lossWithout, nfe }) => tell({ kind: "step", step, ratio, loss, lossWithout, nfe }),
  });
  return {
    ratios: found.ratios,
    mse: found.mse,
    mseWithout: found.mseWithout,
    heldOut: found.holdoutMse as number,
    heldOutWithout: found.holdoutMseWithout as number,
    nfe: found.nfe.reference + found.nfe.search,
    json: JSON.stringify(found),
  };
}
