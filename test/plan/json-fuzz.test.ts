// Documents that were altered at random: by hand, in transit, by another program, or on purpose.
// A plan that loads samples as the one that was written, or nothing loads. fast-check prints the seed of a failure.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createPlan,
  edm,
  flow,
  NonFiniteError,
  type Plan,
  type PlanOptions,
  planFromJSON,
  sample,
  vpCosine,
  vpDiscrete,
  vpLinear,
} from "../../src/index.ts";

const own = { ...vpLinear(), kind: "my own" };
const options: PlanOptions[] = [
  { schedule: vpLinear(), steps: 4 },
  { schedule: vpDiscrete(), steps: 5, order: 3, spacing: "logSNR", variant: "bh1", ratios: [1, 1, 0.9, 1.1, 1.2] },
  { schedule: vpDiscrete({ betas: [0.1, 0.2, 0.3] }), steps: 3, solver: "dpmpp", order: 3, ratios: [1, 1, 0.8] },
  { schedule: vpCosine(), steps: 4, predict: "epsilon", disableCorrector: [1], ratios: [1, 1, -0, 1], dcOrder: 1 },
  { schedule: flow({ shift: 3 }), steps: 4, order: 3 },
  { schedule: flow(), grid: [1, 0.5, 0.25, -0], solver: "dpmpp", thresholding: { ratio: 0.9 } },
  { schedule: edm({ sigmaMin: 0 }), steps: 3, spacing: "karras", solver: "ddim", eta: 1 },
  { schedule: vpLinear(), steps: 4, predict: "epsilon", thresholding: { maxValue: 2 }, solver: "ddim", eta: 0.3 },
  { schedule: own, grid: [0.9, 0.5, 0.1], corrector: false, lowerOrderFinal: false },
];
const plans = options.map(createPlan);
type Json = Record<string, unknown>;
const parsed = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;
const originals = plans.map(parsed);

/** One change somewhere in a document. The numbers of `path` pick a child at each level. */
interface Edit {
  path: readonly number[];
  kind: "delete" | "replace" | "insert" | "nudge" | "retype" | "swap" | "repeat" | "nest" | "grow";
  value: unknown;
  key: string;
  amount: number;
}

const keys = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "length",
  "0",
  "",
  "kind",
  "to",
  "terms",
  "own",
  "t",
];
const values = [
  ...[null, true, false, 0, -0, 1, -1, 2, 0.5, 1e308, -1e308, 5e-324, 2 ** 31, 2 ** 32, 2 ** 53, 1e-9],
  ...["", "1", "NaN", "__proto__", "constructor", "sample", "epsilon", "combine", "vp-linear", [], {}, [[]], [1, 0]],
];
const edit = (extra: readonly unknown[]): fc.Arbitrary<Edit> =>
  fc.record({
    path: fc.array(fc.nat(1000), { maxLength: 7 }),
    kind: fc.constantFrom(
      ...(["delete", "replace", "insert", "nudge", "nudge", "retype", "swap", "repeat", "nest", "grow"] as const),
    ),
    value: fc.oneof(fc.constantFrom(...values, ...extra), fc.jsonValue({ maxDepth: 2 }), fc.double(), fc.nat(20)),
    key: fc.oneof(fc.constantFrom(...keys), fc.string({ maxLength: 3 })),
    amount: fc.oneof(fc.constantFrom(1, -1, 1e-3, -1e-3, 2 ** -52, 1e-12, 1e9), fc.double({ noNaN: true })),
  });

const isParent = (value: unknown): value is Json => typeof value === "object" && value !== null;
/** Assigns without calling the setter of `__proto__`. */
const put = (parent: Json, key: string, value: unknown) =>
  Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true });

