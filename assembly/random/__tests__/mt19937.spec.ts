import { MT_STATE_BYTES, mtHasKept, mtKeep, mtNext, mtSeed, mtTakeKept, mtUniform32, mtUniform64 } from "../mt19937";

const state = memory.data(2512, 16);
const other = memory.data(2512, 16);

describe("MT19937", () => {
  test("gives the words of std::mt19937 with its default seed", () => {
    // ISO C++ [rand.predef]: the 10000th value of a default-constructed mt19937 is 4123659995.
    mtSeed(state, 5489);
    expect<u32>(mtNext(state)).toBe(3499211612);
    for (let i = 2; i < 10000; i++) mtNext(state);
    expect<u32>(mtNext(state)).toBe(4123659995);
  });

  test("starts again when it is seeded again, without the kept number", () => {
    mtSeed(state, 1);
    const first = mtNext(state);
    mtKeep(state, 0.5);
    for (let i = 0; i < 1000; i++) mtNext(state);
    mtSeed(state, 1);
    expect<u32>(mtNext(state)).toBe(first);
    expect<bool>(mtHasKept(state)).toBe(false);
  });

  test("two states do not disturb each other", () => {
    mtSeed(state, 1);
    mtSeed(other, 1);
    let equal = 0;
    for (let i = 0; i < 2000; i++) {
      if (mtNext(state) === mtNext(other)) equal++;
    }
    expect<i32>(equal).toBe(2000);
  });

  test("uniforms are the low bits of one word, or of two", () => {
    mtSeed(state, 5489);
    mtSeed(other, 5489);
    const word = mtNext(other);
    expect<f32>(mtUniform32(state)).toBe(<f32>(<f64>(word & 0xffffff) / 16777216.0));
    const high = mtNext(other) & 0x1fffff;
    const low = mtNext(other);
    expect<f64>(mtUniform64(state)).toBe((<f64>high * 4294967296.0 + <f64>low) / 9007199254740992.0);
  });

  test("a kept number is taken once", () => {
    mtSeed(state, 1);
    mtKeep(state, -1.25);
    expect<bool>(mtHasKept(state)).toBe(true);
    expect<f64>(mtTakeKept(state)).toBe(-1.25);
    expect<bool>(mtHasKept(state)).toBe(false);
  });

  test("a state keeps doubles aligned in an array of states", () => {
    expect<i32>(MT_STATE_BYTES).toBe(2512);
    expect<i32>(MT_STATE_BYTES % 8).toBe(0);
  });
});
