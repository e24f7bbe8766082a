import { describe, expect, it } from "vitest";
import { createPlan, mixtureDenoiser, sample, vpLinear } from "../../src/index.ts";
import { instrument } from "../../src/plan/compensate.ts";
import { lower } from "../../src/plan/lower.ts";
import { inputs, type Operation, type Plan, type ValueId } from "../../src/plan/plan.ts";
import type { Program } from "../../src/plan/program.ts";
import type { Engine, EngineProgram, LinearOperation, Tensor } from "../../src/wasm/engine.ts";
import { scratch, wasm } from "../../src/wasm/module.ts";
import { singleEngines } from "../support/engines.ts";
import { randomNumbers, schedules } from "../support/problems.ts";
import { orders, planOptions, settings, spaces } from "../support/solvers.ts";

const random = randomNumbers(2);
const integer = (n: number) => Math.floor(random() * n);
const pick = <T>(list: readonly T[]): T => list[integer(list.length)] as T;

/** Values at which float32 arithmetic is easily wrong, among ordinary ones. */
const special = [0, -0, 1, -1, 1e-45, -1e-40, 1.17549435e-38, 16777217, 1 / 3];
const value = () => (integer(8) === 0 ? pick(special) : (random() - 0.5) * 2 ** (integer(20) - 10));
const tensor = (length: number) => Float32Array.from({ length }, value);
/** With values whose sums overflow, too. */
const wild = (length: number) => tensor(length).map((v) => (integer(50) === 0 ? 3.4e38 : v));
const coefficient = () => (integer(6) === 0 ? pick([1, -1, 1e-7, 0.1]) : (random() - 0.5) * 3);

/** Expects the same numbers, −0 and 0 told apart, NaN and NaN not. */
function expectSame(actual: Tensor, expected: Tensor, title: string): void {
  const at = expected.findIndex((v, i) => !Object.is(v, actual[i]));
  if (actual.length === expected.length && at === -1) return;
  throw new Error(`${title}: expected ${expected[at]}, got ${actual[at]} at ${at} of ${expected.length}`);
}

const bothEngines = Object.values(singleEngines) as [Engine, Engine];

