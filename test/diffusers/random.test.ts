// Values of PyTorch 2.15 on the CPU (x86, AVX-512), written by torch.randn, torch.rand and diffusers' randn_tensor.
import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { randnTensor, type TorchDtype, type TorchGenerator, torchGenerator } from "../../src/diffusers/random.ts";
import { expectError, type Row, thrown, wrong } from "../errors/table.ts";

interface Draw {
  shape: number[];
  values: number[];
}
type Seed = number | string;
interface Reference {
  randn: (Draw & { seed: Seed; dtype: TorchDtype })[];
  rand: (Draw & { seed: Seed; dtype: TorchDtype })[];
  sequences: { seed: Seed; dtype: TorchDtype | TorchDtype[]; draws: Draw[] }[];
  randnTensor: (Draw & { seeds: Seed | Seed[]; dtype: TorchDtype; secondCall: number[] | null })[];
}
const url = new URL("../fixtures/torch-generator.json", import.meta.url);
const reference: Reference = JSON.parse(readFileSync(url, "utf8"));

// A seed beyond 2^53 is a text in the file.
const generator = (seed: Seed) => torchGenerator(typeof seed === "string" ? BigInt(seed) : seed);

/** Rounds to `digits` bits, half to even, with the smallest step 2^least. */
function round(x: number, digits: number, least: number): number {
  const step = 2 ** Math.max(Math.floor(Math.log2(Math.abs(x))) + 1 - digits, least);
  const whole = Math.floor(x / step);
  const rest = x / step - whole;
  return (rest > 0.5 || (rest === 0.5 && whole % 2 !== 0) ? whole + 1 : whole) * step;
}

// The file holds the shortest decimals that round to a value of the type.
const ofType: Record<TorchDtype, (decimal: number) => number> = {
  float64: (x) => x,
  float32: Math.fround,
  float16: (x) => round(x, 11, -24),
  bfloat16: (x) => round(x, 8, -133),
};

function expectBits(actual: Float32Array | Float64Array, values: number[], dtype: TorchDtype) {
  expect(actual).toBeInstanceOf(dtype === "float64" ? Float64Array : Float32Array);
  expect(Array.from(actual)).toEqual(values.map(ofType[dtype]));
}

const name = (c: { seed?: Seed; seeds?: Seed | Seed[]; dtype: unknown; shape?: number[] }) =>
  `${c.dtype}, seed ${c.seed ?? c.seeds}, shape ${c.shape?.join("×")}`;
const titled = <T extends Parameters<typeof name>[0]>(cases: T[]) => cases.map((c): [string, T] => [name(c), c]);

describe("torchGenerator has the bits of PyTorch", () => {
  it("in every case of the reference", () => {
    const { randn, rand, sequences, randnTensor } = reference;
    expect([randn, rand, sequences, randnTensor].map((cases) => cases.length)).toEqual([89, 6, 7, 7]);
    expect(new Set(randn.map(({ dtype }) => dtype))).toEqual(new Set(Object.keys(ofType)));
  });

  test.each(titled(reference.randn))("randn: %s", (_, { seed, shape, dtype, values }) => {
    expectBits(generator(seed).randn(shape, dtype as "float32"), values, dtype);
  });

  test.each(titled(reference.rand))("rand: %s", (_, { seed, shape, dtype, values }) => {
    expectBits(generator(seed).rand(shape, dtype), values, dtype);
  });

  test.each(titled(reference.sequences))("consecutive draws: %s", (_, { seed, dtype, draws }) => {
    const g = generator(seed);
    for (const [i, { shape, values }] of draws.entries()) {
      const type = Array.isArray(dtype) ? (dtype[i] as TorchDtype) : dtype;
      expectBits(g.randn(shape, type), values, type);
    }
  });

  test.each(titled(reference.randnTensor))("randnTensor: %s", (_, { seeds, shape, dtype, values, secondCall }) => {
    const generators = Array.isArray(seeds) ? seeds.map(generator) : generator(seeds);
    expectBits(randnTensor(shape, generators, dtype), values, dtype);
    if (secondCall !== null) expectBits(randnTensor(shape, generators, dtype), secondCall, dtype);
  });

  it("where a uniform number of a half type would round to 1 and is 0", () => {
    // torch.rand(5, generator=torch.Generator().manual_seed(225), dtype=…) of the same PyTorch.
    const half = [0.79443359375, 0.2008056640625, 0, 0.1815185546875, 0.84619140625];
    const brain = [0.79296875, 0.201171875, 0, 0.181640625, 0.84765625];
    expect(Array.from(torchGenerator(225).rand([5], "float16"))).toEqual(half);
    expect(Array.from(torchGenerator(225).rand([5], "bfloat16"))).toEqual(brain);
    expect(torchGenerator(225).rand([5])[2]).toBeGreaterThan(0.999);
  });
});

