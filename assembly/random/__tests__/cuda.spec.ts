import { cudaNormal } from "../cuda";
import { philoxBlocks } from "../philox";

const words = memory.data(64, 16);
const a = memory.data(256, 16);
const b = memory.data(256, 16);

describe("cudaNormal", () => {
  test("turns words 0 and 1, 2 and 3 of a thread's block into r sin v, r cos v", () => {
    let wrong = 0;
    const zero = i32x4.splat(0);
    philoxBlocks(words, i32x4.splat(5), zero, i32x4(0, 1, 2, 3), zero, 7, 9);
    for (let which = 0; which < 4; which++) {
      cudaNormal(a, 4, 7, 9, 5, which);
      for (let thread: usize = 0; thread < 4; thread++) {
        const pair = words + ((<usize>(which >> 1)) << 5) + (thread << 2);
        const r = Math.sqrt(-2 * Math.log((<f64>load<u32>(pair) + 0.5) / 4294967296.0));
        const v = (2 * Math.PI * (<f64>load<u32>(pair, 16) + 0.5)) / 4294967296.0;
        // Rounding u moves r by 2^-24/r at most, rounding v and its factor moves the angle by 4.2e-7: 2e-6 for these r.
        if (r < 0.1 || r > 4) wrong++;
        const difference = load<f32>(a + (thread << 2)) - r * (which & 1 ? Math.cos(v) : Math.sin(v));
        if (Math.abs(difference) > 2e-6) wrong++;
      }
    }
    expect<i32>(wrong).toBe(0);
  });

  test("a shorter draw is a prefix of a longer one and writes nothing behind its end", () => {
    let wrong = 0;
    cudaNormal(a, 40, 1, 2, 3, 1);
    for (let n = 0; n <= 40; n++) {
      memory.fill(b, 0xff, 256);
      cudaNormal(b, n, 1, 2, 3, 1);
      for (let i = 0; i < 64; i++) {
        const value = load<u32>(b + ((<usize>i) << 2));
        if (value !== (i < n ? load<u32>(a + ((<usize>i) << 2)) : 0xffffffff)) wrong++;
      }
    }
    expect<i32>(wrong).toBe(0);
  });

  test("gives finite numbers in 2^18 trials", () => {
    let finite = 0;
    for (let call = 0; call < 4096; call++) {
      cudaNormal(a, 64, 0, 0, call, 0);
      for (let i: usize = 0; i < 64; i++) if (Math.abs(load<f32>(a + (i << 2))) < 7) finite++;
    }
    expect<i32>(finite).toBe(4096 * 64);
  });
});