describe("WebAssembly has the bits of the reference engine", () => {
  /** Returns a program of one block over random slots: whole tensors and scratch blocks, in place and not, 1 to 8 terms. */
  function randomProgram(slots: number, scratchBlocks: number): EngineProgram {
    const coefficients: number[] = [];
    const written: number[] = [];
    const readable = () => [...Array(slots).keys(), ...written];
    const operations: LinearOperation[] = Array.from({ length: 1 + integer(8) }, () => {
      const from = readable();
      const terms = Array.from({ length: 1 + integer(8) }, () => ({
        coefficient: coefficients.push(coefficient()) - 1,
        from: pick(from),
      }));
      const out = pick([...Array(slots).keys(), ...Array.from({ length: scratchBlocks }, (_, i) => -1 - i)]);
      if (out < 0) written.push(out);
      return { out, terms };
    });
    return {
      ...{ slots, scratch: scratchBlocks, coefficients: Float64Array.from(coefficients) },
      instructions: [{ kind: "exec", operations }],
    };
  }

  it("for random programs on every length from 0 to 200", () => {
    for (let length = 0; length <= 200; length++) {
      for (let repeat = 0; repeat < 5; repeat++) {
        const program = randomProgram(1 + integer(5), integer(3));
        const contents = Array.from({ length: program.slots }, () => wild(length));
        const [a, b] = bothEngines.map((engine) => {
          const machine = engine.open(program, 1, length);
          for (const [slot, data] of contents.entries()) machine.write(slot, data);
          machine.exec(0);
          const results = contents.map((_, slot) => machine.read(slot));
          machine.release();
          return results;
        }) as [Tensor[], Tensor[]];
        for (const [slot, data] of a.entries()) expectSame(data, b[slot] as Tensor, `length ${length}, slot ${slot}`);
      }
    }
  });

  it("for lengths around the block of 1024 and several blocks", () => {
    for (const length of [1023, 1024, 1025, 1055, 1056, 1057, 2048, 3001]) {
      for (let repeat = 0; repeat < 5; repeat++) {
        const program = randomProgram(4, 2);
        const contents = Array.from({ length: 4 }, () => wild(length));
        const [a, b] = bothEngines.map((engine) => {
          const machine = engine.open(program, 1, length);
          for (const [slot, data] of contents.entries()) machine.write(slot, data);
          machine.exec(0);
          const results = contents.map((_, slot) => machine.read(slot));
          machine.release();
          return results;
        }) as [Tensor[], Tensor[]];
        for (const [slot, data] of a.entries()) expectSame(data, b[slot] as Tensor, `length ${length}, slot ${slot}`);
      }
    }
  });

  it("for scaling, thresholding and the check for numbers that are not finite", () => {
    const program: EngineProgram = { slots: 2, scratch: 0, coefficients: new Float64Array(), instructions: [] };
    for (let length = 1; length <= 200; length++) {
      const items = 1 + integer(3);
      const data = wild(items * length);
      const [ratio, maxValue, factor] = [random(), 0.1 + random() * 3, (random() - 0.5) * 100];
      const inPlace = integer(2);
      const limit = [Infinity, maxValue, 1.5 * maxValue][length % 3] as number;
      const [a, b] = bothEngines.map((engine) => {
        const machine = engine.open(program, items, length);
        machine.write(0, data);
        machine.clip(inPlace, 0, ratio, maxValue, limit);
        const clipped = machine.read(inPlace);
        machine.scale(inPlace, factor);
        const scaled = machine.read(inPlace);
        const finite = [machine.isFinite(inPlace)];
        for (const wrong of [Number.NaN, Infinity, -Infinity]) {
          const at = integer(items * length);
          machine.write(1, new Float32Array(items * length).with(at, wrong));
          finite.push(machine.isFinite(1));
        }
        // The largest floats are finite, and so is what their squares are summed in.
        machine.write(1, new Float32Array(items * length).fill(3.4028234663852886e38));
        finite.push(machine.isFinite(1));
        machine.release();
        return { clipped, scaled, finite };
      }) as [Record<"clipped" | "scaled", Tensor> & { finite: boolean[] }, Record<"clipped" | "scaled", Tensor>];
      expectSame(a.clipped, b.clipped, `clip of ${items} × ${length} at ${ratio}`);
      expectSame(a.scaled, b.scaled, `scale of ${items} × ${length}`);
      expect(a.finite).toEqual([a.finite[0], false, false, false, true]);
      expect(a.finite[0]).toBe(a.scaled.every(Number.isFinite));
    }
  });

  it("and an empty program, or one over no elements, writes nothing", () => {
    const at = scratch(64);
    const words = new Uint32Array(wasm().memory.buffer, at, 16);
    words.fill(7);
    words[0] = 0;
    wasm().exec(at, 100, 1024);
    // One operation, out = 1·out, over nothing.
    words.set([1, at + 40, 1, 0x3f800000, at + 40]);
    wasm().exec(at, 0, 1024);
    expect(Array.from(words.subarray(5))).toEqual(new Array(11).fill(7));
  });
});

/** Returns what a program shows at the ends of its steps; `feed` gives what the network and the draws bring. */
function show(
  program: Program,
  engine: Engine,
  items: number,
  itemLength: number,
  feed: (name: string) => Tensor,
): Tensor[] {
  const machine = engine.open(program, items, itemLength);
  const seen: Tensor[] = [];
  machine.write(program.start, feed("start"));
  for (const [i, instruction] of program.instructions.entries()) {
    switch (instruction.kind) {
      case "exec":
        machine.exec(i);
        break;
      case "draw":
        machine.write(instruction.to, feed(`draw ${instruction.draw}`));
        break;
      case "clip":
        machine.clip(instruction.to, instruction.from, instruction.ratio, instruction.maxValue, Infinity);
        break;
      case "evaluate":
        seen.push(machine.read(instruction.x));
        for (const [j, slot] of instruction.outputs.entries()) {
          machine.write(slot, feed(`call ${instruction.call.to}, output ${j}`));
        }
        break;
      case "step":
        seen.push(machine.read(instruction.state));
        if (instruction.denoised !== undefined) seen.push(machine.read(instruction.denoised));
    }
  }
  machine.release();
  return seen;
}

/** Returns a source of tensors by name, so that two walks of one program are fed alike. */
function feeder(length: number): (name: string) => Tensor {
  const known = new Map<string, Tensor>();
  return (name) => {
    const tensorOfName = known.get(name) ?? tensor(length);
    known.set(name, tensorOfName);
    return tensorOfName.slice();
  };
}

