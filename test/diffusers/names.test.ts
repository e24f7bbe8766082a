import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { rows } from "../../src/diffusers/classes/index.ts";
import { type ClassName, defaults } from "../../src/diffusers/defaults.ts";
import { findSampler, type Sampler, samplerNames } from "../../src/diffusers/find-sampler.ts";
import { schedulerFromConfig } from "../../src/diffusers/index.ts";
import { nameGroups } from "../../src/diffusers/names.ts";
import { createPlan, edm, vpDiscrete } from "../../src/index.ts";

const stableDiffusion = {
  ...{ _class_name: "PNDMScheduler", beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012 },
  ...{ num_train_timesteps: 1000, skip_prk_steps: true, steps_offset: 1, set_alpha_to_one: false, clip_sample: false },
};
const schedule = vpDiscrete({ betaSchedule: "scaled_linear", betaStart: 0.00085, betaEnd: 0.012 });
const types = nameGroups.flatMap((group) => Object.keys(group.types));

/** Makes the plans that an entry promises, but for classes that are not in `rows`. Returns how many. */
function make({ name, className, overrides, solver }: Sampler): number {
  let made = 0;
  if (className !== undefined) {
    expect(Object.keys(defaults), name).toContain(className);
    expect(Object.keys(defaults[className]), name).toEqual(expect.arrayContaining(Object.keys(overrides)));
    if (rows[className] !== undefined) {
      const plan = schedulerFromConfig(stableDiffusion).to(className, overrides).plan({ steps: 10 });
      expect(plan.steps.length, name).toBeGreaterThan(0);
      made++;
    }
  }
  if (solver !== undefined) {
    expect(createPlan({ schedule, steps: 10, ...solver }).steps, name).toHaveLength(10);
    made++;
  }
  return made;
}

