import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  compensate,
  createPlan,
  type Denoiser,
  mixtureDenoiser,
  type NoiseSchedule,
  sample,
  sampleSteps,
  searchRatios,
  vpDiscrete,
} from "../../src/index.ts";

interface Published {
  kind: string;
  schedule: "discrete-linear" | "discrete-scaled_linear";
  variant: "bh1" | "bh2";
  prediction: "epsilon" | "sample";
  order: number;
  skip: "time_uniform";
  steps: number;
  cfg: number | null;
  dcOrder: number;
  targetIndex: number[];
  ratios: number[];
  x10: number[][];
  y10: number[];
  x40: number[][];
  y40: number[];
  mseUniPC: number;
  mseDC: number;
  groundTruth40: number[][];
}
const golden = JSON.parse(readFileSync(new URL("../fixtures/dc-unipc.json", import.meta.url), "utf8")) as {
  mixture: { means: number[][]; std: number[]; weights: number[]; labels: number[] };
  cases: Published[];
};
const published = golden.cases.filter((c) => c.kind === "dc-search");

function problem(c: Published) {
  const scaled = { betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 } as const;
  const schedule: NoiseSchedule = vpDiscrete(c.schedule === "discrete-linear" ? {} : scaled);
  const exact = mixtureDenoiser({ schedule, ...golden.mixture });
  let calls = 0;
  // One batched run a guided pair, so that a call of the network is a call of the contract.
  const denoiser: Denoiser<readonly number[]> = {
    prediction: exact.prediction,
    predict: (input) => {
      calls++;
      return exact.predict(input);
    },
    predictGuided: async ({ unconditional, ...input }) => {
      calls++;
      const conditional = await exact.predict(input);
      return { conditional, unconditional: await exact.predict({ ...input, condition: unconditional }) };
    },
  };
  const plan = createPlan({
    schedule,
    steps: c.steps,
    spacing: c.skip,
    order: c.order,
    variant: c.variant,
    predict: c.prediction,
    dcOrder: c.dcOrder,
  });
  const run = (x: number[][], y: number[]) => ({
    denoiser: exact,
    shape: [x.length, x[0]?.length as number],
    noise: Float32Array.from(x.flat()),
    ...(c.cfg === null ? {} : { condition: y, unconditional: y.map(() => -1), guidanceScale: c.cfg }),
  });
  return { schedule, plan, denoiser, run, calls: () => calls };
}

const meanSquare = (a: Float32Array, b: ArrayLike<number>) =>
  a.reduce((sum, v, i) => sum + (v - (b[i] as number)) ** 2, 0) / a.length;

describe("the published searches", () => {
  it("are all here", () => {
    expect(published).toHaveLength(4);
  });

  it.each(published.map((c) => [`${c.schedule}, guidance ${c.cfg}, ${c.steps} steps`, c] as const))(
    "are matched by forward passes: %s",
    async (name, c) => {
      const { schedule, plan, denoiser, run, calls } = problem(c);
      const search = run(c.x10, c.y10);
      // The states that the published code compared with: DDIM on linspace(1, 1e-3, 201).
      const fine = createPlan({
        schedule,
        grid: Array.from({ length: 201 }, (_, j) => 1 + ((1e-3 - 1) * j) / 200),
        solver: "ddim",
      });
      const trajectory: Float32Array[] = [search.noise];
      for await (const { x } of sampleSteps({ ...search, plan: fine })) trajectory.push(x);
      const states = [search.noise, ...c.targetIndex.map((j) => trajectory[j] as Float32Array)];

      const spent: number[] = [];
      const found = await searchRatios({
        ...search,
        denoiser,
        plan,
        reference: { grid: plan.grid, states },
        onStep: (e) => spent.push(e.nfe),
      });
      const loss = async (ratios: number[]) => {
        let sum = 0;
        for await (const { step, x } of sampleSteps({ ...search, plan: compensate(plan, ratios) })) {
          sum += meanSquare(x, states[step + 1] as Float32Array);
        }
        return sum;
      };
      expect(await loss(found.ratios)).toBeLessThanOrEqual(1.02 * (await loss(c.ratios)));
      expect(found.ratios.every((r) => r >= 0.25 && r <= 2)).toBe(true);
      expect(found.nfe).toEqual({ reference: 0, search: calls() });
      // A step spends at most 9 looks; the first also pays for the call at grid[0], the run without ratios comes on top.
      expect(Math.max(...spent.slice(1))).toBeLessThanOrEqual(9);
      expect(spent.reduce((a, b) => a + b)).toBe(found.nfe.search - c.steps);

      const held = run(c.x40, c.y40);
      const truth = c.groundTruth40.flat();
      const mse = async (ratios?: number[]) =>
        meanSquare((await sample({ ...held, plan: ratios ? compensate(plan, ratios) : plan })).data, truth).toPrecision(
          4,
        );
      console.log(
        `${name}: held out ${await mse()} without, ${await mse(found.ratios)} with; ` +
          `published ${c.mseUniPC.toPrecision(4)} without, ${c.mseDC.toPrecision(4)} with`,
      );
    },
  );
});