describe("lowering keeps the bits of a plan", () => {
  /** A random straight-line program, which no solver would write: sums of up to 12 terms over any earlier value. */
  function randomPlan(): Plan {
    let count = 0;
    let draws = 0;
    let lastRaw = 0;
    const point = () => ({ t: random(), alpha: random(), sigma: random() });
    const steps = Array.from({ length: 1 + integer(5) }, () => {
      const operations: Operation[] = [];
      const outputs: Plan["steps"][number]["outputs"][number][] = [];
      for (let i = 0; i < 1 + integer(9); i++) {
        const to = count + 1;
        const any = () => integer(count + 1);
        switch (pick(["combine", "combine", "combine", "combine", "evaluate", "draw", "clip"] as const)) {
          case "combine": {
            const from = [...new Set(Array.from({ length: 1 + integer(16) }, any))].slice(0, 12);
            operations.push({ kind: "combine", to, terms: from.map((f) => [coefficient(), f] as const) });
            break;
          }
          case "evaluate":
            operations.push({ kind: "evaluate", to, x: any(), ...point(), modelTime: 0, space: "sample" });
            lastRaw = to;
            outputs.push({ t: 0, value: lastRaw, denoised: lastRaw });
            break;
          case "draw":
            operations.push({ kind: "draw", to, draw: ++draws });
            break;
          case "clip":
            operations.push({ kind: "clip", to, from: any(), ratio: random(), maxValue: 0.5 + random() });
        }
        count++;
      }
      return { start: point(), end: point(), operations, outputs, state: integer(count + 1) };
    });
    return { steps, grid: new Float64Array(), nfe: 0, draws, options: {} as never, toJSON: () => 0 };
  }

  /** The plan as it stands, value by value, in float32, with no slots at all. */
  function interpret(plan: Plan, items: number, itemLength: number, feed: (name: string) => Tensor): Tensor[] {
    const reference = singleEngines.reference as Engine;
    const clipper = { slots: 1, scratch: 0, coefficients: new Float64Array(), instructions: [] };
    const values = new Map<ValueId, Tensor>([[0, feed("start")]]);
    const of = (id: ValueId) => values.get(id) as Tensor;
    const seen: Tensor[] = [];
    let denoised: ValueId | undefined;
    for (const { operations, outputs, state } of plan.steps) {
      for (const operation of operations) {
        switch (operation.kind) {
          case "combine":
            values.set(
              operation.to,
              Float32Array.from({ length: items * itemLength }, (_, i) =>
                operation.terms
                  .map(([c, from]) => Math.fround(Math.fround(c) * (of(from)[i] as number)))
                  .reduce((sum, product) => Math.fround(sum + product)),
              ),
            );
            break;
          case "evaluate":
            seen.push(of(operation.x));
            values.set(operation.to, feed(`call ${operation.to}, output 0`));
            break;
          case "draw":
            values.set(operation.to, feed(`draw ${operation.draw}`));
            break;
          case "clip": {
            const machine = reference.open(clipper, items, itemLength);
            machine.write(0, of(operation.from));
            machine.clip(0, 0, operation.ratio, operation.maxValue, operation.limit ?? Infinity);
            values.set(operation.to, machine.read(0));
          }
        }
      }
      denoised = outputs.at(-1)?.denoised ?? denoised;
      seen.push(of(state));
      if (denoised !== undefined) seen.push(of(denoised));
    }
    return seen;
  }

  const sorted = (tensors: Tensor[]) =>
    tensors.map((t) => Array.from(t, (v) => (Object.is(v, -0) ? "-0" : `${v}`)).join());

  it("for random plans with sums of up to 12 terms, draws and thresholding, on both engines", () => {
    let longest = 0;
    for (let repeat = 0; repeat < 400; repeat++) {
      const plan = randomPlan();
      // Beyond 1024 elements a scratch block holds no whole tensor any more.
      const [items, itemLength] = [1 + integer(3), repeat % 20 === 0 ? 1025 + integer(500) : 1 + integer(40)];
      const program = lower(plan, "sample", 1, "steps");
      const feed = feeder(items * itemLength);
      const expected = interpret(plan, items, itemLength, feed);
      for (const operation of plan.steps.flatMap((s) => s.operations))
        longest = Math.max(longest, inputs(operation).length);
      for (const [name, engine] of Object.entries(singleEngines)) {
        const seen = show(program, engine, items, itemLength, feed);
        // A step's end may move behind the next block program, so what is seen is compared as a whole.
        expect(sorted(seen).toSorted(), `${name}, plan ${repeat}`).toEqual(sorted(expected).toSorted());
      }
    }
    expect(longest).toBe(12);
  });

  it("and no operation of a program has more than the 8 terms that the kernels take", () => {
    for (let repeat = 0; repeat < 200; repeat++) {
      for (const instruction of lower(randomPlan(), "sample", 1, "steps").instructions) {
        if (instruction.kind !== "exec") continue;
        for (const { terms } of instruction.operations) expect(terms.length).toBeLessThanOrEqual(8);
      }
    }
  });

  it("and a compensation of any degree keeps a coefficient for each of its outputs, which a search may overwrite", () => {
    const plan = createPlan({ schedule: vpLinear(), steps: 14, solver: "ddim" });
    for (const dcOrder of [1, 2, 7, 8, 12]) {
      const instrumented = instrument(plan, dcOrder);
      const { compensations, coefficients } = lower(instrumented, "sample", 1, "nothing");
      const wanted = instrumented.steps.flatMap(({ operations }) =>
        operations.flatMap((o) => (o.kind === "combine" && o.replaces !== undefined ? [o.terms.map(([c]) => c)] : [])),
      );
      expect(wanted).toHaveLength(14 - dcOrder);
      expect(compensations.map((list) => list.map((c) => coefficients[c]))).toEqual(wanted);
    }
  });

  it("for the plans of every solver: spaces, thresholding, guidance, draws, compensation, observed or not", () => {
    for (const setting of settings) {
      for (const predict of spaces) {
        for (const thresholding of [{}, { thresholding: { ratio: 0.9 } }]) {
          const ratios = setting.solver.multistep ? { ratios: [1, 1, 0.7, 1.4, 1.1] } : {};
          const options = { schedule: vpLinear(), steps: 5, predict, ...thresholding, ...ratios };
          const plan = createPlan(planOptions(setting, options));
          for (const guidanceScale of [1, 7.5]) {
            const feed = feeder(2 * 17);
            const observed = lower(plan, "v_prediction", guidanceScale, "steps");
            const [a, b] = bothEngines.map((engine) => show(observed, engine, 2, 17, feed)) as [Tensor[], Tensor[]];
            expect(a.length).toBe(2 * 5 + plan.nfe);
            for (const [i, t] of a.entries()) expectSame(t, b[i] as Tensor, setting.title);
            // Whoever does not watch gets the same state with no more memory.
            const blind = lower(plan, "v_prediction", guidanceScale, "nothing");
            expect(blind.slots).toBeLessThanOrEqual(observed.slots);
            const end = show(blind, bothEngines[0], 2, 17, feed).at(-1) as Tensor;
            expectSame(end, a.at(-2) as Tensor, setting.title);
          }
        }
      }
    }
  });
});

describe("a run", () => {
  it.each(Object.entries(schedules))(
    "through WebAssembly has the bits of the reference engine on %s",
    async (_, make) => {
      const schedule = make();
      const means = [
        [1, -0.5, 0.2],
        [-0.8, 0.3, 0.1],
      ];
      const denoiser = mixtureDenoiser({ schedule, means, std: [0.2, 0.3], weights: [1, 2] });
      for (const setting of orders) {
        const ratios = setting.solver.multistep ? { ratios: [1, 1, 0.7, 1.4, 1.1] } : {};
        const plan = createPlan(planOptions(setting, { schedule, steps: 5, ...ratios, thresholding: { ratio: 0.5 } }));
        const run = (engine: Engine) =>
          sample({
            plan,
            denoiser,
            shape: [3, 3],
            seed: 5,
            engine,
            condition: [0, 1, -1],
            unconditional: [-1, -1, -1],
            guidanceScale: 3,
          });
        const [a, b] = (await Promise.all(bothEngines.map(run))).map(({ data }) => data) as [Tensor, Tensor];
        expectSame(a, b, setting.title);
      }
    },
  );
});
