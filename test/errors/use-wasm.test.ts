// Handing in the compiled module, each time to a library that has just been imported.
import { beforeEach, describe, expect, it, vi } from "vitest";
import { wasmHex } from "../../src/wasm/bytes.ts";
import { constructions } from "../support/constructions.ts";
import { expectError, type Row, thrown, wrong } from "./table.ts";

const bytes = Buffer.from(wasmHex, "hex");
const compile = () => new WebAssembly.Module(bytes);
const fresh = () => import("../../src/index.ts");
const empty = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));

beforeEach(() => vi.resetModules());

const rows: Row<unknown>[] = [
  ["nothing", undefined, TypeError, '"module": expected a WebAssembly.Module, got something else'],
  ["the bytes", bytes, TypeError, '"module": expected a WebAssembly.Module, got something else'],
  [
    "a promise of the module",
    Promise.resolve(compile()),
    TypeError,
    '"module": expected a WebAssembly.Module, got something else',
  ],
  [
    "an instance",
    new WebAssembly.Instance(compile()),
    TypeError,
    '"module": expected a WebAssembly.Module, got something else',
  ],
  [
    "the module of something else",
    empty,
    TypeError,
    '"module": expected the module of this library (dc-solver.wasm), got another one',
  ],
];

describe("useWasm refuses", () => {
  it.each(rows)("%s", async (...row) => {
    const { useWasm, vpLinear } = await fresh();
    expectError(
      thrown(() => useWasm(wrong(row[1]))),
      row,
    );
    expect(vpLinear().alpha(0)).toBe(1);
  });

  it("a second module once the library runs", async () => {
    const { useWasm, vpLinear } = await fresh();
    vpLinear().alpha(0.5);
    const message = "useWasm: the library is already running; call it before the first use";
    expectError(
      thrown(() => useWasm(compile())),
      ["", undefined, Error, message],
    );
  });
});

it("a module that was handed in is the one that runs, and none is compiled", async () => {
  const { gaussianNoise } = await fresh();
  const expected = gaussianNoise(1, [2, 8]);
  vi.resetModules();
  const module = compile();
  const library = await fresh();
  expect(library.gaussianNoise).not.toBe(gaussianNoise);
  let instances: readonly (readonly unknown[])[] = [];
  const compiled = await constructions("Module", async () => {
    instances = await constructions("Instance", () => {
      library.useWasm(module);
      library.useWasm(module);
      expect(library.gaussianNoise(1, [2, 8])).toEqual(expected);
    });
  });
  expect(compiled).toEqual([]);
  expect(instances.length).toBeGreaterThan(0);
  for (const [used] of instances) expect(used).toBe(module);
});

it("importing compiles nothing and starts nothing", async () => {
  expect(await constructions("Module", fresh)).toEqual([]);
  vi.resetModules();
  expect(await constructions("Instance", fresh)).toEqual([]);
  const { vpLinear } = await fresh();
  expect(await constructions("Module", () => vpLinear().alpha(0.5))).toHaveLength(1);
});
