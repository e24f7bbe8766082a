// The 135 runs of diffusers that end, and the 15 that fail.
import { describe, expect, it } from "vitest";
import { rows } from "../../src/diffusers/classes/index.ts";
import { type Scheduler, schedulerFromConfig } from "../../src/diffusers/index.ts";
import { noiseTables, type TablePrecision } from "../../src/diffusers/tables.ts";
import { cases, distance, failing, optionsOf, roundedFurther, runCase } from "../support/diffusers-cases.ts";

const sigmaClasses = new Set(["ve-scaled-input", "vp-sigma", "flow"]);

function tablesOf(scheduler: Scheduler, scaling: string, precision: TablePrecision) {
  if (!("beta_schedule" in scheduler.config)) return { alphasCumprod: [] };
  return noiseTables(scheduler.config, precision, sigmaClasses.has(scaling) ? 2 ** -24 : undefined);
}

describe("in float64, with tables in float64, runs end where diffusers' own source in float64 does", () => {
  for (const c of cases) {
    if (rows[c.class as keyof typeof rows] === undefined) continue;
    it(c.id, async () => {
      const scheduler = schedulerFromConfig(c.config, { className: c.class });
      const result = await runCase(c, scheduler, tablesOf(scheduler, c.scaling, "float64"), "float64", true);
      // 1e-9: an independent float64 implementation comes within 4e-13.
      expect(distance(result.data, c.float64.final)).toBeLessThan(1e-9);
    });
  }
});

describe("with tables in float32, as diffusers has them", () => {
  for (const c of cases) {
    if (rows[c.class as keyof typeof rows] === undefined) continue;
    const margin = 3 * Math.max(c.float64.distance, c.expected.spread);
    it(c.id, async () => {
      const scheduler = schedulerFromConfig(c.config, { className: c.class });
      const { timesteps, sigmas, initNoiseSigma } = scheduler.timetable(optionsOf(c, "float32"));
      const free = new Set(c.expected.timestepsDependOnRounding ?? []);
      expect(timesteps.length).toBe(c.expected.timesteps.length);
      for (const [i, t] of timesteps.entries())
        expect(Math.abs(t - (c.expected.timesteps[i] as number))).toBeLessThan(free.has(i) ? 1.001 : 1e-3);
      for (const [i, s] of (sigmas ?? []).entries()) {
        const wanted = c.expected.sigmas?.[i] as number;
        // Cosine betas with zero terminal SNR: torch's own float32 roots differ from CPU to CPU.
        const loose = c.config.beta_schedule === "squaredcos_cap_v2" && c.config.rescale_betas_zero_snr === true;
        const relative = loose ? 2e-3 : c.class === "EDMDPMSolverMultistepScheduler" ? 5e-6 : 2e-6;
        expect(Math.abs(s - wanted), `sigma ${i}: ${s}, ${wanted}`).toBeLessThanOrEqual(relative * wanted);
      }
      expect(Math.abs(initNoiseSigma / (c.expected.initNoiseSigma ?? 1) - 1)).toBeLessThan(2e-6);
      const tables = tablesOf(scheduler, c.scaling, "float32");
      const reference = await runCase(c, scheduler, tables, "float32", true);
      expect(distance(reference.data, c.expected.final)).toBeLessThan(Math.max(2e-6, margin));
      const result = await runCase(c, scheduler, tables, "float32", false);
      expect(distance(result.data, c.expected.final)).toBeLessThan(Math.max(roundedFurther[c.id] ?? 5e-6, margin));
    });
  }
});

describe("what fails in diffusers is refused by name", () => {
  for (const c of failing) {
    if (rows[c.class as keyof typeof rows] === undefined) continue;
    it(`${c.id}: ${c.stage}`, () => {
      expect(() => schedulerFromConfig(c.config, { className: c.class }).plan(optionsOf(c, "float32"))).toThrow(
        /^"[\w.[\]]+": /,
      );
    });
  }
});
