import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  createPlan,
  mixtureDenoiser,
  type NoiseSchedule,
  type PredictionType,
  sample,
  vpCosine,
  vpDiscrete,
  vpLinear,
} from "../../src/index.ts";
import { float32Tables } from "../support/float32-tables.ts";
import { referenceEngine } from "../support/reference-engine.ts";

interface Case {
  kind: "unipc" | "dc" | "dc-search";
  schedule: string;
  variant: "bh1" | "bh2";
  prediction: "epsilon" | "sample";
  order: number;
  skip: "time_uniform" | "logSNR" | "time_quadratic";
  steps: number;
  cfg: number | null;
  dcOrder?: number;
  ratios?: number[];
  result: number[][];
}
const golden = JSON.parse(readFileSync(new URL("../fixtures/dc-unipc.json", import.meta.url), "utf8")) as {
  mixture: { means: number[][]; std: number[]; weights: number[]; labels: number[] };
  xT: number[][];
  labels: number[];
  cases: Case[];
};
const cases = golden.cases.filter((c) => c.kind !== "dc-search");

// The reference code ends at 1/1000 on every schedule, which is tMin of each here.
const schedules: Record<string, () => NoiseSchedule> = {
  "discrete-linear": () => vpDiscrete(),
  "discrete-scaled_linear": () => vpDiscrete({ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 }),
  "vp-linear": () => vpLinear(),
  "vp-cosine": () => vpCosine(),
};

// What the float64 runs of the UniPC repository used: see test/support/float32-tables.ts.
const published: Record<string, () => NoiseSchedule> = {
  ...schedules,
  "discrete-linear": () => float32Tables("linear", 1e-4, 0.02),
  "discrete-scaled_linear": () => float32Tables("scaled_linear", 0.00085, 0.012),
};

async function run(c: Case, prediction: PredictionType, exact: boolean): Promise<number> {
  const table = exact && c.kind === "unipc" ? published : schedules;
  const schedule = table[c.schedule]?.() as NoiseSchedule;
  const plan = createPlan({
    schedule,
    steps: c.steps,
    spacing: c.skip,
    solver: "unipc",
    order: c.order,
    variant: c.variant,
    predict: c.prediction,
    ...(c.ratios === undefined ? {} : { ratios: c.ratios, dcOrder: c.dcOrder as number }),
  });
  const noise = exact ? Float64Array.from(golden.xT.flat()) : Float32Array.from(golden.xT.flat());
  const guided =
    c.cfg === null
      ? {}
      : { condition: golden.labels, unconditional: golden.labels.map(() => -1), guidanceScale: c.cfg };
  const { data, nfe } = await sample({
    plan,
    denoiser: mixtureDenoiser({ schedule, ...golden.mixture, prediction }),
    shape: [golden.xT.length, golden.xT[0]?.length as number],
    noise: noise as Float32Array,
    ...guided,
    ...(exact ? { engine: referenceEngine() } : {}),
  });
  expect(nfe).toBe(c.steps);
  const expected = c.result.flat();
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((v, i) => Math.abs(v - (data[i] as number)))) / largest;
}

describe("the authors' trajectories", () => {
  it("are all here", () => {
    expect(cases.filter((c) => c.kind === "unipc")).toHaveLength(60);
    expect(cases.filter((c) => c.kind === "dc")).toHaveLength(40);
  });

  it.each(["epsilon", "sample", "v_prediction", "score"] as const)(
    "are met in float64 at 1e-9 by a network giving %s",
    async (prediction) => {
      for (const c of cases)
        expect(await run(c, prediction, true), JSON.stringify({ ...c, result: [] })).toBeLessThan(1e-9);
    },
  );

  it.each(["epsilon", "sample", "v_prediction", "score"] as const)(
    "are met in float32 by a network giving %s",
    async (prediction) => {
      const errors = (await Promise.all(cases.map((c) => run(c, prediction, false)))).sort((a, b) => a - b);
      expect(errors[errors.length >> 1]).toBeLessThan(5e-6);
      expect(errors.at(-1)).toBeLessThan(1e-2);
    },
  );
});
