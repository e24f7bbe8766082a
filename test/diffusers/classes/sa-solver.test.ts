import { describe, expect, it } from "vitest";
import { schedulerFromConfig } from "../../../src/diffusers/index.ts";

const plan = (config: object, steps: number) =>
  schedulerFromConfig({ _class_name: "SASolverScheduler", ...config }).plan({ steps });

describe("SA-Solver of diffusers", () => {
  it("draws in every step, and uses the noise from timestep 800 to 200", () => {
    const { steps, draws } = plan({}, 10);
    expect(draws).toBe(10);
    const noisy = steps.map(({ operations }) => {
      const draw = operations.find(({ kind }) => kind === "draw")?.to;
      return operations.some((o) => o.kind === "combine" && o.terms.some(([, from]) => from === draw));
    });
    // 999, 899, 799, 699, 599, 500, 400, 300, 200, 100
    expect(noisy).toEqual([false, false, true, true, true, true, true, true, true, false]);
  });

  it("takes orders above 4 where a run is too short to reach them, and refuses them elsewhere", () => {
    expect(plan({ predictor_order: 9, corrector_order: 9 }, 5).nfe).toBe(5);
    expect(() => plan({ predictor_order: 5 }, 9)).toThrow('"predictor_order": expected an integer from 1 to 4, got 5');
    expect(() => plan({ corrector_order: 5 }, 9)).toThrow('"corrector_order": expected an integer from 1 to 4, got 5');
    expect(() => plan({ predictor_order: 5, lower_order_final: false }, 5)).toThrow('"predictor_order"');
  });

  it.each([
    [{ corrector_order: 0 }, "corrector_order"],
    [{ tau_func: "lambda t: 1" }, "tau_func"],
    [{ algorithm_type: "noise_prediction", thresholding: true }, "thresholding"],
    [
      { algorithm_type: "noise_prediction", use_flow_sigmas: true, prediction_type: "flow_prediction" },
      "algorithm_type",
    ],
  ])("refuses %o by name", (config, name) => {
    expect(() => plan(config, 4)).toThrow(`"${name}": expected`);
  });
});