describe("a generator", () => {
  const draws = (g: TorchGenerator) => [
    () => g.randn([3]),
    () => g.randn([5], "float64"),
    () => g.rand([700]),
    () => g.randn([2, 9], "float16"),
    () => g.randn([1], "bfloat16"),
  ];

  it("is not disturbed by another one between its draws", () => {
    const alone = draws(torchGenerator(3)).map((draw) => draw());
    const first = draws(torchGenerator(3));
    const second = draws(torchGenerator(3));
    const taken = first.map((draw, i) => [draw(), (second[i] as () => Float32Array)()]);
    expect(taken).toEqual(alone.map((values) => [values, values]));
  });

  it("goes on as if nothing had been asked after a draw that was refused", () => {
    const g = torchGenerator(3);
    const first = g.randn([3]);
    expect(() => g.randn([0])).toThrow(RangeError);
    expect(() => g.randn([3], wrong("int8"))).toThrow(RangeError);
    const calm = torchGenerator(3);
    expect([first, g.randn([3])]).toEqual([calm.randn([3]), calm.randn([3])]);
  });

  it("hands out arrays that later draws do not touch", () => {
    const g = torchGenerator(3);
    const first = g.randn([20]);
    const copy = first.slice();
    g.randn([20]);
    expect(first).toEqual(copy);
  });

  it("takes the low 32 bits of a seed, written as a number or as a bigint", () => {
    const numbers = (seed: number | bigint) => Array.from(torchGenerator(seed).randn([4]));
    expect(numbers(-1)).toEqual(numbers(2 ** 32 - 1));
    expect(numbers(-(2n ** 63n))).toEqual(numbers(0));
    expect(numbers(2n ** 64n - 1n)).toEqual(numbers(-1n));
    expect(numbers(2 ** 53 - 1)).toEqual(numbers(2n ** 53n - 1n));
    expect(numbers(1)).not.toEqual(numbers(0));
  });
});

const g = torchGenerator(0);
const seeds = "an integer from −2^63 to 2^64 − 1, as bigint from 2^53 on";
const errors: Row<() => unknown>[] = [
  ["no seed", () => torchGenerator(wrong(undefined)), TypeError, `"seed": expected ${seeds}, got undefined`],
  ["a text as seed", () => torchGenerator(wrong("7")), TypeError, `"seed": expected ${seeds}, got "7"`],
  ["half a seed", () => torchGenerator(0.5), RangeError, `"seed": expected ${seeds}, got 0.5`],
  ["2^53 as a number", () => torchGenerator(2 ** 53), RangeError, `"seed": expected ${seeds}, got 9007199254740992`],
  ["2^64", () => torchGenerator(2n ** 64n), RangeError, `"seed": expected ${seeds}, got 18446744073709551616n`],
  ["no shape", () => g.randn(wrong(3)), TypeError, '"shape": expected an array of numbers, got 3'],
  [
    "an unknown type",
    () => g.rand([3], wrong("half")),
    RangeError,
    '"dtype": expected one of "float32", "float64", "float16", "bfloat16", got "half"',
  ],
  ["a seed as generator", () => randnTensor([1], wrong(7)), TypeError, '"generators": expected an object, got 7'],
  [
    "another object as generator",
    () => randnTensor([2], [g, wrong({})]),
    TypeError,
    '"generators[1]": expected a generator made by torchGenerator or cudaGenerator, got an object',
  ],
  [
    "two generators for three items",
    () => randnTensor([3, 2], [g, g]),
    RangeError,
    '"generators": expected one generator, or a list with one for each of 3 items, got 2',
  ],
];

describe("errors of torchGenerator and randnTensor", () => {
  test.each(errors)("%s", (...row) => {
    expectError(thrown(row[1]), row);
  });
});
