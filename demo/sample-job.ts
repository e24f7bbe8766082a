// Pictures of one setting, step by step.
import { sampleSteps } from "../src/index.ts";
import type { LoadedModel } from "../src/onnx/index.ts";
import { hashOf } from "./bits.ts";
import { inputsOf, planOf } from "./inputs.ts";
import { type Clock, listened } from "./listen.ts";
import type { PictureStep, Pictures } from "./protocol.ts";
import type { Setting } from "./setting.ts";

export async function drawPictures(
  model: LoadedModel,
  setting: Setting,
  tell: (event: PictureStep) => void,
  signal: AbortSignal,
): Promise<Pictures> {
  const plan = planOf(model, setting);
  const clock: Clock = { network: 0, waiting: 0 };
  const denoiser = listened(model.denoiser, clock);
  const steps = sampleSteps({ ...inputsOf(model, setting), plan, denoiser, signal });
  const started = performance.now();
  for (;;) {
    const { done, value } = await steps.next();
    if (!done) {
      tell(value);
      continue;
    }
    const solver = performance.now() - started - clock.network - clock.waiting;
    const { data, nfe } = value;
    return { data, nfe, network: clock.network, solver, hash: hashOf(data), ratios: plan.options.ratios };
  }
}
