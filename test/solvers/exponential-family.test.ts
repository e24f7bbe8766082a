// DEIS, SA-Solver and singlestep DPM-Solver++ against the methods they become, and against integrals they are made of.
import { describe, expect, it } from "vitest";
import { createPlan, type Plan, type PlanOptions, vpDiscrete, vpLinear } from "../../src/index.ts";
import type { Combine, PlanStep } from "../../src/plan/plan.ts";
import { schedules } from "../support/problems.ts";
import { spaces } from "../support/solvers.ts";

/** Returns the coefficients of every combination of a plan. */
function coefficients(plan: Plan): number[] {
  return plan.steps.flatMap(({ operations }) =>
    operations.flatMap((o) => (o.kind === "combine" ? o.terms.map(([c]) => c) : [])),
  );
}

/** Expects two plans of one structure, whose coefficients differ by rounding, a few operations deep. */
function expectSame(a: Plan, b: Plan): void {
  const [one, other] = [coefficients(a), coefficients(b)];
  expect(one).toHaveLength(other.length);
  for (const [i, c] of one.entries())
    expect(Math.abs(c - (other[i] as number))).toBeLessThan(1e-11 * (1 + Math.abs(c)));
}

const everywhere = Object.entries(schedules).flatMap(([name, make]) =>
  spaces.map((predict) => ({ name, schedule: make(), predict })),
);

describe.each(everywhere)("on $name, in space $predict,", ({ schedule, predict }) => {
  const plan = (o: Omit<PlanOptions, "schedule">) => createPlan({ schedule, predict, steps: 7, ...o });

  it("all three are DDIM in order 1", () => {
    const ddim = plan({ solver: "ddim" });
    expectSame(plan({ solver: "deis", order: 1 }), ddim);
    expectSame(plan({ solver: "dpmpp-singlestep", order: 1 }), ddim);
    expectSame(plan({ solver: "sa", order: 1, correctorOrder: 0, tau: [] }), ddim);
  });

  it("SA-Solver without noise and corrector is DEIS", () => {
    // Order 2 of data prediction has a term of its own.
    const order = predict === "sample" ? 3 : 2;
    const [sa, deis] = [plan({ solver: "sa", order, correctorOrder: 0, tau: [] }), plan({ solver: "deis", order })];
    const own = predict === "sample" ? [1, 5] : [];
    for (const [k, step] of sa.steps.entries()) {
      const same = { steps: [deis.steps[k] as PlanStep] } as unknown as Plan;
      if (!own.includes(k)) expectSame({ steps: [step] } as unknown as Plan, same);
    }
  });

  it("SA-Solver draws in every step, or not at all", () => {
    expect(plan({ solver: "sa" }).draws).toBe(7);
    expect(plan({ solver: "sa", tau: [[0, 0, 0]] }).draws).toBe(7);
    expect(plan({ solver: "sa", tau: [] }).draws).toBe(0);
  });

  it("a singlestep solver calls the network as often as its order says, and its SDE draws at every call", () => {
    for (const sde of [false, true]) {
      const lowered = plan({ solver: "dpmpp-singlestep", order: 3, sde });
      expect([lowered.nfe, lowered.draws]).toEqual([5 * 3 + 2 + 1, sde ? 18 : 0]);
      const full = plan({ solver: "dpmpp-singlestep", order: 3, sde, lowerOrderFinal: false });
      expect([full.nfe, full.draws]).toEqual([7 * 3, sde ? 21 : 0]);
    }
  });
});

it("SA-Solver of tau 1 everywhere, in order 1, is DDIM with eta 1 and the SDE form of DPM-Solver++", () => {
  const options = { schedule: vpLinear(), steps: 6 };
  const sa = createPlan({ ...options, solver: "sa", order: 1, correctorOrder: 0, tau: [[-1, 2000, 1]] });
  expectSame(sa, createPlan({ ...options, solver: "dpmpp-singlestep", order: 1, sde: true }));
  const sums = (plan: Plan) =>
    plan.steps.map(({ operations }) => {
      const { terms } = operations.find((o): o is Combine => o.kind === "combine") as Combine;
      return terms.map(([c]) => c).toSorted();
    });
  const ddim = sums(createPlan({ ...options, solver: "ddim", eta: 1 }));
  for (const [k, step] of sums(sa).entries()) {
    for (const [i, c] of step.entries()) expect(Math.abs(c - (ddim[k]?.[i] as number))).toBeLessThan(1e-12);
  }
});

it("tau follows what the network is told", () => {
  const plan = createPlan({ schedule: vpDiscrete(), steps: 10, solver: "sa", tau: [[300, 600, 0.5]] });
  for (const { start, operations } of plan.steps) {
    const draw = operations.find(({ kind }) => kind === "draw")?.to;
    const used = operations.some((o) => o.kind === "combine" && o.terms.some(([, from]) => from === draw));
    const told = vpDiscrete().modelTime(start.t);
    expect(used, `told ${told}`).toBe(told >= 300 && told <= 600);
  }
});

describe("intermediate times of singlestep DPM-Solver++", () => {
  const schedule = vpLinear();
  const plan = (intermediate: number[][], rest: Partial<PlanOptions> = {}) =>
    createPlan({ schedule, grid: [1, 0.6, 0.2], solver: "dpmpp-singlestep", intermediate, ...rest });

  it("say where and how often a step calls the network", () => {
    const { steps } = plan([[0.8, 0.7], []]);
    const times = steps.map(({ outputs }) => outputs.map(({ t }) => t));
    expect(times).toEqual([[1, 0.8, 0.7], [0.6]]);
  });

  it("are the equal parts of a step in lambda where none are given", () => {
    const third = (from: number, to: number, i: number) =>
      schedule.time(schedule.lambda(from) + (i / 3) * (schedule.lambda(to) - schedule.lambda(from)));
    const given = [
      [third(1, 0.6, 1), third(1, 0.6, 2)],
      [third(0.6, 0.2, 1), third(0.6, 0.2, 2)],
    ];
    expectSame(plan(given), plan([], { order: 3, lowerOrderFinal: false }));
  });

  it("are refused by name where they do not fall within the step", () => {
    expect(() => plan([[0.5], []])).toThrow('"intermediate[0]": expected times that fall from 1 to 0.6');
    expect(() => plan([[0.8, 0.9], []])).toThrow('"intermediate[0]": expected times that fall');
    expect(() => plan([[0.9, 0.8, 0.7], []])).toThrow('"intermediate[0]": expected at most two times');
    expect(() => plan([[0.8, Number.NaN], []])).toThrow('"intermediate[0][1]": expected a finite number');
  });
});

it("a tau that is no list of intervals is refused by name", () => {
  const plan = (tau: unknown) => createPlan({ schedule: vpLinear(), steps: 2, solver: "sa", tau } as PlanOptions);
  expect(() => plan(1)).toThrow('"tau": expected a list of [from, to, tau]');
  expect(() => plan([[1, 2]])).toThrow('"tau[0]": expected [from, to, tau]');
  expect(() => plan([[1, 2, -1]])).toThrow('"tau[0][2]": expected a finite number ≥ 0');
});
