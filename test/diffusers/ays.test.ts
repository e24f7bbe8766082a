import { describe, expect, it } from "vitest";
import { ays, aysTimes } from "../../src/diffusers/ays.ts";
import { schedulerFromConfig } from "../../src/diffusers/index.ts";
import { createPlan, edm, flow, vpDiscrete } from "../../src/index.ts";

// Printed by diffusers 0.42.1: AysSchedules of diffusers.schedulers.
const published = {
  sd15: {
    timesteps: [999, 850, 736, 645, 545, 455, 343, 233, 124, 24],
    sigmas: [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.0],
  },
  sdxl: {
    timesteps: [999, 845, 730, 587, 443, 310, 193, 116, 53, 13],
    sigmas: [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.38, 0.234, 0.113, 0.0],
  },
  svd: {
    timesteps: undefined,
    sigmas: [700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.0],
  },
} as const;
const models = ["sd15", "sdxl", "svd"] as const;
const stableDiffusion = { betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 } as const;
const config = {
  _class_name: "DDIMScheduler",
  ...{ beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012, num_train_timesteps: 1000 },
};

describe("ays", () => {
  it.each(models)("gives %s's published numbers at ten steps", (model) => {
    expect(ays(model)).toEqual(published[model]);
    expect(ays(model, 10)).toEqual(ays(model));
  });

  it("interpolates linearly in the logarithm at other numbers of steps", () => {
    // numpy 2.4.6: exp(interp(linspace(0, 1, 8), linspace(0, 1, 11), log(levels reversed))) reversed, levels with 0.029 at the end.
    const expected = [
      14.614999999999997, 5.18810021608854, 2.838839130510646, 1.7306582839806846, 1.070780181834112, 0.607826711232372,
      0.22986372174167363, 0,
    ];
    const { sigmas } = ays("sd15", 7);
    expect(sigmas).toHaveLength(8);
    // Logarithm and exponential of either library are within a few units in the last place.
    for (const [i, sigma] of sigmas.entries()) expect(Math.abs(sigma - (expected[i] as number))).toBeLessThan(1e-13);
    const twice = ays("sdxl", 20).sigmas;
    expect(twice.filter((_, i) => i % 2 === 0)).toEqual(published.sdxl.sigmas);
  });

  it("tells the network the training timesteps nearest to interpolated levels", () => {
    for (const [model, steps] of [
      ["sd15", 5],
      ["sdxl", 5],
      ["sd15", 20],
      ["sdxl", 20],
    ] as const) {
      const stride = 10 / steps;
      const { timesteps = [] } = ays(model, steps);
      const shared = timesteps.map((t, i) => [t, published[model].timesteps[i * stride]] as const);
      // Of the published ones, 124 alone is not the nearest: its level 0.399 lies between those of 124 and 125, nearer to 125.
      for (const [t, at] of shared) if (at !== undefined) expect(t).toBe(at === 124 ? 125 : at);
      expect(timesteps).toHaveLength(steps);
    }
    expect(ays("sd15", 1)).toEqual({ timesteps: [999], sigmas: [14.615, 0] });
  });

  it("refuses unknown models and more steps than there are timesteps for", () => {
    expect(() => ays("sd3" as "sd15")).toThrow(/"model": expected one of "sd15", "sdxl", "svd", got "sd3"/);
    expect(() => ays("sd15", 0)).toThrow(/"steps": expected an integer from 1 to 1000, got 0/);
    expect(() => ays("sd15", 1000)).toThrow(/"steps": expected so few that no two fall on the timestep \d+, got 1000/);
  });

  it("refuses more steps than there are training timesteps, for svd too", () => {
    expect(() => ays("svd", 2 ** 31)).toThrow('"steps": expected an integer from 1 to 1000, got 2147483648');
  });

  it("is what a scheduler's timetable takes", () => {
    const scheduler = schedulerFromConfig(config).to("DPMSolverMultistepScheduler");
    const { timesteps } = ays("sdxl");
    const made = scheduler.timetable({ timesteps: timesteps as number[] });
    expect(made.timesteps).toEqual(published.sdxl.timesteps);
    // The published sigmas are those of the table at these timesteps to about half a percent.
    for (const [i, sigma] of (made.sigmas ?? []).entries()) {
      const level = published.sdxl.sigmas[i] as number;
      expect(Math.abs(sigma - level)).toBeLessThanOrEqual(0.015 * level);
    }
    expect(scheduler.plan({ timesteps: timesteps as number[] }).nfe).toBe(10);
  });
});

describe("aysTimes", () => {
  it("gives times whose levels are the published ones", () => {
    const levels = {
      sd15: [...published.sd15.sigmas.slice(0, -1), 0.029],
      svd: [...published.svd.sigmas.slice(0, -1), 0.002],
    };
    for (const [model, schedule] of [
      ["sd15", vpDiscrete(stableDiffusion)],
      ["sd15", flow()],
      ["svd", edm({ sigmaMax: 700 })],
    ] as const) {
      const times = aysTimes(model, schedule);
      expect(times).toHaveLength(11);
      for (const [i, t] of times.entries()) {
        const level = schedule.sigma(t) / schedule.alpha(t);
        const end = t === schedule.tMax || t === schedule.tMin;
        // Ends are the schedule's own where they agree to the published decimals; the rest is rounding of time and level.
        expect(Math.abs(level - (levels[model][i] as number))).toBeLessThan(end ? 5e-4 : 1e-9 * level);
      }
    }
  });

  it("ends where Stable Diffusion's own schedule does", () => {
    const schedule = vpDiscrete(stableDiffusion);
    const times = aysTimes("sdxl", schedule, 6);
    expect([times[0], times[6]]).toEqual([schedule.tMax, schedule.tMin]);
    expect(createPlan({ schedule, grid: times, solver: "dpmpp" }).nfe).toBe(6);
  });
});
