// Plans of schedulers are plans: JSON, compensation, sharing, and no run that is neither finite nor refused by name.
import { describe, expect, it } from "vitest";
import { type ClassName, classNames, defaults } from "../../src/diffusers/defaults.ts";
import { schedulerFromConfig } from "../../src/diffusers/index.ts";
import {
  compensate,
  type Denoiser,
  type Plan,
  planFromJSON,
  sample,
  sampleSteps,
  searchRatios,
} from "../../src/index.ts";
import { cases, optionsOf } from "../support/diffusers-cases.ts";

const shape = [2, 3];
const noise = Float32Array.of(0.5, -1, 0.25, 1.5, -0.75, 0.1);
/** A network whose outputs stay between −1 and 1. */
const bounded = (prediction: Denoiser["prediction"]): Denoiser => ({
  prediction,
  predict: ({ x, modelTime }) => x.map((v, i) => Math.max(-1, Math.min(1, 0.3 * v + 0.01 * i - 1e-4 * modelTime))),
});

function run(plan: Plan, prediction: Denoiser["prediction"], shared = true) {
  const seed = plan.draws > 0 ? { seed: 3 } : {};
  return sample({ plan, denoiser: bounded(prediction), shape, noise: shared ? noise : noise.slice(), ...seed });
}

const firstOf = classNames.flatMap((name) => cases.filter((c) => c.class === name).slice(0, 1));

describe("a scheduler's plan", () => {
  for (const c of firstOf) {
    it(`of ${c.class} goes through JSON, and is shared by runs at once, with the same bits`, async () => {
      const scheduler = schedulerFromConfig(c.config, { className: c.class });
      const plan = scheduler.plan(optionsOf(c, "float32"));
      const [alone, ...together] = await Promise.all([
        run(plan, scheduler.prediction),
        run(plan, scheduler.prediction, false),
        run(planFromJSON(JSON.stringify(plan)), scheduler.prediction),
        run(scheduler.plan(optionsOf(c, "float32")), scheduler.prediction),
      ]);
      for (const { data } of together) expect(data).toEqual(alone.data);
    });
  }

  it("has tables in float32 unless the scheduler or the request says float64", () => {
    const config = { _class_name: "DDIMScheduler" };
    const level = (o: object, request: object) =>
      schedulerFromConfig(config, o)
        .plan({ steps: 2, ...request })
        .steps.map(({ start }) => start.alpha);
    const [narrow, wide] = [level({}, {}), level({ tables: "float64" }, {})];
    expect(wide).not.toEqual(narrow);
    expect(level({}, { tables: "float64" })).toEqual(wide);
    expect(level({ tables: "float64" }, { tables: "float32" })).toEqual(narrow);
    expect(() => level({ tables: "half" }, {})).toThrow('"tables": expected one of "float32", "float64", got "half"');
  });

  for (const c of firstOf) {
    it(`of ${c.class} has a schedule whose times between the grid's are those of their lambda`, () => {
      const { schedule } = schedulerFromConfig(c.config, { className: c.class }).plan(optionsOf(c, "float32")).options;
      const middle = Math.max(schedule.lambda(schedule.tMax), -4) + 1.7;
      for (const lambda of [middle, middle + 0.3, middle + 1]) {
        const t = schedule.time(lambda);
        const [alpha, sigma] = [schedule.alpha(t), schedule.sigma(t)];
        // alpha of EDM and k-diffusion is 1; nothing in between is rounded like a table.
        expect(Math.abs(Math.log(alpha / sigma) - lambda)).toBeLessThan(1e-9);
        expect(Math.abs(schedule.lambda(t) - lambda)).toBeLessThan(1e-9);
      }
    });
  }

  it("from a later start, and from noise alone, begins as a loop that scales it by initNoiseSigma", async () => {
    const scheduler = schedulerFromConfig({ _class_name: "EulerDiscreteScheduler" });
    const options = { steps: 10, startIndex: 6 };
    const { data } = await run(scheduler.plan(options), "epsilon");
    const loop = scheduler.start({ ...options, shape });
    let x: Float32Array = noise.map((v) => v * loop.initNoiseSigma);
    const { predict } = bounded("epsilon");
    for (const modelTime of loop.timesteps) {
      const input = { x: loop.scaleModelInput(x), shape, t: 0, modelTime, condition: undefined };
      x = loop.step(predict(input) as Float32Array, x).x;
    }
    expect(x).toEqual(data);
  });

  it("of a multistep class takes compensation ratios, and 1 changes nothing that matters", async () => {
    const scheduler = schedulerFromConfig({ _class_name: "UniPCMultistepScheduler", beta_schedule: "scaled_linear" });
    const plan = scheduler.plan({ steps: 5 });
    const plain = (await run(plan, "epsilon")).data;
    const ones = (await run(compensate(plan, [1, 1, 1, 1, 1]), "epsilon")).data;
    for (const [i, v] of ones.entries()) expect(Math.abs(v - (plain[i] as number))).toBeLessThan(1e-5);
    expect((await run(compensate(plan, [1, 1, 1.2, 0.9, 1.1]), "epsilon")).data).not.toEqual(plain);
  });
});

