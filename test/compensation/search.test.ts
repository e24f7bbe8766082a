// The ratio search on exact mixtures: what is in closed form beats a dense scan, every model call is counted, what stops can go on.
import { describe, expect, it } from "vitest";
import { refine } from "../../src/compensation/reference.ts";
import {
  compensate,
  createPlan,
  type Denoiser,
  edm,
  flow,
  mixtureDenoiser,
  type Plan,
  type PlanOptions,
  type RatioSearch,
  type RatioSearchEvent,
  type RatioSearchOptions,
  ratioSearchFromJSON,
  sample,
  sampleSteps,
  searchRatios,
  vpCosine,
  vpDiscrete,
  vpLinear,
} from "../../src/index.ts";
import { expectError, type Row, wrong } from "../errors/table.ts";

type Labels = readonly number[];
type Options = RatioSearchOptions<Labels>;

const schedule = vpDiscrete();
const components = {
  means: [
    [0.8, -0.4, 0.1, 0.6],
    [-0.7, 0.5, 0.3, -0.2],
    [0.2, 0.9, -0.6, -0.8],
  ],
  std: [0.25, 0.15, 0.3],
  weights: [1, 2, 1],
};
const mixture = mixtureDenoiser({ schedule, ...components });
const condition = [0, 1, 2, 0, 1];
const none = condition.map(() => -1);
const shape = [5, 4];
const guided = { condition, unconditional: none, guidanceScale: 3 } as const;

/** A denoiser that counts its calls, with or without a batched form of guided pairs (one call). */
function counting(batched = true) {
  const counted = {
    calls: 0,
    denoiser: {
      prediction: mixture.prediction,
      predict: (input) => {
        counted.calls++;
        return mixture.predict(input);
      },
    } as Denoiser<Labels>,
  };
  if (!batched) return counted;
  counted.denoiser.predictGuided = async ({ unconditional, ...input }) => {
    counted.calls++;
    const conditional = await mixture.predict(input);
    return { conditional, unconditional: await mixture.predict({ ...input, condition: unconditional }) };
  };
  return counted;
}

function planOf(o: Omit<PlanOptions, "schedule"> = {}): Plan {
  return createPlan({ schedule, ...(o.grid === undefined ? { steps: 5 } : {}), ...o });
}

const base = { plan: planOf(), denoiser: mixture, shape, seed: 0, reference: { steps: 40 } };
const search = (o: Partial<Options> = {}): Promise<RatioSearch> => searchRatios<Labels>({ ...base, ...o });

function meanSquare(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return sum / a.length;
}

/** Returns a reference made without the library's own: states at every time of a grid three times as fine as the plan's. */
async function madeReference(
  plan: Plan,
  o: Partial<Options> = {},
): Promise<{ grid: number[]; states: Float32Array[] }> {
  const grid = Array.from(plan.grid).flatMap((t, k, all) => {
    const next = all[k + 1];
    return next === undefined ? [t] : [t, (2 * t + next) / 3, (t + 2 * next) / 3];
  });
  const { condition, unconditional, guidanceScale, seed } = { ...base, ...o };
  const fine = createPlan({ schedule, grid, solver: "ddim" });
  const call = { condition, unconditional, guidanceScale } as { condition: Labels };
  const states: Float32Array[] = [];
  for await (const { x } of sampleSteps<Labels>({
    plan: fine,
    denoiser: mixture,
    shape,
    seed: seed as number,
    ...call,
  })) {
    states.push(x);
  }
  return { grid, states: [states[0] as Float32Array, ...states] };
}

