// Timetables of the classes that came from k-diffusion, where no recorded run has them, and what is refused by name.
import { describe, expect, it } from "vitest";
import { schedulerFromConfig } from "../../../src/diffusers/index.ts";

const scheduler = (name: string, config: object = {}) =>
  schedulerFromConfig({ _class_name: `${name}Scheduler`, ...config });
const latent = { beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear" };

describe("the lists of a timetable", () => {
  it("have second calls doubled, at the level where a step of Heun ends, in the middle of one of KDPM2", () => {
    const [euler, heun, kdpm2] = ["EulerDiscrete", "HeunDiscrete", "KDPM2Discrete"].map((name) =>
      scheduler(name, latent).timetable({ steps: 4 }),
    ) as [Timetable, Timetable, Timetable];
    const [t, s] = [euler.timesteps, euler.sigmas as readonly number[]];
    expect(heun.timesteps).toEqual([t[0], t[1], t[1], t[2], t[2], t[3], t[3]]);
    expect(heun.sigmas).toEqual([s[0], s[1], s[1], s[2], s[2], s[3], s[3], 0]);
    expect(kdpm2.timesteps.filter((_, i) => i % 2 === 0)).toEqual(t);
    const plan = scheduler("KDPM2Discrete", latent).plan({ steps: 4 });
    const calls = plan.steps.flatMap(({ operations }) => operations.filter((o) => o.kind === "evaluate"));
    expect(calls.map(({ modelTime }) => modelTime)).toEqual(kdpm2.timesteps);
    for (const k of [0, 1, 2]) {
      const middle = Math.sqrt((s[k] as number) * (s[k + 1] as number));
      expect(Math.abs((calls[2 * k + 1]?.sigma as number) / middle - 1)).toBeLessThan(1e-14);
    }
  });

  it("of KDPM2 ancestral tell the network what diffusers' differences in float32 make of a middle", () => {
    const config = { beta_schedule: "squaredcos_cap_v2", timestep_spacing: "linspace" };
    const { timesteps } = scheduler("KDPM2AncestralDiscrete", config).timetable({ steps: 14 });
    // Printed by diffusers 0.42.1; without the rounding the second is 922.15.
    const printed = [999, 927.2267456054688, 922.1538696289062, 845.3084106445312, 845.3076782226562, 768.462158203125];
    for (const [i, t] of printed.entries()) expect(Math.abs((timesteps[i] as number) - t)).toBeLessThan(1e-3);
    const exact = scheduler("KDPM2AncestralDiscrete", config).timetable({ steps: 14, tables: "float64" });
    expect(exact.timesteps[1]).toBeCloseTo(922.1547, 2);
  });

  it("of log_linear Euler hold one sigma more than there are steps, so that a run keeps noise", () => {
    const euler = scheduler("EulerDiscrete", { ...latent, interpolation_type: "log_linear" });
    const { timesteps, sigmas = [] } = euler.timetable({ steps: 5 });
    expect([timesteps.length, sigmas.length, sigmas.at(-1)]).toEqual([5, 7, 0]);
    expect(euler.plan({ steps: 5 }).steps.at(-1)?.end.sigma).toBe(sigmas[5]);
    // Told ln(sigma)/4 at each of them, it does not.
    const continuous = euler.to("EulerDiscreteScheduler", {
      timestep_type: "continuous",
      prediction_type: "v_prediction",
    });
    expect(continuous.timetable({ steps: 5 }).timesteps.length).toBe(6);
    expect(continuous.plan({ steps: 5 }).steps.at(-1)?.end.sigma).toBe(0);
  });

  it("of beta sigmas are symmetric between the ends, which sigma_min and sigma_max decide", () => {
    const config = { use_beta_sigmas: true, sigma_min: 1, sigma_max: 3 };
    const { sigmas = [] } = scheduler("LMSDiscrete", config).timetable({ steps: 7, tables: "float64" });
    for (let i = 0; i < 7; i++) expect((sigmas[i] as number) + (sigmas[6 - i] as number)).toBeCloseTo(4, 14);
    expect([sigmas[0], sigmas[6], sigmas[7]]).toEqual([3, 1, 0]);
  });

  it("of karras sigmas have the grid's own ends in LMS, those of the stored configuration elsewhere", () => {
    const config = { ...latent, use_karras_sigmas: true, sigma_min: 0.05, sigma_max: 10 };
    const ends = (name: string) => {
      const { sigmas = [] } = scheduler(name, config).timetable({ steps: 5 });
      return [sigmas[0], sigmas.filter((s) => s > 0).at(-1)];
    };
    expect(ends("HeunDiscrete")).toEqual([10, Math.fround(0.05)]);
    expect(ends("LMSDiscrete")[0]).toBeGreaterThan(14);
  });

  it("may end with a step back up: a final sigma of the table behind a smaller sigma_min", () => {
    const config = { ...latent, use_karras_sigmas: true, sigma_min: 0.002, final_sigmas_type: "sigma_min" };
    const euler = scheduler("EulerDiscrete", config);
    const { sigmas = [] } = euler.timetable({ steps: 5 });
    expect(sigmas.at(-1)).toBeGreaterThan(sigmas.at(-2) as number);
    expect(euler.plan({ steps: 5 }).steps.at(-1)?.end.sigma).toBe(sigmas.at(-1));
  });

  it("of EDM Euler take sigmas for the positions of the ramp", () => {
    const edm = scheduler("EDMEuler");
    expect(edm.timetable({ sigmas: [0, 0.25, 0.5, 0.75, 1] })).toEqual(edm.timetable({ steps: 5 }));
  });
});

type Timetable = ReturnType<ReturnType<typeof scheduler>["timetable"]>;

describe("churn", () => {
  it("draws where sigma lies between sTmin and sTmax, compared in float32, and nowhere without sChurn", () => {
    const euler = scheduler("EulerDiscrete");
    const given = { sigmas: [8, 2, 0.1, 0.05, 0] };
    expect(euler.plan({ ...given, sTmin: 0.1 }).draws).toBe(0);
    expect(euler.plan({ ...given, sChurn: 1 }).draws).toBe(4);
    expect(euler.plan({ ...given, sChurn: 1, sTmin: 0.1, sTmax: 2 }).draws).toBe(2);
    // 0.1 in float32 is above 0.1 in double.
    expect(euler.plan({ ...given, sChurn: 1, sTmax: 0.1 }).draws).toBe(2);
  });

  it("is shared over the whole list, wherever a run starts", () => {
    const euler = scheduler("EulerDiscrete");
    const whole = euler.plan({ steps: 6, sChurn: 1 });
    const part = euler.plan({ steps: 6, sChurn: 1, startIndex: 2 });
    const fresh = (plan: typeof whole) =>
      plan.steps.map(({ operations }) =>
        operations.flatMap((o) => (o.kind === "combine" ? o.terms.map(([c]) => c) : [])),
      );
    for (const [k, terms] of fresh(part).entries())
      for (const [i, c] of terms.entries()) expect(c).toBeCloseTo(fresh(whole)[k + 2]?.[i] as number, 12);
  });
});

describe("is refused by name:", () => {
  const refusals: [string, () => unknown, RegExp][] = [
    [
      "x₀ prediction of KDPM2",
      () => scheduler("KDPM2Discrete", { prediction_type: "sample" }).plan({ steps: 3 }),
      /^"prediction_type": /,
    ],
    [
      "x₀ prediction of Euler ancestral",
      () => scheduler("EulerAncestralDiscrete", { prediction_type: "sample" }).plan({ steps: 3 }),
      /^"prediction_type": /,
    ],
    [
      "an unknown interpolation",
      () => scheduler("EulerDiscrete", { interpolation_type: "cubic" }).timetable({ steps: 3 }),
      /^"interpolation_type": expected one of "linear", "log_linear"/,
    ],
    [
      "timesteps of a reshaped grid",
      () => scheduler("HeunDiscrete", { use_karras_sigmas: true }).timetable({ timesteps: [900, 500] }),
      /^"timesteps": expected none with use_karras_sigmas/,
    ],
    [
      "timesteps and sigmas at once",
      () => scheduler("EulerDiscrete").timetable({ timesteps: [900], sigmas: [2, 0] }),
      /^"sigmas": expected one of/,
    ],
    ["one sigma", () => scheduler("EulerDiscrete").timetable({ sigmas: [2] }), /^"sigmas": expected at least two/],
    [
      "a call at sigma 0",
      () => scheduler("EulerDiscrete").timetable({ sigmas: [2, 0, 0] }),
      /^"sigmas\[1\]": expected a finite number > 0/,
    ],
    [
      "LMS from a start index",
      () => scheduler("LMSDiscrete").plan({ steps: 6, startIndex: 2 }),
      /^"startIndex": expected 0 with an order above 1/,
    ],
    [
      "LMS at one sigma twice",
      () => scheduler("LMSDiscrete", { trained_betas: [0.1, 0.2, 0.3] }).plan({ steps: 4 }),
      /^"sigmas\[1\]": /,
    ],
    [
      "KDPM2 ancestral where a step's low end rounds to 0",
      () =>
        scheduler("KDPM2AncestralDiscrete", { beta_schedule: "squaredcos_cap_v2", use_beta_sigmas: true }).plan({
          steps: 2,
        }),
      /^"steps": expected steps that end above a thousandth/,
    ],
    ["a negative churn", () => scheduler("EulerDiscrete").plan({ steps: 3, sChurn: -1 }), /^"sChurn": /],
    [
      "a second call as a start",
      () => scheduler("HeunDiscrete").plan({ steps: 3, startIndex: 1 }),
      /^"startIndex": expected the index of a step's first call, one of 0, 2, 4/,
    ],
  ];
  for (const [title, attempt, message] of refusals) {
    it(title, () => {
      expect(attempt).toThrow(message);
    });
  }
});