describe("more steps than a run ever has", () => {
  for (const className of classNames) {
    it(`are refused before anything is allocated: ${className}`, () => {
      const scheduler = schedulerFromConfig({ _class_name: className });
      expect(() => scheduler.plan({ steps: 2 ** 31 })).toThrow(
        /^"steps": expected an integer from 1 to \d+, got 2147483648/,
      );
    });
  }

  it("can be searched, where the network sees a scaled state too: both objectives agree without a corrector", async () => {
    const scheduler = schedulerFromConfig({ _class_name: "EulerDiscreteScheduler" });
    const plan = scheduler.plan({ steps: 6 });
    const times = Array.from(plan.grid);
    // Any states will do as a reference; those of the plan itself, nudged.
    const states = [noise.slice()];
    for await (const { x } of sampleSteps({ plan, denoiser: bounded("epsilon"), shape, noise }))
      states.push(x.map((v) => v + 0.02));
    const search = (objective: "corrected" | "predicted") =>
      searchRatios({ plan, denoiser: bounded("epsilon"), shape, noise, objective, reference: { grid: times, states } });
    const [corrected, predicted] = [await search("corrected"), await search("predicted")];
    expect(predicted.ratios).toEqual(corrected.ratios);
    expect(corrected.ratios.some((ratio) => ratio !== 1)).toBe(true);
  });
});

describe("1, 2 and 3 steps end finite or are refused by name", () => {
  const grids = [
    {},
    ...["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas"].map(
      (flag) => ({ [flag]: true }),
    ),
  ];
  const predictions = ["epsilon", "sample", "v_prediction", "flow_prediction"];
  const finals = ["zero", "sigma_min"];
  const spacings = ["linspace", "leading", "trailing"];

  for (const className of classNames) {
    it(className, async () => {
      const has = (key: string) => key in defaults[className as ClassName];
      const outcomes = { finite: 0, refused: 0 };
      for (const grid of grids.filter((g) => Object.keys(g).every(has))) {
        for (const prediction_type of has("prediction_type") ? predictions : [undefined]) {
          for (const final_sigmas_type of has("final_sigmas_type") ? finals : [undefined]) {
            for (const timestep_spacing of has("timestep_spacing") ? spacings : [undefined]) {
              for (const rescale_betas_zero_snr of has("rescale_betas_zero_snr") ? [false, true] : [undefined]) {
                // PNDM's Runge-Kutta start wants four steps.
                const settings = {
                  skip_prk_steps: has("skip_prk_steps") ? true : undefined,
                  ...grid,
                  prediction_type,
                  final_sigmas_type,
                  timestep_spacing,
                  rescale_betas_zero_snr,
                };
                const given = Object.entries(settings).filter(([, value]) => value !== undefined);
                const config = { _class_name: className, ...Object.fromEntries(given) };
                for (const steps of [1, 2, 3]) {
                  const title = JSON.stringify({ ...config, steps });
                  try {
                    const scheduler = schedulerFromConfig(config);
                    const { data } = await run(scheduler.plan({ steps }), scheduler.prediction);
                    if (!data.every(Number.isFinite)) expect(data.join(), title).toBe("finite");
                    outcomes.finite++;
                  } catch (error) {
                    expect((error as Error).message, title).toMatch(/^"[\w.[\]]+": /);
                    outcomes.refused++;
                  }
                }
              }
            }
          }
        }
      }
      expect(outcomes.finite, JSON.stringify(outcomes)).toBeGreaterThan(0);
    });
  }
});
