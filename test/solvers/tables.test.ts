// Check values that were computed with the authors' code and with the diffusers schedulers, on the Gaussian toy of
// test/support/problems.ts: data N(0.5, 0.3²), x_T = 1.5. In float64, to the digits that are printed.
import { describe, expect, it } from "vitest";
import {
  createPlan,
  mixtureDenoiser,
  type NoiseSchedule,
  type Plan,
  type PlanOptions,
  vpDiscrete,
  vpLinear,
} from "../../src/index.ts";
import type { Combine, Point } from "../../src/plan/plan.ts";
import { sampleInDoubles } from "../support/engines.ts";
import { exactFlow, toy } from "../support/problems.ts";

const scaledLinear = () => vpDiscrete({ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 });

async function end(plan: Plan, schedule: NoiseSchedule): Promise<number> {
  const denoiser = mixtureDenoiser({ schedule, means: [[toy.mean]], std: [toy.deviation], weights: [1] });
  const [x] = await sampleInDoubles({ plan, denoiser, shape: [1, 1], initial: [1.5], stepNoise: () => [0.3] });
  return x as number;
}

const row = (title: string, options: Partial<PlanOptions>, ...values: (number | undefined)[]) => ({
  title,
  options,
  values,
});

describe("UniPC and DC-Solver on a grid equidistant in time", () => {
  const columns = [
    { schedule: vpLinear(), steps: 5 },
    { schedule: vpLinear(), steps: 10 },
    { schedule: scaledLinear(), steps: 5 },
    { schedule: scaledLinear(), steps: 10 },
  ];
  const ratios = [1, 1, 1.1, 0.8, 1.3];
  const rows = [
    row("data p1 bh1", { order: 1, variant: "bh1" }, 0.6821209819, 0.79309191, 0.7385441996, 0.8150506708),
    row("data p1 bh2", { order: 1, variant: "bh2" }, 0.6811833763, 0.7913050295, 0.7370866997, 0.8136296084),
    row("data p2 bh1", { order: 2, variant: "bh1" }, 0.684381464, 0.8064849238, 0.7415206334, 0.8219669936),
    row("data p2 bh2", { order: 2, variant: "bh2" }, 0.6832107531, 0.8020512938, 0.7402180209, 0.8202031813),
    row("data p3 bh1", { order: 3, variant: "bh1" }, 0.6843559283, 0.806526714, 0.7415089165, 0.8219992986),
    row("data p3 bh2", { order: 3, variant: "bh2" }, 0.6831944752, 0.8022482667, 0.7402356562, 0.8203362838),
    row(
      "noise p2 bh2",
      { order: 2, variant: "bh2", predict: "epsilon" },
      ...[0.7180141858, 0.8220751569, 0.7570687764, 0.8262975521],
    ),
    row(
      "noise p3 bh1",
      { order: 3, variant: "bh1", predict: "epsilon" },
      ...[0.7320938652, 0.8265385821, 0.7629819508, 0.8278362854],
    ),
    row("never corrected", { order: 2, corrector: false }, 0.6821229517, undefined, 0.7382468642),
    row("not corrected in step 0", { order: 2, disableCorrector: [0] }, 0.6832016722, undefined, 0.7400421412),
    row("DC p2 bh2", { order: 2, disableCorrector: [0], ratios }, 0.7303398741, undefined, 0.7787314694),
    // The latent-diffusion code corrects the first step too.
    row("DC p3 bh1", { order: 3, variant: "bh1", ratios }, 0.7315382378, undefined, 0.7802352135),
  ];
  it.each(rows)("$title", async ({ options, values }) => {
    for (const [i, { schedule, steps }] of columns.entries()) {
      const value = values[i];
      if (value === undefined) continue;
      const plan = createPlan({ schedule, steps, solver: "unipc", ...options });
      expect(Math.abs((await end(plan, schedule)) - value), `${schedule.kind}, ${steps} steps`).toBeLessThan(6e-11);
    }
  });

  it("the exact solution", () => {
    for (const [schedule, value] of [
      [vpLinear(), 0.949245108634],
      [scaledLinear(), 0.942372852963],
    ] as const) {
      const { steps } = createPlan({ schedule, steps: 5 });
      const exact = exactFlow(toy, steps[0]?.start as Point, 1.5, steps.at(-1)?.end as Point);
      expect(Math.abs(exact - value)).toBeLessThan(6e-13);
    }
  });
});

