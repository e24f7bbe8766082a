// What diffusers 0.42.1 made of configuration texts and conversions (test/fixtures/diffusers), and what it refuses.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  configToJSON,
  convertConfig,
  type Json,
  type ResolvedConfig,
  resolveConfig,
} from "../../src/diffusers/config.ts";
import { truth } from "../../src/diffusers/construct.ts";
import { classNames, defaults } from "../../src/diffusers/defaults.ts";
import { further } from "../../src/diffusers/further.ts";
import { schedulerFromConfig } from "../../src/diffusers/index.ts";
import { parseJson } from "../../src/diffusers/json.ts";
import { furtherRuns } from "../support/diffusers-cases.ts";

type Values = Record<string, Json>;
interface Outcome {
  resolved?: Values;
  kept?: Values;
  ignored: string[];
  error?: string;
}
interface File extends Outcome {
  class: string;
  text: string;
  note: string;
}
interface Conversion extends Outcome {
  file: string;
  from: string;
  through: string[];
  to: string;
  via: "memory" | "saved";
  arguments: Values;
}
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/diffusers/${name}`, import.meta.url), "utf8"));
const data: {
  defaults: Record<string, Values>;
  published: Record<string, Values>;
  files: File[];
  conversions: Conversion[];
} = read("config-resolution.json");

/** The data has the text "-Infinity" for the number. */
const number = (value: Json) => (value === "-Infinity" ? -Infinity : value);
const numbers = (values: Values) => Object.fromEntries(Object.entries(values).map(([k, v]) => [k, number(v)]));

function expectOutcome(make: () => ResolvedConfig, { resolved, kept, ignored, error }: Outcome): void {
  if (error !== undefined) {
    // In our form: the argument first.
    expect(make).toThrow(/^"[\w", [\]]+": expected .+, got /);
    return;
  }
  const made = make();
  expect(made.config).toEqual(numbers(resolved as Values));
  expect(made.kept).toEqual(numbers(kept as Values));
  expect(made.ignored).toEqual([...ignored].sort());
}

const saved = (config: ResolvedConfig) => JSON.stringify(configToJSON(config));
const base = { _class_name: "DPMSolverMultistepScheduler", beta_schedule: "scaled_linear" };

describe("the defaults of a class", () => {
  it("are those of the constructors, for all 21, and for those that have runs of their own", () => {
    const all = { ...data.defaults, ...(furtherRuns.defaults as Record<string, Values>) };
    expect(classNames.toSorted()).toEqual(Object.keys(all).sort());
    for (const name of classNames) expect(defaults[name]).toEqual(numbers(all[name] as Values));
  });
});

describe("a configuration text", () => {
  it("there are 54 of", () => expect(data.files).toHaveLength(54));

  it.each(data.files.map((file, i) => ({ ...file, title: `${i}, ${file.class}: ${file.note}` })))(
    "becomes what diffusers makes of it: $title",
    (file) => expectOutcome(() => resolveConfig(file.text, { className: file.class }), file),
  );

  it("names its class where none is given", () => {
    const whole = data.files.filter((file) => file.error === undefined && file.text.includes(`"${file.class}"`));
    expect(whole.length).toBeGreaterThan(30);
    for (const file of whole) expect(resolveConfig(file.text).className).toBe(file.class);
  });

  it("may be parsed before", () => {
    expect(resolveConfig({ ...base, trained_betas: Float32Array.of(0.5, 0.25) }).config.trained_betas).toEqual([
      0.5, 0.25,
    ]);
  });
});

describe("a conversion", () => {
  it("there are 62 of", () => expect(data.conversions).toHaveLength(62));

  it.each(
    data.conversions.map((c, i) => ({
      ...c,
      title: `${i}, ${c.file} ${[c.from, ...c.through, c.to].join(" → ")} (${c.via})`,
    })),
  )("becomes what from_config makes of it: $title", (conversion) => {
    const { file, from, through, to, via, arguments: overrides } = conversion;
    const next = (config: ResolvedConfig, className: string, more: Values) =>
      via === "memory"
        ? convertConfig(config, className, more)
        : resolveConfig(saved(config), { className, overrides: more });
    expectOutcome(() => {
      const first = resolveConfig(data.published[file] as Values, { className: from });
      return next(
        through.reduce((config, className) => next(config, className, {}), first),
        to,
        overrides,
      );
    }, conversion);
  });

  it("by way of JSON gives the class its own configuration back", () => {
    for (const file of data.files.filter(({ error }) => error === undefined)) {
      const config = resolveConfig(file.text, { className: file.class });
      const again = resolveConfig(saved(config), { className: file.class });
      expect(again.config).toEqual(config.config);
      expect(again.kept).toEqual(config.kept);
      expect(again.defaulted).toEqual([]);
    }
  });
});

describe("what diffusers fails at when it constructs a scheduler", () => {
  const failing = (read("cases.json").cases as { id: string; stage?: string; class: string; config: Values }[]).filter(
    ({ stage }) => stage === "construct",
  );

  it.each(failing)("is refused: $id", ({ class: className, config }) => {
    expect(() => resolveConfig(config, { className })).toThrow(/": expected/);
  });

  it.each<[string, Values, string]>([
    ["two sigma grids", { ...base, use_karras_sigmas: true, use_beta_sigmas: true }, "at most one to be true"],
    ["a text that is summed", { ...base, use_karras_sigmas: "True" }, `"use_karras_sigmas": expected true or false`],
    ["an unknown noise schedule", { ...base, beta_schedule: "sqrt" }, '"linear", "scaled_linear"'],
    ["a noise schedule of another class", { ...base, beta_schedule: "sigmoid" }, '"beta_schedule"'],
    ["a text as a beta", { ...base, beta_end: "0.012" }, '"beta_end": expected a finite number, got "0.012"'],
    ["null as a beta", { ...base, beta_start: null }, '"beta_start": expected a finite number, got null'],
    ["betas that are one number", { ...base, trained_betas: 0.1 }, '"trained_betas": expected null or an array'],
    ["null as the number of timesteps", { ...base, num_train_timesteps: null }, '"num_train_timesteps"'],
    ["an algorithm of SA-Solver", { ...base, algorithm_type: "data_prediction" }, '"algorithm_type": expected one of'],
    ["an unknown solver type", { ...base, solver_type: "euler" }, '"solver_type": expected one of'],
    ["dpmsolver that ends at zero", { ...base, algorithm_type: "dpmsolver" }, "choose sigma_min, or"],
    [
      "order 4 of the singlestep solver",
      { ...base, _class_name: "DPMSolverSinglestepScheduler", solver_order: 4 },
      '"solver_order": expected an integer from 1 to 3',
    ],
    ["a spacing LMS lays out at once", { _class_name: "LMSDiscreteScheduler", timestep_spacing: null }, "leading"],
    ["rho 0", { _class_name: "EDMEulerScheduler", rho: 0 }, '"rho": expected a number other than 0'],
    ["a shift of null", { _class_name: "FlowMatchHeunDiscreteScheduler", shift: null }, '"shift"'],
    ["a key that from_config hands to the constructor", { ...base, dtype: "float16" }, '"dtype"'],
    ["defaults that are no list", { ...base, _use_default_values: null }, '"_use_default_values"'],
  ])("is refused by name: %s", (_, config, message) => {
    expect(() => resolveConfig(config)).toThrow(message);
  });

  it("is not refused where the constructor does not look: betas beside trained ones, null shift under dynamic shifting", () => {
    expect(resolveConfig({ ...base, beta_schedule: "any", beta_end: null, trained_betas: [0.1] }).config.beta_end).toBe(
      null,
    );
    const flow = { _class_name: "FlowMatchEulerDiscreteScheduler", shift: null, use_dynamic_shifting: true };
    expect(resolveConfig(flow).config.shift).toBe(null);
  });
});

describe("a class", () => {
  it("that is unknown is refused with the 21 names", () => {
    for (const [config, o] of [
      [{ _class_name: "FooScheduler" }, {}],
      [{}, { className: "toString" }],
    ] as const) {
      expect(() => resolveConfig(config, o)).toThrow(RangeError);
      expect(() => resolveConfig(config, o)).toThrow(classNames.join(", "));
    }
  });

  it("that is missing or no text is a TypeError", () => {
    expect(() => resolveConfig({})).toThrow(/^"_class_name": .*got undefined; or say className$/);
    expect(() => resolveConfig({}, { className: 3 as unknown as string })).toThrow(TypeError);
    expect(() => resolveConfig({ _class_name: null }, { className: "DDIMScheduler" })).toThrow(TypeError);
  });

  it("of diffusers that is not supported is refused with the reason, and its files load with another class", () => {
    for (const [name, { reason }] of Object.entries(further)) {
      expect(() => resolveConfig({ _class_name: name })).toThrow(`"${name}"; not supported: ${reason}`);
    }
    const file = { _class_name: "CogVideoXDPMScheduler", snr_shift_scale: 3, other: 1 };
    expect(resolveConfig(file, { className: "DDIMScheduler" }).ignored).toEqual(["other"]);
  });
});

describe("a description", () => {
  it("is frozen to its leaves, and apart from what it was made of", () => {
    const foreign = { list: [1] };
    const made = resolveConfig({ ...base, foreign });
    foreign.list.push(2);
    expect(made.kept.foreign).toEqual({ list: [1] });
    for (const part of [made, made.config, made.kept, made.ignored, made.kept.foreign as object]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it("names overrides that are no arguments, and texts that count as true", () => {
    const made = resolveConfig(
      { ...base, lower_order_final: "False" },
      { overrides: { clip_sample: true, use_lu_lambdas: true } },
    );
    expect(made.unused).toEqual(["clip_sample"]);
    expect(made.oddBooleans).toEqual(["lower_order_final"]);
    expect(made.config.use_lu_lambdas).toBe(true);
  });

  it("reads truth as Python does", () => {
    expect(["False", 1, -1, [0], { a: 0 }, Number.NaN, true].map(truth)).toEqual(Array(7).fill(true));
    expect([null, 0, "", [], {}, false, undefined].map(truth)).toEqual(Array(7).fill(false));
  });
});

describe("JSON of Python", () => {
  it("has numbers that JSON has not", () => {
    expect(
      parseJson("config", '{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN, -Infinity \\" NaN", "NaN": -1}'),
    ).toEqual({
      ...{ a: Number.NaN, b: [Infinity, -Infinity], c: 'NaN, -Infinity " NaN', NaN: -1 },
    });
    // Neither a list nor a text of the file is taken for the literal.
    expect(parseJson("config", '[NaN, ["NaN"], ["\\u004eaN\'"], ["NaN\'\'"], null, [null]]')).toEqual([
      ...[Number.NaN, ["NaN"], ["NaN'"], ["NaN''"], null, [null]],
    ]);
  });

  it.each(["", "{", "[1", '{"a": 1Infinity}', '{"a": -NaN}', "{NaN: 1}", "{Infinity: 1}", '{"a": 1,}', '"a', "NaNNaN"])(
    "that is broken is a TypeError: %s",
    (text) => {
      expect(() => resolveConfig(text)).toThrow(TypeError);
      expect(() => resolveConfig(text)).toThrow(/^"config": expected JSON, got ".*"; /);
    },
  );

  it("ends strings where they end, however many signs are escaped in them", () => {
    const signs = '"\\'.repeat(250_000);
    const text = JSON.stringify({ a: signs }).replace("}", ', "b": NaN}');
    expect(parseJson("config", text)).toEqual({ a: signs, b: Number.NaN });
    expect(() => parseJson("config", '{"a": "\\')).toThrow('"config": expected JSON, got ');
  });

  it("that is too long or nested too deep is refused at once", () => {
    const nested = (depth: number) => `{"a": ${"[".repeat(depth)}NaN${"]".repeat(depth)}}`;
    expect(() => resolveConfig("[".repeat(2 ** 21))).toThrow('"config": expected a text of at most 1048576 characters');
    expect(() => resolveConfig(nested(1e5))).toThrow('"config": expected JSON that is nested less deep');
    expect(() => resolveConfig(nested(101))).toThrow(/^"config\.a\S*": expected at most 100 lists or objects/);
    const circle: Record<string, unknown> = { _class_name: "DDIMScheduler" };
    circle.a = circle;
    expect(() => resolveConfig(circle)).toThrow(/^"config(\.a)+": expected at most 100 lists or objects/);
  });

  it("of anything but an object is a TypeError", () => {
    for (const text of ["null", "[]", "3", '"a"', "NaN"]) expect(() => resolveConfig(text)).toThrow(TypeError);
  });
});

describe("schedulerFromConfig", () => {
  const load = (o: unknown) => () => schedulerFromConfig({ _class_name: "DDIMScheduler" }, o as { className: string });

  it("refuses options that it does not have, rather than load another class than was meant", () => {
    expect(load({ classname: "DDPMScheduler" })).toThrow(
      '"classname": unknown option of schedulerFromConfig; expected one of className, overrides, tables',
    );
    expect(load("DDPMScheduler")).toThrow('"schedulerFromConfig": expected an object, got "DDPMScheduler"');
    expect(load(null)).toThrow('"schedulerFromConfig": expected an object, got null');
  });

  it("refuses lists with holes, and tables that would not fit in memory", () => {
    const betas = Object.assign(new Array(3), { 0: 0.1, 2: 0.3 });
    expect(() => schedulerFromConfig({ _class_name: "IPNDMScheduler", trained_betas: betas })).toThrow(
      '"config.trained_betas[1]": expected null, true, false, a number, text, a list or an object, got undefined',
    );
    expect(() => schedulerFromConfig({ _class_name: "DDIMScheduler", num_train_timesteps: 2 ** 31 })).toThrow(
      '"num_train_timesteps": expected an integer from 1 to 1000000, got 2147483648',
    );
  });
});
