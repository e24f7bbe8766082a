// Where image to image starts: `get_timesteps` of the pipelines of diffusers 0.42.1.
import { describe, expect, it } from "vitest";
import { schedulerFromConfig } from "../../src/diffusers/index.ts";

const start = (className: string, steps: number, strength: number) =>
  schedulerFromConfig({ _class_name: className }).timetable({ steps, strength });

describe("strength", () => {
  it("is named once among the options of a class that has a rule of its own for it", () => {
    const options = { sigmas: [1, 0.5] };
    expect(() => schedulerFromConfig({ _class_name: "PNDMScheduler" }).timetable(options)).toThrow(
      '"sigmas": unknown option of PNDMScheduler; expected one of steps, strength, tables, startIndex',
    );
  });

  it("rounds the steps that are made down", () => {
    // StableDiffusionImg2ImgPipeline: 10 − int(10 · 0.55)
    expect(start("DDIMScheduler", 10, 0.55)).toMatchObject({ startIndex: 5, timesteps: [400, 300, 200, 100, 0] });
    expect(start("DDIMScheduler", 10, 1).startIndex).toBe(0);
    expect(() => start("DDIMScheduler", 10, 0.05)).toThrow('"strength": expected at least 1/10');
  });

  it("leaves at least one step of the list, which may be longer or shorter than the steps asked for", () => {
    // "trailing" lists 62 timesteps for 61 steps; betas of IPNDM's own are the list.
    const longer = schedulerFromConfig({ _class_name: "DDIMScheduler", timestep_spacing: "trailing" });
    expect(longer.timetable({ steps: 61, strength: 0.5 }).startIndex).toBe(31);
    expect(() => longer.timetable({ steps: 61, strength: 0 })).toThrow('"strength": expected at least 1/61');
    const shorter = schedulerFromConfig({ _class_name: "IPNDMScheduler", trained_betas: [1, 0.6, 0.2, 0] });
    expect(shorter.timetable({ steps: 4, strength: 0.5 }).timesteps).toHaveLength(1);
    expect(() => shorter.timetable({ steps: 4, strength: 0.25 })).toThrow('"strength": expected at least 1/4');
  });

  it("rounds the steps that are left out down where the pipelines are those of flow matching", () => {
    // StableDiffusion3Img2ImgPipeline, FluxImg2ImgPipeline: int(10 − 10 · 0.55)
    expect(start("FlowMatchEulerDiscreteScheduler", 10, 0.55).startIndex).toBe(4);
    expect(start("FlowMatchEulerDiscreteScheduler", 10, 0.05).timesteps).toHaveLength(1);
    // Two calls a step, but for the last.
    expect(start("FlowMatchHeunDiscreteScheduler", 10, 0.55)).toMatchObject({ startIndex: 8 });
    expect(() => start("FlowMatchEulerDiscreteScheduler", 10, 0)).toThrow('"strength": expected');
  });

  it("counts in steps and leaves out calls where PNDM's first step has two", () => {
    const scheduler = schedulerFromConfig({ _class_name: "PNDMScheduler", skip_prk_steps: true });
    // Of 900, 800, 800, 700, …: what is left is run as a whole list is, its first step twice.
    expect(scheduler.timetable({ steps: 10, strength: 0.9 }).timesteps.slice(0, 3)).toEqual([800, 800, 700]);
    expect(scheduler.timetable({ steps: 10, strength: 0.5 }).timesteps).toEqual([500, 400, 300, 200, 100, 0]);
    expect(() => scheduler.plan({ steps: 10, startIndex: 2 })).toThrow('"startIndex": expected 0, got 2');
    expect(() => scheduler.to("PNDMScheduler", { skip_prk_steps: false }).plan({ steps: 10, strength: 0.5 })).toThrow(
      '"strength": expected 1, got 0.5; Runge-Kutta steps have no other start; set skip_prk_steps',
    );
  });
});
