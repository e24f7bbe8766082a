// Methods that are the same method, coefficient by coefficient.
import { describe, expect, it } from "vitest";
import { createPlan, type Plan, type PlanOptions, vpLinear } from "../../src/index.ts";
import type { Combine, PlanStep } from "../../src/plan/plan.ts";
import { wasm } from "../../src/wasm/module.ts";
import { lambdaGrid, schedules } from "../support/problems.ts";
import { spaces } from "../support/solvers.ts";

const combinations = (step: PlanStep): Combine[] => step.operations.filter((o) => o.kind === "combine");

/** Returns the coefficients of the combination that makes a state, by the value they belong to. */
function coefficients(step: PlanStep, of = step.state): Map<number, number> {
  const made = combinations(step).find(({ to }) => to === of) as Combine;
  return new Map(made.terms.map(([c, from]) => [from, c]));
}

/** Expects two plans of the same structure with coefficients that agree to rounding. */
function expectSame(a: Plan, b: Plan, title: string): void {
  expect(a.steps.length).toBe(b.steps.length);
  for (const [k, step] of a.steps.entries()) {
    const other = b.steps[k] as PlanStep;
    expect(
      step.operations.map((o) => [o.kind, o.to]),
      title,
    ).toEqual(other.operations.map((o) => [o.kind, o.to]));
    for (const [i, made] of combinations(step).entries()) {
      const same = combinations(other)[i] as Combine;
      const largest = Math.max(...made.terms.map(([c]) => Math.abs(c)));
      const mine = new Map(made.terms.map(([c, from]) => [from, c]));
      const theirs = new Map(same.terms.map(([c, from]) => [from, c]));
      for (const from of new Set([...mine.keys(), ...theirs.keys()])) {
        const difference = Math.abs((mine.get(from) ?? 0) - (theirs.get(from) ?? 0));
        expect(difference / largest, `${title}, step ${k}, coefficient of ${from}`).toBeLessThan(1e-12);
      }
    }
  }
}

const everywhere = Object.entries(schedules).flatMap(([name, make]) =>
  spaces.map((predict) => ({ name, schedule: make(), predict })),
);

describe.each(everywhere)("on $name, in space $predict,", ({ schedule, predict }) => {
  const plan = (o: Omit<PlanOptions, "schedule">) => createPlan({ schedule, predict, steps: 8, ...o });

  it("UniP of order 1, DPM-Solver of order 1 and DDIM are one method", () => {
    const ddim = plan({ solver: "ddim" });
    expectSame(plan({ solver: "dpmpp", order: 1 }), ddim, "dpmpp");
    for (const variant of ["bh1", "bh2"] as const) {
      expectSame(plan({ solver: "unipc", order: 1, variant, corrector: false }), ddim, variant);
    }
  });

  it("DPM-Solver of order 2 is UniP-2 with B(h) = e^h − 1", () => {
    for (const lowerOrderFinal of [true, false]) {
      const unip = plan({ solver: "unipc", order: 2, variant: "bh2", corrector: false, lowerOrderFinal });
      expectSame(plan({ solver: "dpmpp", order: 2, lowerOrderFinal }), unip, `lowerOrderFinal ${lowerOrderFinal}`);
    }
  });

  it("DPM-Solver of order 2 with the exact integral (heun) is DEIS of order 2", () => {
    for (const lowerOrderFinal of [true, false]) {
      const deis = plan({ solver: "deis", order: 2, lowerOrderFinal });
      const heun = plan({ solver: "dpmpp", order: 2, variant: "heun", lowerOrderFinal });
      expectSame(heun, deis, `lowerOrderFinal ${lowerOrderFinal}`);
    }
  });

  it("a last Euler step is all that lowering the order at the end means at order 2", () => {
    const euler = plan({ solver: "dpmpp", order: 2, eulerFinal: true, lowerOrderFinal: false });
    expectSame(euler, plan({ solver: "dpmpp", order: 2 }), "order 2");
  });

  it("bh1 and bh2 differ only where a weight is not solved for: predictors of order 2, correctors of order 1", () => {
    const [bh1, bh2] = (["bh1", "bh2"] as const).map((variant) =>
      plan({ solver: "unipc", order: 4, variant, lowerOrderFinal: false }),
    ) as [Plan, Plan];
    const differs = (k: number, index: number) => {
      const [a, b] = [bh1, bh2].map((p) => combinations(p.steps[k] as PlanStep)[index]) as [Combine, Combine];
      const largest = Math.max(...a.terms.map(([c]) => Math.abs(c)));
      return a.terms.some(([c], i) => Math.abs(c - (b.terms[i]?.[0] as number)) > 1e-11 * largest);
    };
    // In noise space the combinations that show x₀ stand before the predictor and before the corrector, or between them.
    const states = bh1.steps.map((step) => {
      const own = combinations(step).filter(({ to }) => !step.outputs.some(({ denoised }) => denoised === to));
      return own.map((made) => combinations(step).indexOf(made));
    });
    const found = states.map((indices, k) => indices.map((index) => differs(k, index)));
    // Steps of order 1, 2, 3, 4, 4, …: predictor and corrector each, no corrector in the last.
    const wanted = [[false, true], [true, false], ...Array.from({ length: 5 }, () => [false, false]), [false]];
    expect(found).toEqual(wanted);
  });

  it("a corrector that is off in every step is none, and the last step never has one", () => {
    for (const order of [1, 2, 3]) {
      const off = plan({ solver: "unipc", order, corrector: false });
      const disabled = plan({ solver: "unipc", order, disableCorrector: [0, 1, 2, 3, 4, 5, 6, 7] });
      expect(disabled.steps).toEqual(off.steps);
      const on = plan({ solver: "unipc", order });
      expect(plan({ solver: "unipc", order, disableCorrector: [7] }).steps).toEqual(on.steps);
      expect(plan({ solver: "unipc", order, disableCorrector: [3] }).steps).not.toEqual(on.steps);
    }
  });

  it("a stochastic share of 0 draws nothing, and of less than 1 draws in every step", () => {
    expect(plan({ solver: "ddim", eta: 0 }).draws).toBe(0);
    expect(plan({ solver: "ddim", eta: 0.3 }).draws).toBe(8);
  });

  it("an order above the number of steps is never reached", () => {
    expect(plan({ solver: "unipc", order: 50, steps: 4 }).steps).toEqual(
      plan({ solver: "unipc", order: 4, steps: 4 }).steps,
    );
  });

  it("every solver calls the model once a step", () => {
    for (const solver of ["unipc", "dpmpp", "ddim"]) {
      for (const steps of [1, 2, 3, 9]) expect(plan({ solver, steps }).nfe).toBe(steps);
    }
  });
});