function change(document: Json, { path, kind, value, key, amount }: Edit): void {
  let [parent, at]: [Json, string] = [document, "steps"];
  for (const [depth, n] of path.entries()) {
    const children = Object.keys(parent);
    at = children[n % children.length] as string;
    const child = parent[at];
    if (depth === path.length - 1 || !isParent(child) || Object.keys(child).length === 0) break;
    parent = child;
  }
  const old = parent[at];
  switch (kind) {
    case "delete":
      if (Array.isArray(parent)) parent.splice(Number(at), 1);
      else delete parent[at];
      break;
    case "replace":
      put(parent, at, structuredCloneOf(value));
      break;
    case "insert":
      if (Array.isArray(parent)) parent.splice(Number(at), 0, structuredCloneOf(value));
      else put(parent, key, structuredCloneOf(value));
      break;
    case "nudge":
      if (typeof old === "number") parent[at] = Math.abs(amount) < 1 ? old * (1 + amount) : old + amount;
      else if (typeof old === "boolean") parent[at] = !old;
      else if (typeof old === "string") parent[at] = old.slice(1);
      break;
    case "retype":
      parent[at] =
        typeof old === "string" ? Number(old) : Array.isArray(old) ? { ...old } : isParent(old) ? [old] : String(old);
      break;
    case "swap":
      if (Array.isArray(old)) old.reverse();
      break;
    case "repeat":
      if (Array.isArray(old) && old.length > 0) old.push(old[0]);
      break;
    case "nest": {
      let nested: unknown = old;
      for (let depth = 0; depth < 1000; depth++) nested = depth % 2 === 0 ? [nested] : { nested };
      parent[at] = nested;
      break;
    }
    case "grow":
      parent[at] =
        Array.isArray(old) && old.length > 0 ? Array(200).fill(old[0]) : Array(isParent(old) ? 20 : 5000).fill(old);
      break;
  }
}

/** Functions and symbols are their own copies. */
function structuredCloneOf(value: unknown): unknown {
  return isParent(value) ? structuredClone(value) : value;
}

/** Returns the plan, or the error if it is one that loading may give. */
function load(json: unknown): Plan | Error {
  try {
    return planFromJSON(json);
  } catch (error) {
    const { constructor: type } = Object.getPrototypeOf(error);
    if (type !== TypeError && type !== RangeError) throw error;
    return error as Error;
  }
}

const which = fc.nat(plans.length - 1);
const changed = (extra: readonly unknown[]) =>
  fc.tuple(which, fc.array(edit(extra), { minLength: 1, maxLength: 3 })).map(([i, edits]) => {
    const document = structuredClone(originals[i]) as Json;
    for (const e of edits) change(document, e);
    return { i, edits, document };
  });
/** A failure is told by its edits: a document may be too deep to print. */
const quiet = <T extends { i: number; edits: unknown }>(arbitrary: fc.Arbitrary<T>) =>
  arbitrary.map((made) => ({ ...made, [fc.toStringMethod]: () => fc.stringify([options[made.i], made.edits]) }));

const runs = 400;