describe("where no model call lies between ratio and state", () => {
  const kinds: [string, Partial<Options>, Omit<PlanOptions, "schedule">][] = [
    ["plain", {}, {}],
    ["guided", guided, {}],
    ["thresholded", guided, { thresholding: { ratio: 0.6, maxValue: 0.5 } }],
  ];
  const solvers: Omit<PlanOptions, "schedule">[] = [
    { solver: "ddim" },
    { solver: "dpmpp" },
    { solver: "dpmpp", order: 3 },
    { solver: "unipc", corrector: false },
    { solver: "unipc", order: 3, variant: "bh1", corrector: false },
  ];
  const cases = solvers.flatMap((solver, i) =>
    (["sample", "epsilon"] as const).flatMap((predict, j) =>
      [1, 2, 3].map((dcOrder, k) => {
        const [kind, run, more] = kinds[(i + j + k) % 3] as (typeof kinds)[0];
        return {
          title: `${kind} ${JSON.stringify({ ...solver, predict, dcOrder })}`,
          run,
          solver,
          predict,
          dcOrder,
          more,
        };
      }),
    ),
  );

  it.each(cases)("$title: no ratio of 1001 is better, and none costs a call", async (c) => {
    const plan = planOf({ ...c.solver, predict: c.predict, dcOrder: c.dcOrder, ...c.more });
    const counted = counting();
    const reference = await madeReference(plan, c.run);
    const spent: number[] = [];
    const found = await search({
      ...c.run,
      plan,
      denoiser: counted.denoiser,
      reference,
      onStep: (e) => spent.push(e.nfe),
    });
    expect(spent).toEqual([1, 1, 1, 1, 1]);
    expect([found.nfe.reference, found.nfe.search, counted.calls]).toEqual([0, 10, 10]);
    await scan(plan, found, reference.states.at(-1) as Float32Array, plan.steps.length - 1, c.run);
    if (c.dcOrder === 2) await scan(plan, found, reference.states[9] as Float32Array, 2, c.run);
  });

  it("is so too in the last step of a plan with corrector", async () => {
    for (const order of [2, 3]) {
      const plan = planOf({ order });
      const reference = await madeReference(plan, guided);
      const spent: number[] = [];
      const found = await search({ ...guided, plan, reference, onStep: (e) => spent.push(e.nfe) });
      expect(spent.at(-1)).toBe(0);
      await scan(plan, found, reference.states.at(-1) as Float32Array, 4, guided);
    }
  });

  /** Compares a step's loss with those of 1001 ratios from 0.25 to 2, each in a plan of its own. */
  async function scan(plan: Plan, found: RatioSearch, truth: Float32Array, k: number, run: Partial<Options>) {
    // What the model says up to step k does not depend on its ratio: the first run is remembered.
    const said: { conditional: Float32Array; unconditional: Float32Array }[] = [];
    let call = 0;
    const remembering: Denoiser<Labels> = {
      prediction: mixture.prediction,
      predict: async (input) => {
        said[call] ??= { conditional: await mixture.predict(input), unconditional: new Float32Array() };
        return (said[call++] as (typeof said)[0]).conditional;
      },
      predictGuided: async ({ unconditional, ...input }) => {
        said[call] ??= {
          conditional: await mixture.predict(input),
          unconditional: await mixture.predict({ ...input, condition: unconditional }),
        };
        return said[call++] as (typeof said)[0];
      },
    };
    const lossAt = async (ratio: number) => {
      call = 0;
      const ratios = found.ratios.map((r, i) => (i < k ? r : i === k ? ratio : 1));
      const { condition, unconditional, guidanceScale } = run as typeof guided;
      const options = { plan: compensate(plan, ratios), denoiser: remembering, shape, seed: 0 };
      for await (const event of sampleSteps<Labels>({ ...options, condition, unconditional, guidanceScale })) {
        if (event.step === k) return meanSquare(event.x, truth);
      }
      throw new Error("the run ended early");
    };
    const loss = found.loss[k] as number;
    expect(await lossAt(found.ratios[k] as number)).toBe(loss);
    // Residuals are stored as float32.
    expect(Math.abs((await lossAt(1)) / (found.lossWithout[k] as number) - 1)).toBeLessThan(1e-7);
    let least = Infinity;
    for (let i = 0; i <= 1000; i++) least = Math.min(least, await lossAt(0.25 + (1.75 * i) / 1000));
    // 1e-6: float32 states have 7 digits, and the residual is not much smaller than the state.
    expect(loss).toBeLessThanOrEqual(least * (1 + 1e-6));
  }
});

