// Values that a file may hold and no constructor looks at: what diffusers 0.42.1 makes of them.
import { describe, expect, it } from "vitest";
import { schedulerFromConfig } from "../../src/diffusers/index.ts";
import type { Churn } from "../../src/plan/plan.ts";

const plan = (className: string, config: object, steps = 5) =>
  schedulerFromConfig({ _class_name: className, ...config }).plan({ steps });
const last = (config: object) => plan("DDIMScheduler", config).steps.at(-1)?.operations.at(-1);

describe("null in a configuration", () => {
  it("is not the default: set_alpha_to_one null is false", () => {
    expect(last({ set_alpha_to_one: null })).toEqual(last({ set_alpha_to_one: false }));
    expect(last({ set_alpha_to_one: null })).not.toEqual(last({ set_alpha_to_one: true }));
  });

  it("of sample_max_value is a quantile without an end", () => {
    const { thresholding } = plan("DDIMScheduler", { thresholding: true, sample_max_value: null }).options;
    expect(thresholding).toEqual({ ratio: 0.995, maxValue: 1 });
  });

  it("is refused where diffusers compares names", () => {
    for (const key of ["interpolation_type", "final_sigmas_type"])
      expect(() => plan("EulerDiscreteScheduler", { [key]: null })).toThrow(`"${key}": expected`);
  });
});

describe("what Python cannot compute with is refused by the name of the argument", () => {
  it("offsets that are no integers, where timesteps are integers", () => {
    for (const steps_offset of [null, 0.5, "1", []]) {
      const config = { timestep_spacing: "leading", steps_offset };
      for (const name of ["DDIMScheduler", "DDPMScheduler", "UniPCMultistepScheduler"])
        expect(() => plan(name, config), name).toThrow('"steps_offset": expected an integer');
    }
    const half = { timestep_spacing: "leading", steps_offset: 0.5 };
    expect(plan("EulerDiscreteScheduler", half).steps[0]?.operations[0]).toMatchObject({ modelTime: 800.5 });
    expect(() => plan("DDIMScheduler", { ...half, timestep_spacing: "trailing" })).not.toThrow();
  });

  it("ends of sigma grids, also those that a class ignores and keeps", () => {
    for (const name of ["EulerDiscreteScheduler", "DPMSolverMultistepScheduler"])
      expect(() => plan(name, { use_karras_sigmas: true, sigma_max: "14.6" })).toThrow(
        '"sigma_max": expected a finite',
      );
  });

  it("bounds of thresholding and clipping", () => {
    const config = { thresholding: true, dynamic_thresholding_ratio: 2 };
    expect(() => plan("DDIMScheduler", config)).toThrow('"dynamic_thresholding_ratio": expected a number from 0 to 1');
    expect(() => plan("HeunDiscreteScheduler", { clip_sample: true, clip_sample_range: 0 })).toThrow(
      '"clip_sample_range": expected a finite number > 0, got 0',
    );
  });

  it("a first beta of 0 in SA-Solver, whose last step would be infinite in lambda", () => {
    expect(() => plan("SASolverScheduler", { beta_start: 0 })).toThrow(
      '"beta_start": expected a first beta > 0, got 0',
    );
  });
});

describe("churn of a run that starts late", () => {
  const churn = (className: string, startIndex: number) => {
    const scheduler = schedulerFromConfig({ _class_name: className });
    const { options, steps } = scheduler.plan({ steps: 10, startIndex, sChurn: 2, sTmax: Infinity });
    return { ...(options.churn as Churn), steps: steps.length };
  };

  it("is the share of the whole list of sigmas, as diffusers divides", () => {
    // Ten sigmas and 0; Heun's list has all but the first twice, and 0.
    for (const [name, startIndex, intervals] of [
      ["EulerDiscreteScheduler", 4, 10],
      ["FlowMatchHeunDiscreteScheduler", 8, 19],
    ] as const) {
      const whole = churn(name, 0);
      const late = churn(name, startIndex);
      expect([whole.steps, late.steps]).toEqual([10, 6]);
      for (const { amount, steps } of [whole, late]) expect(amount / steps).toBeCloseTo(2 / intervals, 14);
      // Infinity, which JSON does not keep, is left out.
      expect(whole).not.toHaveProperty("to");
    }
  });
});
