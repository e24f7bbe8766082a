// Shifts that rounding takes above 1.
import { describe, expect, it } from "vitest";
import { schedulerFromConfig } from "../../../src/diffusers/index.ts";

const classes = ["FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler"];

describe("shifts of which float32 makes a first sigma above 1", () => {
  it.each([
    // Printed by diffusers 0.42.1: FlowMatchEulerDiscreteScheduler(shift=…), set_timesteps(4).
    [1.32, 1.0000001192092896, 0.7256691455841064, 1000.0001220703125],
    [0.54, 1.000000238418579, 0.5194332003593445, 1000.000244140625],
    [0.2, 1.0000005960464478, 0.28577563166618347, 1000.0006103515625],
  ])("list what diffusers lists: %d", (shift, first, second, told) => {
    const scheduler = schedulerFromConfig({ _class_name: "FlowMatchEulerDiscreteScheduler", shift });
    const { sigmas, timesteps } = scheduler.timetable({ steps: 4 });
    expect(sigmas?.slice(0, 2)).toEqual([first, second]);
    expect(timesteps[0]).toBe(told);
  });

  it.each(classes)("are runs that begin without signal, as those of other shifts are: %s", (className) => {
    for (const tables of ["float32", "float64"] as const) {
      for (let percent = 5; percent <= 400; percent++) {
        const scheduler = schedulerFromConfig({ _class_name: className, shift: percent / 100 });
        // At 0.05 two roundings of 6e-8, each divided by the shift twice: 2.4e-5 at most.
        expect(scheduler.plan({ steps: 4, tables }).steps[0]?.start.alpha, `${percent} %`).toBeLessThan(2.4e-5);
      }
    }
  });

  it("are refused where they are no shift of a sigma", () => {
    const scheduler = schedulerFromConfig({ _class_name: "FlowMatchEulerDiscreteScheduler", shift: -2 });
    expect(() => scheduler.plan({ steps: 4 })).toThrow(
      /^"sigmas\[\d\]": expected a shifted sigma > 0, at most 1, got /,
    );
  });
});
