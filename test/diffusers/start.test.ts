// The façade of a ported loop: call by call, the states that diffusers' own loop has.
import { describe, expect, it } from "vitest";
import { schedulerFromConfig } from "../../src/diffusers/index.ts";
import {
  callLevels,
  callSigmas,
  cases,
  distance,
  network,
  optionsOf,
  roundedFurther,
  tablesOf,
} from "../support/diffusers-cases.ts";

describe("a loop written around `step` ends, and on its way is, where diffusers' is", () => {
  for (const c of cases) {
    it(c.id, () => {
      const scheduler = schedulerFromConfig(c.config, { className: c.class });
      const options = optionsOf(c, "float32");
      const tables = tablesOf(c, scheduler, "float32");
      const sigmas = callSigmas(c, scheduler, options);
      const run = scheduler.start({ ...options, shape: [2, 2, 1, 3] });
      const levels = callLevels(scheduler.plan(options));
      const tolerance = Math.max(roundedFurther[c.id] ?? 5e-6, 3 * Math.max(c.float64.distance, c.expected.spread));
      let x: Float32Array = Float32Array.from(c.xT.flat(), (v) => v * run.initNoiseSigma);
      for (const [index, told] of run.timesteps.entries()) {
        expect(run.index).toBe(index);
        const input = run.scaleModelInput(x);
        const size = input.length / c.labels.length;
        const out = new Float32Array(input.length);
        for (const [i, label] of c.labels.entries()) {
          const item = input.subarray(i * size, (i + 1) * size);
          const call = { index, told, level: levels[index] as readonly [number, number] };
          const ask = (l: number) => network(c, scheduler, tables, sigmas, item, call, l);
          const conditional = ask(label);
          const w = c.guidanceScale;
          const whole = w === null ? conditional : ask(-1).map((u, j) => u + w * ((conditional[j] as number) - u));
          out.set(whole, i * size);
        }
        const noise = c.noise?.[index];
        const step = run.step(out, x, noise && Float32Array.from((noise as number[][]).flat()));
        expect(step.denoised.every(Number.isFinite)).toBe(true);
        x = step.x;
        const recorded = c.expected.trajectory?.[index];
        if (recorded !== undefined) expect(distance(x, recorded), `call ${index}`).toBeLessThan(tolerance);
      }
      expect(distance(x, c.expected.final)).toBeLessThan(tolerance);
      expect(() => run.step(x, x)).toThrow("the run has ended");
    });
  }
});

describe("start", () => {
  const scheduler = schedulerFromConfig({ _class_name: "DDIMScheduler", clip_sample: false, steps_offset: 1 });
  const x = Float32Array.of(1, -0.5, 0.25, 2);

  it("keeps runs apart, and takes the state it is given, changed or not", () => {
    const [a, b] = [scheduler.start({ steps: 4 }), scheduler.start({ steps: 4 })];
    const output = Float32Array.of(0.1, 0.2, 0.3, 0.4);
    const first = a.step(output, x);
    b.step(output, x);
    const moved = first.x.map((v) => v + 1);
    const second = a.step(output, moved);
    expect(b.step(output, first.x).x).not.toEqual(second.x);
    // Linear in the state: a shift of 1 comes out as the step's coefficient of x, the same for all elements.
    const fresh = scheduler.start({ steps: 4 });
    fresh.step(output, x);
    const unmoved = fresh.step(output, first.x).x;
    const shifts = Array.from(second.x, (v, i) => v - (unmoved[i] as number));
    for (const shift of shifts) expect(Math.abs(shift - (shifts[0] as number))).toBeLessThan(4e-6);
    expect(shifts[0]).toBeGreaterThan(0.5);
  });

  it("begins where `strength` says, at the noise that addNoise adds", () => {
    const run = scheduler.start({ steps: 10, strength: 0.6 });
    expect(run.timesteps).toEqual(scheduler.timetable({ steps: 10 }).timesteps.slice(4));
    const signal = Array.from({ length: 1000 }, (_, t) => 1 - (1e-4 + (t * (0.02 - 1e-4)) / 999)).slice(
      0,
      (run.timesteps[0] as number) + 1,
    );
    const ab = signal.reduce((product, v) => product * v, 1);
    const noisy = run.addNoise(Float32Array.of(2, 0), Float32Array.of(0, 1));
    expect(noisy[0]).toBeCloseTo(2 * Math.sqrt(ab), 5);
    expect(noisy[1]).toBeCloseTo(Math.sqrt(1 - ab), 5);
  });

  it("paints into a picture: what is known is put back at each level, and stays", () => {
    const known = Float32Array.of(0.3, -0.8, 0, 0);
    const mask = [true, true, false, false];
    const noise = Float32Array.of(1, -1, 0.5, 0.25);
    const run = scheduler.start({ steps: 10, strength: 0.8 });
    let x = run.addNoise(known, noise);
    for (const [i] of run.timesteps.entries()) {
      x = run.step(run.scaleModelInput(x), x).x;
      const level = i + 1 < run.timesteps.length ? run.addNoise(known, noise, i + 1) : known;
      x = x.map((v, j) => (mask[j] ? (level[j] as number) : v));
    }
    expect(Array.from(x.subarray(0, 2))).toEqual(Array.from(known.subarray(0, 2)));
    expect(x.every(Number.isFinite)).toBe(true);
    expect(Array.from(x.subarray(2))).not.toEqual([0, 0]);
  });

  it("says what is missing or of the wrong kind, and loses nothing by it", () => {
    const run = schedulerFromConfig({ _class_name: "DDIMScheduler" }).start({ steps: 3, eta: 1 });
    const o = new Float32Array(4);
    expect(() => run.step(o, x)).toThrow('"noise": required');
    expect(run.step(o, x, o).x).toHaveLength(4);
    expect(() => run.step(o, x)).toThrow('"noise": required, this step draws standard normals');
    const other = scheduler.start({ steps: 3 });
    expect(() => other.step(new Float32Array(3), x)).toThrow('"output": expected a length of 4');
    expect(() => other.step([0, 0, 0, 0] as unknown as Float32Array, x)).toThrow('"output": expected a Float32Array');
    expect(other.step(o, x).x).toHaveLength(4);
  });

  it("names the state and the shape that do not go together", () => {
    const shaped = scheduler.start({ steps: 3, shape: [1, 4] });
    const o = new Float32Array(4);
    expect(() => shaped.step(o, x.subarray(0, 2))).toThrow('"x": expected a length of 4, got 2');
    expect(() => shaped.step(o, Float32Array.of(0, 0, Number.NaN, 0))).toThrow('"x": expected finite numbers, got NaN');
    expect(shaped.step(o, x).x).toHaveLength(4);
    const none = new Float32Array();
    expect(() => scheduler.start({ steps: 3 }).step(none, none)).toThrow('"x": expected at least one number');
    expect(() => scheduler.start({ steps: 3, shape: [0] })).toThrow('"shape[0]": expected an integer ≥ 1, got 0');
  });
});