describe("the table of names", () => {
  it("has an address with a commit or a version for each group", () => {
    for (const { source } of nameGroups)
      expect(source).toMatch(/^https:\/\/.+\/(blob\/[0-9a-f]{40}|tree\/v\d+\.\d+\.\d+)\//);
  });

  it("tells for each name what it is, or why there is nothing", () => {
    const methods = nameGroups.flatMap(({ samplers }) => Object.entries(samplers));
    expect(methods.length).toBeGreaterThan(90);
    for (const [name, { className, solver, note }] of methods) {
      const complete = className !== undefined && solver !== undefined;
      expect(complete || note !== undefined, name).toBe(true);
    }
  });

  it.each(samplerNames)("makes plans of %s, through its class and through createPlan", (name) => {
    expect(make(findSampler(name))).toBeGreaterThan(0);
  });

  it.each(types)("makes plans of samplers with the schedule type %s", (type) => {
    let made = 0;
    for (const name of samplerNames) {
      let sampler: Sampler;
      try {
        sampler = findSampler(`${name} ${type}`);
      } catch (cause) {
        expect((cause as Error).message).toContain("not supported: ");
        continue;
      }
      if (sampler.className === undefined || sampler.solver === undefined) expect(sampler.note, name).toBeDefined();
      made += make(sampler);
    }
    const refused = ["Align Your Steps", "KL Optimal", "kl_optimal", "linear_quadratic"];
    if (refused.includes(type)) expect(made).toBe(0);
    else expect(made).toBeGreaterThan(20);
  });

  it("covers every class of diffusers that there is here", () => {
    expect(samplerNames).toEqual(expect.arrayContaining(Object.keys(rows)));
  });
});

describe("findSampler", () => {
  it("knows the names of A1111 and their schedule types", () => {
    expect(findSampler("DPM++ 2M Karras")).toEqual({
      ...{ name: "DPM++ 2M Karras", from: "A1111", className: "DPMSolverMultistepScheduler" },
      overrides: {
        ...{ algorithm_type: "dpmsolver++", solver_order: 2, solver_type: "midpoint", timestep_spacing: "linspace" },
        ...{ use_karras_sigmas: true, use_exponential_sigmas: false, use_beta_sigmas: false },
      },
      solver: { solver: "dpmpp", order: 2, spacing: "karras" },
    });
    expect(findSampler("DPM++ 2M SDE Heun Exponential")).toMatchObject({
      overrides: { algorithm_type: "sde-dpmsolver++", solver_type: "heun", use_exponential_sigmas: true },
      solver: { solver: "dpmpp", order: 2, variant: "heun", sde: true, spacing: "exponential" },
    });
    expect(findSampler("DPM2 a Karras")).toMatchObject({
      className: "KDPM2AncestralDiscreteScheduler",
      solver: { solver: "kdpm2", eta: 1, spacing: "karras" },
    });
  });

  it("knows those of ComfyUI, k-diffusion and diffusers", () => {
    expect(findSampler("dpmpp_2m karras")).toMatchObject({ from: "ComfyUI", name: "dpmpp_2m karras" });
    expect(findSampler("dpmpp_2m karras").overrides).toEqual(findSampler("DPM++ 2M Karras").overrides);
    expect(findSampler("uni_pc_bh2 sgm_uniform")).toMatchObject({
      className: "UniPCMultistepScheduler",
      overrides: { solver_type: "bh2", timestep_spacing: "trailing", use_karras_sigmas: false },
    });
    expect(findSampler("sample_dpmpp_2m_sde")).toMatchObject({ from: "k-diffusion", solver: { sde: true } });
    expect(findSampler("TCDScheduler")).toMatchObject({ from: "diffusers", overrides: {}, solver: { solver: "tcd" } });
  });

  it("does not mind case, spaces, hyphens and underscores", () => {
    for (const name of ["dpm++ 2m karras", "DPM++2MKarras", " DPM++ 2M_KARRAS", "DPM++-2M-Karras"]) {
      expect(findSampler(name)).toEqual(findSampler("DPM++ 2M Karras"));
    }
  });

  it("says what is missing where a class or a solver does not take a schedule type", () => {
    const ancestral = findSampler("Euler a Karras");
    expect(ancestral).toMatchObject({ className: undefined, solver: { solver: "ddim", eta: 1, spacing: "karras" } });
    expect(ancestral.note).toBe("EulerAncestralDiscreteScheduler has no use_karras_sigmas");
    const beta = findSampler("Euler Beta");
    expect(beta).toMatchObject({ className: "EulerDiscreteScheduler", solver: undefined });
    expect(beta.note).toBe("createPlan has no such spacing");
  });

  it("says why a sampler is refused", () => {
    for (const [name, reason] of [
      ["DPM fast", /"sampler": expected one that is supported, got "DPM fast"; not supported: diffusers has no such/],
      ["DPM adaptive Karras", /got "DPM adaptive Karras"; not supported: it chooses each step from the samples/],
      ["dpmpp_2m_cfg_pp", /not supported: CFG\+\+ steps with the unconditional output/],
      ["Euler Align Your Steps", /not supported: its times are given with the run: timetable\(/],
      ["RePaintScheduler", /not supported: /],
    ] as const) {
      expect(() => findSampler(name)).toThrow(RangeError);
      expect(() => findSampler(name)).toThrow(reason);
    }
  });

  it("names those that are near an unknown name", () => {
    expect(() => findSampler("DPM++ 2N")).toThrow(RangeError);
    expect(() => findSampler("DPM++ 2N")).toThrow(
      /expected the name of a sampler, such as "DPM\+\+ 2M".*, got "DPM\+\+ 2N"/,
    );
    expect(() => findSampler("Eular")).toThrow(/such as .*"Euler"/);
    expect(() => findSampler(undefined as unknown as string)).toThrow(TypeError);
    for (const name of ["", "constructor", "__proto__"]) expect(() => findSampler(name)).toThrow(RangeError);
  });

  it("answers a text of any length at once", () => {
    const before = performance.now();
    expect(() => findSampler(`euler ${"ab".repeat(5e5)}`)).toThrow(
      '"sampler": expected the name of a sampler, such as',
    );
    // 13 s where all of its pairs of letters were compared with each name's.
    expect(performance.now() - before).toBeLessThan(3000);
  });

  it("means k-diffusion's ancestral step by Euler a", () => {
    const plan = createPlan({ schedule: edm(), steps: 5, ...findSampler("Euler a").solver });
    for (const step of plan.steps.slice(0, -1)) {
      const [from, to] = [step.start.sigma, step.end.sigma];
      // get_ancestral_step at eta = 1: noise of sqrt(to²(from² − to²)/from²), the rest of the level by Euler's step from x.
      const up = Math.sqrt((to ** 2 * (from ** 2 - to ** 2)) / from ** 2);
      const down = Math.sqrt(to ** 2 - up ** 2);
      const draw = step.operations.find((o) => o.kind === "draw");
      const combine = step.operations.findLast((o) => o.kind === "combine");
      const { x = -1 } = step.operations.find((o) => o.kind === "evaluate") ?? {};
      const coefficient = (of: number | undefined) => combine?.terms.find(([, value]) => value === of)?.[0];
      // Rounding of a handful of operations.
      expect(Math.abs((coefficient(draw?.to) ?? 0) / up - 1)).toBeLessThan(1e-12);
      expect(Math.abs((coefficient(x) ?? 0) / (down / from) - 1)).toBeLessThan(1e-9);
    }
  });
});

it("docs/sampler-names.md is what `npm run docs` writes", async () => {
  const root = new URL("../../", import.meta.url);
  const { namesPage } = (await import(new URL("tools/docs.mjs", root).href)) as { namesPage(): Promise<string> };
  expect(readFileSync(new URL("docs/sampler-names.md", root), "utf8")).toBe(await namesPage());
});

it("every class of diffusers is a key of the table", () => {
  const classes: readonly ClassName[] = Object.keys(defaults) as ClassName[];
  for (const name of classes) expect(findSampler(name).className).toBe(name);
});