describe("DPM-Solver of order 3", () => {
  it.each(spaces)("takes half of the second difference that UniP-3 takes, in space %s", (predict) => {
    const schedule = vpLinear();
    const grid = lambdaGrid(schedule, -3, 2, 9).map((t, i) => t * (1 - 0.003 * (i % 3)));
    const [dpm, unip] = [
      createPlan({ schedule, grid, predict, solver: "dpmpp", order: 3, lowerOrderFinal: false }),
      createPlan({ schedule, grid, predict, solver: "unipc", order: 3, corrector: false, lowerOrderFinal: false }),
    ];
    for (let k = 2; k < 9; k++) {
      const [l0, l1, l2, end] = [k, k - 1, k - 2, k + 1].map((i) => schedule.lambda(grid[i] as number)) as [
        number,
        number,
        number,
        number,
      ];
      const h = end - l0;
      const [r0, r1] = [(l0 - l1) / h, (l1 - l2) / h];
      const z = predict === "sample" ? -h : h;
      const point = dpm.steps[k]?.end as PlanStep["end"];
      const S = predict === "sample" ? point.alpha : point.sigma;
      // D₂ = ((m₀ − m₁)/r₀ − (m₁ − m₂)/r₁)/(r₀ + r₁) enters as −S·z·φ₃(z)·D₂, once in DPM-Solver and twice in UniP.
      const weight = (-S * z * wasm().phi(3, z)) / (r0 + r1);
      const once = [weight / r0, -weight / r0 - weight / r1, weight / r1];
      const [a, b] = [dpm, unip].map((p) => coefficients(p.steps[k] as PlanStep)) as [
        Map<number, number>,
        Map<number, number>,
      ];
      const history = [k, k - 1, k - 2].map((i) => dpm.steps[i]?.outputs[0]?.value as number);
      expect(history.map((m) => unip.steps.some(({ outputs }) => outputs[0]?.value === m))).toEqual([true, true, true]);
      for (const [i, m] of history.entries()) {
        const difference = (b.get(m) as number) - (a.get(m) as number);
        expect(Math.abs(difference - (once[i] as number)), `step ${k}, m${i}`).toBeLessThan(1e-13);
      }
    }
  });
});