describe("planFromJSON", () => {
  it.each(
    plans.map((plan, i) => [JSON.stringify({ ...options[i], schedule: options[i]?.schedule.kind }), plan] as const),
  )("loads what was written: %s", (_, plan) => {
    for (const json of [plan.toJSON(), JSON.stringify(plan), parsed(plan)]) {
      const loaded = planFromJSON(json);
      expect(parsed(loaded)).toEqual(parsed(plan));
      expect([loaded.nfe, loaded.draws, loaded.steps]).toEqual([plan.nfe, plan.draws, plan.steps]);
    }
  });

  it("gives the original or a TypeError or RangeError for text that was changed", () => {
    fc.assert(
      fc.property(quiet(changed([])), ({ i, document }) => {
        let text: string;
        try {
          text = JSON.stringify(document);
        } catch {
          return; // too deep to be written
        }
        const loaded = load(text);
        if (!(loaded instanceof Error)) expect(parsed(loaded)).toEqual(originals[i]);
      }),
      { numRuns: runs },
    );
  });

  it("gives the original or a TypeError or RangeError for objects that no JSON holds", () => {
    const strange = [
      undefined,
      Number.NaN,
      Infinity,
      -Infinity,
      1n,
      Symbol("s"),
      () => 1,
      new Date(0),
      new Map(),
      Object.create(null),
    ];
    fc.assert(
      fc.property(quiet(changed(strange)), ({ i, document }) => {
        const loaded = load(document);
        if (!(loaded instanceof Error)) expect(parsed(loaded)).toEqual(originals[i]);
      }),
      { numRuns: runs },
    );
  });

  it("gives the original or a TypeError or RangeError for text that was cut or spliced", () => {
    const splice = fc.record({
      i: which,
      at: fc.nat(20000),
      remove: fc.nat(30),
      insert: fc.oneof(fc.string(), fc.constantFrom("", "0", "9", "-", "e", ",", "}", "\u0000", "[".repeat(100000))),
    });
    fc.assert(
      fc.property(splice, ({ i, at, remove, insert }) => {
        const text = JSON.stringify(originals[i]);
        const place = at % text.length;
        const texts = [text.slice(0, place), text.slice(0, place) + insert + text.slice(place + remove)];
        for (const changed of texts) {
          const loaded = load(changed);
          if (!(loaded instanceof Error)) expect(parsed(loaded)).toEqual(originals[i]);
        }
      }),
      { numRuns: runs },
    );
  });

  it("gives a TypeError or RangeError for text of any depth or length, soon", () => {
    const text = JSON.stringify(originals[0]);
    for (const filling of [
      `${"[".repeat(1e5)}${"]".repeat(1e5)}`,
      `${'{"a":'.repeat(1e5)}0${"}".repeat(1e5)}`,
      `[${"1,".repeat(1e6)}1]`,
    ]) {
      for (const name of ["grid", "steps", "schedule", "digest", "spacing", "terms"]) {
        const started = performance.now();
        expect(load(text.replace(`"${name}":`, `"${name}":${filling},"${name}x":`))).toBeInstanceOf(Error);
        expect(performance.now() - started).toBeLessThan(5000);
      }
    }
  });

  it("gives a TypeError for anything that is no plan", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything({
            withBigInt: true,
            withDate: true,
            withMap: true,
            withTypedArray: true,
            withNullPrototype: true,
          }),
          fc.json(),
          fc.string(),
        ),
        (value) => {
          const loaded = load(value);
          expect(Object.getPrototypeOf(loaded)).toBe(TypeError.prototype);
        },
      ),
      { numRuns: runs },
    );
  });

  it("is not deceived by a digest that fits: what loads is consistent, exact for data at one point, and loads again", async () => {
    let fitted = 0;
    await fc.assert(
      fc.asyncProperty(quiet(changed([])), async ({ document }) => {
        let loaded = load(document);
        const digest = loaded instanceof Error && /^"digest": expected "([0-9a-f]{16})"/.exec(loaded.message)?.[1];
        if (digest) {
          fitted++;
          loaded = load({ ...document, digest });
        }
        if (loaded instanceof Error) {
          // With the digest that the message names, nothing else may be left to refuse.
          expect(loaded.message).not.toContain('"digest"');
          expect(digest).toBeFalsy();
          return;
        }
        const again = load(JSON.stringify(loaded));
        expect(again instanceof Error ? again : parsed(again)).toEqual(parsed(loaded));
        await samplesPoint(loaded);
      }),
      { numRuns: runs },
    );
    expect(fitted).toBeGreaterThan(0);
  });
});

/** Checks that a plan takes data at one point there, from alpha·c + sigma·z to the same at its end. */
async function samplesPoint(plan: Plan): Promise<void> {
  const [c, z] = [0.3, 0.7];
  const start = (plan.steps[0] as Plan["steps"][number]).start;
  const end = (plan.steps.at(-1) as Plan["steps"][number]).end;
  const clips = plan.steps.some((s) => s.operations.some((o) => o.kind === "clip"));
  const predict = () => Float32Array.of(c);
  const initial = Float32Array.of(start.alpha * c + start.sigma * z);
  const run = sample({
    plan,
    denoiser: { prediction: "sample", predict },
    shape: [1, 1],
    initial,
    stepNoise: () => Float32Array.of(z),
  });
  const data = await run.then(
    (result) => result.data[0] as number,
    (error: unknown) => {
      expect(error).toBeInstanceOf(NonFiniteError);
      return undefined;
    },
  );
  if (data === undefined || clips || plan.draws > 0) return;
  // Float32 against states of the size of the noise at the start, and what cancels in a step of high order.
  const size = Math.max(1, start.alpha, start.sigma);
  expect(Math.abs(data - (end.alpha * c + end.sigma * z))).toBeLessThan(1e-4 * size);
}