describe("DDIM and DPM-Solver on the training times 999, 899, … 500, 400, … 0", () => {
  const schedule = scaledLinear();
  const grid = [999, 899, 799, 699, 599, 500, 400, 300, 200, 100, 0].map((n) => (n + 1) / 1000);
  it.each([
    row("DDIM", { solver: "ddim" }, 0.806864252773),
    row("DDIM, eta 0.5, every draw 0.3", { solver: "ddim", eta: 0.5 }, 0.820303727958),
    row("DDIM, eta 1, every draw 0.3", { solver: "ddim", eta: 1 }, 0.649298569955),
    row("DPM-Solver++ 2M", { solver: "dpmpp", order: 2 }, 0.818392975952),
    row("DPM-Solver++ 3M", { solver: "dpmpp", order: 3 }, 0.819541220877),
    row("DPM-Solver 2M", { solver: "dpmpp", order: 2, predict: "epsilon" }, 0.817135787195),
    row("DPM-Solver 3M", { solver: "dpmpp", order: 3, predict: "epsilon" }, 0.817842865786),
  ])("$title", async ({ options, values: [value] }) => {
    const plan = createPlan({ schedule, grid, ...options });
    expect(Math.abs((await end(plan, schedule)) - (value as number))).toBeLessThan(6e-13);
  });

  it("DDIM does not depend on the space it works in", async () => {
    for (const eta of [0, 0.5, 1]) {
      const [a, b] = (["sample", "epsilon"] as const).map((predict) =>
        createPlan({ schedule, grid, solver: "ddim", eta, predict }),
      ) as [Plan, Plan];
      expect(Math.abs((await end(a, schedule)) - (await end(b, schedule)))).toBeLessThan(1e-13);
    }
  });
});

describe("weights of UniPC for h = 0.7 after steps of 0.6 and 0.5 in lambda", () => {
  // The last step has no corrector, so the grid goes on for one more.
  const schedule = vpLinear();
  const grid = [-0.8, -0.2, 0.3, 1, 1.5].map((lambda) => schedule.time(lambda));
  const [h, r] = [0.7, [-0.5 / 0.7, -1.1 / 0.7]];

  it.each([
    ["sample", "bh1", 2, [0.5], [0.069354286117, 0.331840211416]],
    ["sample", "bh1", 3, [1.064874920366, -0.663680422833], [0.170428299898, -0.067382675854, 0.298148873489]],
    ["sample", "bh2", 2, [0.5], [0.096437391772, 0.461425043291]],
    ["sample", "bh2", 3, [1.480712521646, -0.922850086583], [0.236981182367, -0.093695860397, 0.414577113093]],
    ["epsilon", "bh1", 3, [1.641610180811, -1.001298532912], [0.331834393291, -0.128114674565, 0.436591929173]],
    ["epsilon", "bh2", 3, [1.133537911267, -0.69140034633], [0.229132877863, -0.088463657394, 0.301468344468]],
  ] as const)("%s, %s, order %i", (predict, variant, order, predictor, corrector) => {
    const { steps } = createPlan({ schedule, grid, predict, variant, order, lowerOrderFinal: false });
    const step = steps[2];
    const point = step?.end as Point;
    const z = predict === "sample" ? -h : h;
    const B = variant === "bh1" ? z : Math.expm1(z);
    const S = predict === "sample" ? point.alpha : point.sigma;
    const call = step?.operations.findLast((o) => o.kind === "evaluate");
    const made = (to: number | undefined) =>
      step?.operations.find((o) => o.kind === "combine" && o.to === to) as Combine;
    const coefficient = (of: Combine, value: number | undefined) =>
      of.terms.find(([, from]) => from === value)?.[0] ?? 0;
    // Outputs at the grid's times 0 … 3; the one at time k belongs to the corrector of step k − 1.
    const outputs = steps.flatMap((s) => s.outputs.map(({ value }) => value));
    const weight = (of: Combine, j: number) => (-coefficient(of, outputs[2 - j]) * (r[j - 1] as number)) / (S * B);
    // Lambda of these times is met to rounding only, and 12 digits are printed.
    for (const [j, a] of predictor.entries()) expect(weight(made(call?.x), j + 1)).toBeCloseTo(a, 11);
    for (const [j, g] of corrector.slice(0, -1).entries()) expect(weight(made(step?.state), j + 1)).toBeCloseTo(g, 11);
    expect(-coefficient(made(step?.state), outputs[3]) / (S * B)).toBeCloseTo(corrector.at(-1) as number, 11);
  });
});
