// Which calls of a scheduler's grid are one step (diffusers' get_order_list), and what diffusers fails at.
import { describe, expect, it } from "vitest";
import { schedulerFromConfig } from "../../../src/diffusers/index.ts";

const scheduler = (config: object) => schedulerFromConfig({ _class_name: "DPMSolverSinglestepScheduler", ...config });

/** Returns the number of calls of each step. */
const groups = (config: object, steps: number, startIndex = 0) =>
  scheduler(config)
    .plan({ steps, startIndex })
    .steps.map(({ outputs }) => outputs.length);

describe("calls are grouped", () => {
  const kept = { final_sigmas_type: "sigma_min" };

  it("by the order, the end by what is left", () => {
    expect(groups({ ...kept, solver_order: 3 }, 9)).toEqual([3, 3, 3]);
    expect(groups({ ...kept, solver_order: 3 }, 7)).toEqual([3, 3, 1]);
    expect(groups({ ...kept, solver_order: 3 }, 8)).toEqual([3, 3, 2]);
    expect(groups({ ...kept, solver_order: 2 }, 5)).toEqual([2, 2, 1]);
    expect(groups({ ...kept, solver_order: 1 }, 3)).toEqual([1, 1, 1]);
  });

  it("with a last call of its own where the order is lowered at the end, or no noise is left there", () => {
    for (const config of [{ ...kept, lower_order_final: true }, { final_sigmas_type: "zero" }]) {
      expect(groups({ ...config, solver_order: 3 }, 9)).toEqual([3, 3, 2, 1]);
      expect(groups({ ...config, solver_order: 2 }, 6)).toEqual([2, 2, 1, 1]);
    }
    expect(groups({ final_sigmas_type: "zero", solver_order: 3 }, 8)).toEqual([3, 3, 1, 1]);
  });

  it("anew where a run starts, also within a group", () => {
    expect(groups({ ...kept, solver_order: 3 }, 9, 1)).toEqual([2, 3, 3]);
    expect(groups({ ...kept, solver_order: 3 }, 9, 2)).toEqual([1, 3, 3]);
    expect(groups({ ...kept, solver_order: 3 }, 9, 8)).toEqual([1]);
    const half = scheduler({ ...kept, solver_order: 3 }).plan({ steps: 9, strength: 0.5 });
    expect(half.steps.map(({ outputs }) => outputs.length)).toEqual([1, 3]);
  });
});

describe("what diffusers fails at is refused by name", () => {
  const noise = { algorithm_type: "dpmsolver", final_sigmas_type: "sigma_min" };
  it.each([
    [{ ...noise, thresholding: true }, "thresholding"],
    [{ ...noise, use_flow_sigmas: true, prediction_type: "flow_prediction" }, "algorithm_type"],
    [{ solver_order: 4 }, "solver_order"],
  ])("%o", (config, name) => {
    expect(() => scheduler(config).plan({ steps: 4 })).toThrow(`"${name}": expected`);
  });

  it("an SDE that would end above where it came to", () => {
    // sigma_min takes the grid below the first sigma of the table, 0.01, at which this one ends.
    const config = { use_karras_sigmas: true, sigma_min: 0.001, final_sigmas_type: "sigma_min", solver_order: 1 };
    expect(() => scheduler({ ...config, algorithm_type: "sde-dpmsolver++" }).plan({ steps: 4 })).toThrow(
      '"final_sigmas_type": expected "zero" with this grid',
    );
    expect(scheduler(config).plan({ steps: 4 }).nfe).toBe(4);
  });
});