describe("rules", () => {
  it("a state that does not depend on the ratio leaves it at 1", async () => {
    // Data at one point: all outputs are alike, up to rounding. (In noise prediction the last step makes 4e-5 of it.)
    for (const prediction of ["sample", "epsilon", "v_prediction"] as const) {
      const point = mixtureDenoiser({ schedule, means: [[0.5, -0.2, 0.1, 0.9]], std: [0], weights: [1], prediction });
      for (const o of [{}, { corrector: false }, { order: 3 }, { solver: "dpmpp", order: 3 }, { solver: "ddim" }]) {
        const found = await search({ plan: planOf(o), denoiser: point });
        expect(found.ratios).toEqual([1, 1, 1, 1, 1]);
        expect(found.loss).toEqual(found.lossWithout);
      }
      const { ratios } = await search({ plan: planOf({ predict: "epsilon" }), denoiser: point });
      expect(ratios.slice(0, 4)).toEqual([1, 1, 1, 1]);
    }
  });

  it.each([
    [0.9, 1.1],
    [1, 2],
    [0.25, 1],
  ])("ratios keep within %d and %d", async (low, high) => {
    for (const o of [{}, { corrector: false }]) {
      for (const objective of ["corrected", "predicted"] as const) {
        const { ratios } = await search({ ...guided, plan: planOf(o), bounds: [low, high], objective });
        for (const ratio of ratios) expect(ratio >= low && ratio <= high).toBe(true);
        // Without bounds they go further.
        if (high === 1.1) expect(ratios).not.toEqual((await search({ ...guided, plan: planOf(o), objective })).ratios);
      }
    }
  });

  it.each([1, 3, 9])("a step takes at most %d evaluations", async (maxEvaluations) => {
    const spent: number[] = [];
    const plan = planOf({ steps: 7 });
    const found = await search({ ...guided, plan, maxEvaluations, tolerance: 1e-9, onStep: (e) => spent.push(e.nfe) });
    // The first step calls the model twice; the first two and the last have nothing to search with calls.
    expect([spent[0], spent[1], spent[6]]).toEqual([2, 1, 0]);
    for (const calls of spent.slice(2, 6)) expect(calls).toBeLessThanOrEqual(maxEvaluations);
    expect(Math.max(...spent.slice(2))).toBe(maxEvaluations);
    if (maxEvaluations === 1) expect(found.ratios.slice(0, 6)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("a wider tolerance takes fewer evaluations, and no loss is above that without", async () => {
    const total = async (tolerance: number) => {
      const found = await search({ ...guided, plan: planOf({ steps: 7 }), tolerance, maxEvaluations: 20 });
      for (const [k, loss] of found.loss.entries()) expect(loss).toBeLessThanOrEqual(found.lossWithout[k] as number);
      return found.nfe.search;
    };
    const [wide, usual, narrow] = [await total(0.5), await total(2e-3), await total(1e-6)];
    expect(wide).toBeLessThan(usual);
    expect(usual).toBeLessThan(narrow);
  });

  it("the predicted objective looks at the predictor's state, without a call and whatever scale the network's input has", async () => {
    const scaled: Denoiser<Labels> = {
      prediction: { skip: () => 0, out: () => 1, in: () => 0.25 },
      predict: async (input) => {
        const clean = mixtureDenoiser({ schedule, ...components, prediction: "sample" });
        return clean.predict({ ...input, x: input.x.map((v) => 4 * v) });
      },
    };
    const spent: number[] = [];
    const found = await search({ ...guided, objective: "predicted", onStep: (e) => spent.push(e.nfe) });
    const alike = await search({ ...guided, objective: "predicted", denoiser: scaled });
    expect(spent).toEqual([2, 1, 1, 1, 0]);
    expect(found.ratios.slice(2)).not.toContain(1);
    for (const [k, ratio] of found.ratios.entries()) {
      expect(alike.ratios[k]).toBeCloseTo(ratio, 3);
      expect(alike.loss[k]).toBeCloseTo(found.loss[k] as number, 6);
    }
    // The corrector's own search cannot lose to it where both see the same earlier steps.
    const corrected = await search({ ...guided });
    expect(corrected.mse).not.toBe(found.mse);
  });

  it("steps that cannot have a compensation need none", async () => {
    for (const steps of [1, 2])
      expect((await search({ plan: planOf({ steps }) })).ratios).toEqual(Array(steps).fill(1));
  });

  it("searches anew whatever compensation the plan has already", async () => {
    const plain = await search(guided);
    const again = await search({ ...guided, plan: compensate(base.plan, [1, 1, 0.5, 1.5, 0.7]) });
    expect(JSON.stringify(again)).toBe(JSON.stringify(plain));
  });
});

describe("every model call is counted", () => {
  const plans = { corrected: planOf(), predictor: planOf({ corrector: false }), ddim: planOf({ solver: "ddim" }) };
  const choices = Object.entries(plans).flatMap(([name, plan]) =>
    [false, true].flatMap((isGuided) =>
      (["corrected", "predicted"] as const).flatMap((objective) =>
        [false, true].flatMap((holdout) =>
          [false, true].map((given) => ({ name, plan, isGuided, objective, holdout, given })),
        ),
      ),
    ),
  );

  it.each(choices)(
    "$name, guided $isGuided, objective $objective, holdout $holdout, reference given $given",
    async ({ plan, isGuided, objective, holdout, given }) => {
      const call = isGuided ? guided : {};
      const reference = given ? await madeReference(plan, call) : { steps: 12 };
      const counted = counting();
      const steps: number[] = [];
      const found = await search({
        ...call,
        plan,
        objective,
        reference,
        denoiser: counted.denoiser,
        ...(holdout ? { holdout: { seed: 9 } } : {}),
        onStep: (e) => steps.push(e.nfe),
      });
      expect(found.nfe.reference + found.nfe.search).toBe(counted.calls);
      // 12 steps on the plan's 5 intervals are 15; a given reference is only of the search's own data.
      expect(found.nfe.reference).toBe((given ? 0 : 12) + (holdout ? (given ? 200 : 12) : 0));
      const judged = (objective === "predicted" ? 2 : 1) + (holdout ? 2 : 0);
      expect(found.nfe.search).toBe(steps.reduce((a, b) => a + b) + judged * plan.nfe);
      expect("holdoutMse" in found).toBe(holdout);
    },
  );

  it("a pair counts once, also for a denoiser without a batched form of it", async () => {
    const [batched, single] = [counting(), counting(false)];
    const one = await search({ ...guided, denoiser: batched.denoiser, holdout: { seed: 4 } });
    const two = await search({ ...guided, denoiser: single.denoiser, holdout: { seed: 4 } });
    expect(two.nfe).toEqual(one.nfe);
    expect(single.calls).toBe(2 * batched.calls);
    expect(two.ratios).toEqual(one.ratios);
  });
});

describe("what is reported", () => {
  it.each(["corrected", "predicted"] as const)(
    "%s: sampling with the ratios gives the reported error, bit for bit",
    async (objective) => {
      const reference = await madeReference(base.plan, guided);
      const truth = reference.states.at(-1) as Float32Array;
      const held = { seed: 77, condition: [2, 2, 1], unconditional: [-1, -1, -1], shape: [3, 4] };
      const found = await search({ ...guided, reference, objective, holdout: held });
      const run = (ratios: readonly number[], o: object = {}) =>
        sample<Labels>({ ...guided, plan: compensate(base.plan, ratios), denoiser: mixture, shape, seed: 0, ...o });
      expect(meanSquare((await run(found.ratios)).data, truth)).toBe(found.mse);
      expect(meanSquare((await run([1, 1, 1, 1, 1])).data, truth)).toBe(found.mseWithout);
      if (objective === "corrected") expect(found.mse).toBe(found.loss.at(-1));
      const with_ = await run(found.ratios, held);
      const without = await run([1, 1, 1, 1, 1], held);
      // The reference of the held-out data: DDIM, 200 steps through the plan's own times.
      const grid = refine(schedule, base.plan.grid, 200);
      expect(grid).toHaveLength(201);
      const fine = createPlan({ schedule, grid, solver: "ddim" });
      const final = (await sample<Labels>({ ...guided, ...held, plan: fine, denoiser: mixture })).data;
      expect(meanSquare(with_.data, final)).toBe(found.holdoutMse);
      expect(meanSquare(without.data, final)).toBe(found.holdoutMseWithout);
    },
  );

  it("seeds where there are some; noise has none", async () => {
    const noise = Float32Array.from({ length: 20 }, (_, i) => Math.sin(i));
    expect((await search()).seeds).toBe(0);
    expect((await search({ seed: [3, 1, 4, 1, 5] })).seeds).toEqual([3, 1, 4, 1, 5]);
    const { seed: _, ...seedless } = base;
    expect("seeds" in (await searchRatios<Labels>({ ...seedless, noise }))).toBe(false);
    expect("seeds" in (await searchRatios<Labels>({ ...seedless, initial: noise }))).toBe(false);
  });

  it("works with other schedules, and a reference of another solver", async () => {
    for (const other of [vpLinear(), edm()]) {
      const denoiser = mixtureDenoiser({ schedule: other, ...components });
      const plan = createPlan({ schedule: other, steps: 6, spacing: "logSNR" });
      const found = await search({ plan, denoiser, reference: { steps: 60, solver: "dpmpp", order: 2 } });
      expect(found.mse).toBeLessThan(found.mseWithout);
      expect(found.settings).toMatchObject({ spacing: "logSNR", solver: "unipc", order: 2 });
    }
  });
});

describe("a search that stopped", () => {
  const task = { ...guided, plan: planOf({ steps: 6 }), holdout: { seed: 5 } };

  async function whole(o: Partial<Options> = {}) {
    const events: RatioSearchEvent[] = [];
    const found = await search({ ...task, ...o, onStep: (e) => events.push(e) });
    return { found, events };
  }
  const withoutCalls = (found: RatioSearch) => JSON.stringify({ ...(found.toJSON() as object), nfe: undefined });

  it.each(["corrected", "predicted"] as const)(
    "%s: goes on from every step to the same bits, one call for each finished step",
    async (objective) => {
      const { found, events } = await whole({ objective });
      for (const [k, { progress }] of events.entries()) {
        const resume = JSON.parse(JSON.stringify(progress));
        const counted = counting();
        const resumed = await whole({ objective, resume, denoiser: counted.denoiser });
        expect(withoutCalls(resumed.found)).toBe(withoutCalls(found));
        expect(resumed.found.nfe.reference + resumed.found.nfe.search).toBe(counted.calls);
        for (const [j, event] of resumed.events.entries()) {
          // The first step calls the model at its start too; the last, at its end, does not.
          const replay = j === 0 ? 2 : j === 5 ? 0 : 1;
          expect(event.nfe).toBe(j <= k ? replay : events[j]?.nfe);
          expect(event.progress).toEqual(events[j]?.progress);
        }
      }
    },
  );

  it("goes on from a finished search too, which is then only replayed", async () => {
    const { found, events } = await whole();
    for (const resume of [found, found.toJSON(), JSON.parse(JSON.stringify(found))]) {
      const again = await whole({ resume });
      expect(withoutCalls(again.found)).toBe(withoutCalls(found));
      expect(again.events.map((e) => e.nfe)).toEqual([2, 1, 1, 1, 1, 0]);
      expect(again.events.map((e) => e.loss)).toEqual(events.map((e) => e.loss));
    }
  });

  it("on abort rejects with the reason, in the reference, in a step and after it, and goes on later", async () => {
    const { found } = await whole();
    for (const calls of [0, 1, 30, 41, 43, 44, 50, 55, 60]) {
      const controller = new AbortController();
      const reason = new Error("enough");
      let progress: unknown;
      let left = calls;
      const stopping: Denoiser<Labels> = {
        prediction: mixture.prediction,
        predict: (input) => {
          if (left-- === 0) controller.abort(reason);
          return mixture.predict(input);
        },
      };
      const onStep = (e: RatioSearchEvent) => {
        progress = JSON.parse(JSON.stringify(e.progress));
      };
      const { signal } = controller;
      await expect(search({ ...task, guidanceScale: 3, denoiser: stopping, signal, onStep })).rejects.toBe(reason);
      // Not one call more.
      expect(left).toBe(-1);
      const resumed = await search({ ...task, ...(progress === undefined ? {} : { resume: progress }) });
      expect(withoutCalls(resumed)).toBe(withoutCalls(found));
    }
    const onStep = (e: RatioSearchEvent) => {
      if (e.step === 3) throw new Error("thrown by onStep");
    };
    await expect(search({ ...task, onStep })).rejects.toThrow("thrown by onStep");
    await expect(search({ ...task, signal: AbortSignal.abort("before") })).rejects.toBe("before");
  });

  let progress: unknown;
  const keep = (e: RatioSearchEvent) => {
    if (e.step === 2) progress = e.progress;
  };
  const noise = Float32Array.from({ length: 20 }, (_, i) => Math.cos(i));
  it.each<[string, Partial<Options>]>([
    ["a plan with other steps", { plan: planOf({ steps: 7 }) }],
    ["another solver", { plan: planOf({ steps: 6, solver: "dpmpp" }) }],
    ["another order", { plan: planOf({ steps: 6, order: 3 }) }],
    ["another variant", { plan: planOf({ steps: 6, variant: "bh1" }) }],
    ["another spacing", { plan: planOf({ steps: 6, spacing: "logSNR" }) }],
    ["another space", { plan: planOf({ steps: 6, predict: "epsilon" }) }],
    ["thresholding", { plan: planOf({ steps: 6, thresholding: {} }) }],
    ["another degree", { plan: planOf({ steps: 6, dcOrder: 1 }) }],
    ["another seed", { seed: 1 }],
    ["seeds item by item", { seed: [0, 0, 0, 0, 0] }],
    ["noise", { seed: wrong(undefined), noise }],
    ["a first state", { seed: wrong(undefined), initial: noise }],
    ["another generator", { generator: "torch" }],
    ["another shape", { shape: [5, 4, 1] }],
    ["another condition", { condition: [0, 1, 2, 0, 2] }],
    ["another absence of it", { unconditional: [0, 0, 0, 0, 0] }],
    ["another guidance", { guidanceScale: 3.5 }],
    ["more reference steps", { reference: { steps: 60 } }],
    ["another reference solver", { reference: { steps: 40, solver: "unipc" } }],
    ["other bounds", { bounds: [0.5, 2] }],
    ["another tolerance", { tolerance: 1e-3 }],
    ["other evaluations", { maxEvaluations: 8 }],
    ["the other objective", { objective: "predicted" }],
  ])("does not go on with %s", async (_, change) => {
    await search({ ...task, onStep: keep });
    const counted = counting();
    const error = await search({ ...task, ...change, denoiser: counted.denoiser, resume: progress }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).message).toMatch(
      /^"resume": expected a search of the same setting, got another; it began with/,
    );
    expect(counted.calls).toBe(0);
  });

  it("nor with another given reference", async () => {
    const reference = await madeReference(task.plan, guided);
    await search({ ...task, reference, onStep: keep });
    const states = reference.states.map((state, j) => (j === 9 ? state.map((v) => v + 1e-3) : state));
    await expect(search({ ...task, reference: { ...reference, states }, resume: progress })).rejects.toThrow(
      /"resume"/,
    );
    await expect(search({ ...task, reference, resume: progress })).resolves.toBeDefined();
  });
});

describe("JSON", () => {
  it("holds the whole search, and comes back as it was", async () => {
    const found = await search({ ...guided, holdout: { seed: 2 }, seed: [1, 2, 3, 4, 5] });
    const json = JSON.parse(JSON.stringify(found));
    expect(json).toMatchObject({ kind: "dc-solver/ratios", version: 1, steps: 5, guidanceScale: 3, finished: true });
    const back = ratioSearchFromJSON(json);
    expect(JSON.stringify(back)).toBe(JSON.stringify(found));
    expect(back.ratios).toEqual(found.ratios);
    expect(ratioSearchFromJSON(found.toJSON())).toMatchObject({
      mse: found.mse,
      holdoutMse: found.holdoutMse,
      nfe: found.nfe,
    });
    expect(createPlan({ ...base.plan.options, ratios: back.ratios, dcOrder: back.dcOrder }).options.ratios).toEqual(
      found.ratios,
    );
  });

  it("is the caller's own: changing it changes nothing", async () => {
    const found = await search();
    const before = JSON.stringify(found);
    const json = found.toJSON() as { ratios: number[]; settings: { options: Record<string, unknown> } };
    json.ratios[4] = 7;
    json.settings.options.variant = "bh1";
    expect(JSON.stringify(found)).toBe(before);
  });

  it("of an unfinished search is refused, and so is what was altered", async () => {
    let progress: unknown;
    const onStep = (e: RatioSearchEvent) => {
      progress = e.progress;
    };
    const found = (await search({ onStep })).toJSON() as Record<string, unknown>;
    const rows: [unknown, RegExp][] = [
      [progress, /^"json": expected a finished search, got one that stopped; resume it/],
      [{ ...found, kind: "dc-solver/plan" }, /^"kind": expected "dc-solver\/ratios", got "dc-solver\/plan"/],
      [{ ...found, version: 2 }, /^"version": expected 1, got 2/],
      [{ ...found, steps: 6 }, /^"ratios": expected one number per step, 6/],
      [{ ...found, ratios: [1, 1, null, 1, 1] }, /^"ratios\[2\]": expected a number/],
      [{ ...found, ratios: [1, 0.9, 1, 1, 1] }, /^"ratios\[1\]": expected 1, got 0.9/],
      [{ ...found, loss: [1] }, /^"loss": expected one number per step/],
      [{ ...found, mse: "small" }, /^"mse": expected a finite number/],
      [{ ...found, nfe: { reference: 1.5, search: 1 } }, /^"nfe.reference": expected an integer/],
      [{ ...found, nfe: undefined }, /^"nfe": expected an object/],
      [{ ...found, dcOrder: 0 }, /^"dcOrder": expected an integer ≥ 1/],
      [{ ...found, seeds: ["a"] }, /^"seeds\[0\]": expected a number/],
      [{ ...found, settings: {} }, /^"schedule": expected/],
      [{ ...found, settings: { ...(found.settings as object), more: 1 } }, /^"more": unknown option of settings/],
      [
        { ...found, settings: { ...(found.settings as object), spacing: "none" } },
        /^"settings.spacing": expected one of/,
      ],
      [null, /^"json": expected an object, got null/],
      ["{}", /^"json": expected an object, got "\{\}"/],
    ];
    for (const [json, message] of rows) expect(() => ratioSearchFromJSON(json)).toThrow(message);
  });
});

describe("every way to be wrong", () => {
  const given = (change: object): Options => wrong({ ...base, ...change });
  const noisy = createPlan({ schedule, steps: 5, solver: "ddim", eta: 1 });
  const grid = Array.from(base.plan.grid);
  const states = grid.map(() => new Float32Array(20));
  const rows: Row<Options>[] = [
    [
      "no plan",
      given({ plan: undefined }),
      TypeError,
      '"plan": expected a plan from createPlan, compensate or planFromJSON, got undefined',
    ],
    [
      "a plan with draws",
      given({ plan: noisy }),
      RangeError,
      '"plan": expected one without draws: a noisy state has no reference, got "5 draws"',
    ],
    [
      "a compensation of higher degree than the minimiser takes",
      given({ plan: createPlan({ schedule, steps: 12, dcOrder: 9 }) }),
      RangeError,
      '"plan.options.dcOrder": expected an integer from 1 to 8, got 9',
    ],
    ["no denoiser", given({ denoiser: undefined }), TypeError, '"denoiser": required'],
    [
      "a denoiser that predicts nothing",
      given({ denoiser: { prediction: "epsilon" } }),
      TypeError,
      '"denoiser.predict": expected a function, got undefined',
    ],
    ["no shape", given({ shape: undefined }), TypeError, '"shape": expected an array of numbers, got undefined'],
    [
      "an unknown option",
      given({ stepsize: 1 }),
      TypeError,
      '"stepsize": unknown option of searchRatios; expected one of …',
    ],
    ["a number for onStep", given({ onStep: 1 }), TypeError, '"onStep": expected a function, got 1'],
    [
      "guidance without its counterpart",
      given({ guidanceScale: 2 }),
      TypeError,
      '"unconditional": required where "guidanceScale" is not 1',
    ],
    [
      "NaN guidance",
      given({ guidanceScale: Number.NaN }),
      RangeError,
      '"guidanceScale": expected a finite number, got NaN',
    ],
    ["no seed", given({ seed: undefined }), TypeError, '"seed": required where neither "noise" nor "initial" is given'],
    ["seeds for another batch", given({ seed: [1, 2] }), RangeError, '"seed": expected …'],
    [
      "noise and seed",
      given({ noise: new Float32Array(20) }),
      TypeError,
      '"seed": nothing is left for it to draw; expected none beside the noise that is handed in',
    ],
    [
      "noise of another length",
      given({ seed: undefined, noise: new Float32Array(19) }),
      RangeError,
      '"noise": expected a length of 20 for shape [5, 4], got 19',
    ],
    [
      "one bound",
      given({ bounds: [0.5] }),
      RangeError,
      '"bounds": expected a smallest and a largest ratio, got an array of length 1',
    ],
    ["bounds as text", given({ bounds: "wide" }), TypeError, '"bounds": expected an array of numbers, got "wide"'],
    [
      "bounds above 1",
      given({ bounds: [1.1, 2] }),
      RangeError,
      '"bounds": expected an interval around 1, got [1.1, 2]; ratio 1 stands for no compensation',
    ],
    [
      "bounds below 1",
      given({ bounds: [0.1, 0.9] }),
      RangeError,
      '"bounds": expected an interval around 1, got [0.1, 0.9]; ratio 1 stands for no compensation',
    ],
    [
      "turned bounds",
      given({ bounds: [2, 0.5] }),
      RangeError,
      '"bounds": expected an interval around 1, got [2, 0.5]; ratio 1 stands for no compensation',
    ],
    [
      "no room in the bounds",
      given({ bounds: [1, 1] }),
      RangeError,
      '"bounds": expected an interval around 1, got [1, 1]; ratio 1 stands for no compensation',
    ],
    [
      "an infinite bound",
      given({ bounds: [0.5, Infinity] }),
      RangeError,
      '"bounds[1]": expected a finite number, got Infinity',
    ],
    ["null bounds", given({ bounds: null }), TypeError, '"bounds": expected an array of numbers, got null'],
    ["tolerance 0", given({ tolerance: 0 }), RangeError, '"tolerance": expected a finite number > 0, got 0'],
    [
      "NaN tolerance",
      given({ tolerance: Number.NaN }),
      RangeError,
      '"tolerance": expected a finite number > 0, got NaN',
    ],
    [
      "no evaluations",
      given({ maxEvaluations: 0 }),
      RangeError,
      '"maxEvaluations": expected an integer from 1 to 64, got 0',
    ],
    [
      "65 evaluations",
      given({ maxEvaluations: 65 }),
      RangeError,
      '"maxEvaluations": expected an integer from 1 to 64, got 65',
    ],
    [
      "evaluations as text",
      given({ maxEvaluations: "9" }),
      TypeError,
      '"maxEvaluations": expected an integer from 1 to 64, got "9"',
    ],
    [
      "an unknown objective",
      given({ objective: "best" }),
      RangeError,
      '"objective": expected one of "corrected", "predicted", got "best"',
    ],
    [
      "a null objective",
      given({ objective: null }),
      TypeError,
      '"objective": expected one of "corrected", "predicted", got null',
    ],
    ["a number for a reference", given({ reference: 200 }), TypeError, '"reference": expected an object, got 200'],
    [
      "fewer reference steps than steps",
      given({ reference: { steps: 4 } }),
      RangeError,
      '"reference.steps": expected an integer ≥ 5, got 4',
    ],
    [
      "an unknown reference option",
      given({ reference: { spacing: "logSNR" } }),
      TypeError,
      '"spacing": unknown option of reference; expected one of steps, solver, order',
    ],
    [
      "an unknown reference solver",
      given({ reference: { solver: "runge" } }),
      RangeError,
      '"solver": expected one of …',
    ],
    [
      "a reference without grid",
      given({ reference: { states } }),
      TypeError,
      '"reference.grid": expected an array of numbers, got undefined',
    ],
    [
      "a state too few",
      given({ reference: { grid, states: states.slice(1) } }),
      RangeError,
      '"reference.states": expected one state for each of 6 times, got an array of length 5',
    ],
    [
      "a time too few",
      given({ reference: { grid: grid.slice(1), states: states.slice(1) } }),
      RangeError,
      `"reference.grid": expected every time of the plan to 1e-9, ${grid[0]} is missing`,
    ],
    [
      "times that are nearly right",
      given({ reference: { grid: grid.map((t, k) => (k === 3 ? t + 2e-9 : t)), states } }),
      RangeError,
      `"reference.grid": expected every time of the plan to 1e-9, ${grid[3]} is missing`,
    ],
    [
      "states as lists",
      given({ reference: { grid, states: grid.map(() => [0]) } }),
      TypeError,
      '"reference.states[0]": expected a Float32Array, got an array of length 1',
    ],
    [
      "states of another length",
      given({ reference: { grid, states: grid.map(() => new Float32Array(4)) } }),
      RangeError,
      '"reference.states[0]": expected a length of 20, got 4',
    ],
    [
      "a state with NaN",
      given({ reference: { grid, states: states.map((s, k) => (k === 2 ? s.map(() => Number.NaN) : s)) } }),
      RangeError,
      '"reference.states[2]": expected finite numbers, got NaN or ±Infinity',
    ],
    [
      "a holdout without data",
      given({ holdout: {} }),
      TypeError,
      '"holdout": expected "seed" or "noise" of other data than the search\'s',
    ],
    [
      "an unknown holdout option",
      given({ holdout: { seeds: 3 } }),
      TypeError,
      '"seeds": unknown option of holdout; expected one of noise, seed, condition, unconditional, shape',
    ],
    [
      "a holdout with noise and seed",
      given({ holdout: { noise: new Float32Array(20), seed: 1 } }),
      TypeError,
      '"holdout.seed": nothing is left for it to draw; expected none beside the noise that is handed in',
    ],
    [
      "holdout noise of another length",
      given({ holdout: { noise: new Float32Array(19) } }),
      RangeError,
      '"holdout.noise": expected a length of 20 for shape [5, 4], got 19',
    ],
    ["holdout of no dimension", given({ holdout: { seed: 1, shape: [5, 0] } }), RangeError, '"holdout.shape[1]": …'],
    ["true for a holdout", given({ holdout: true }), TypeError, '"holdout": expected an object, got true'],
    ["a number to resume from", given({ resume: 3 }), TypeError, '"resume": expected an object, got 3'],
    [
      "something else to resume from",
      given({ resume: {} }),
      TypeError,
      '"kind": expected "dc-solver/ratios", got undefined',
    ],
    ["a signal that is none", given({ signal: {} }), TypeError, '"signal": expected an AbortSignal, got an object'],
  ];

  it.each(rows)("%s", async (...row) => {
    const counted = counting();
    const options = row[1];
    // biome-ignore lint/suspicious/noExplicitAny: mistakes are the subject.
    const denoiser = (options.denoiser as any) === mixture ? counted.denoiser : options.denoiser;
    const error = await searchRatios<Labels>({ ...options, denoiser }).catch((e: unknown) => e);
    expectError(error, row);
    expect(counted.calls).toBe(0);
  });
});

describe("the grid of a reference", () => {
  it.each([
    ["vp-linear", vpLinear()],
    ["vp-cosine", vpCosine()],
    ["flow, without a log-SNR at either end", flow()],
  ] as const)("%s: has the steps asked for, falls, and passes through the times given", (_, schedule) => {
    for (const steps of [5, 37, 200]) {
      const times = createPlan({ schedule, steps: 5 }).grid;
      const grid = refine(schedule, times, steps);
      expect(grid.length - 1).toBeGreaterThanOrEqual(steps);
      expect(grid.length - 1).toBeLessThanOrEqual(steps + 5);
      for (const t of times) expect(grid).toContain(t);
      for (let i = 1; i < grid.length; i++) expect(grid[i]).toBeLessThan(grid[i - 1] as number);
    }
  });

  it("spends its steps where the log-SNR moves: they are alike in it", () => {
    const schedule = vpLinear();
    const grid = refine(schedule, createPlan({ schedule, steps: 5 }).grid, 200);
    const h = Array.from(grid.slice(1), (t, i) => schedule.lambda(t) - schedule.lambda(grid[i] as number));
    expect(Math.max(...h) / Math.min(...h)).toBeLessThan(1.2);
  });
});

it("a plan on the table of a discrete schedule is compared with a reference on that table", () => {
  const schedule = vpDiscrete();
  const times = [1, 0.8, 0.6, 0.4, 0.2, 0.001];
  const grid = refine(schedule, times, 200);
  expect(grid.length).toBeGreaterThan(150);
  for (const t of grid) expect(t).toBe(Math.round(t * 1000) / 1000);
  for (const t of times) expect(grid).toContain(t);
});
