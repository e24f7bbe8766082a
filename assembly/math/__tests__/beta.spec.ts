import { betaQuantile } from "../beta";
import { relativeError } from "./support";

const BOUND: f64 = 7.105427357601002e-15; // 2^-47, the bound above betaQuantile

// 40 digits by root finding, rounded to double; SciPy 1.17.1 (beta.ppf) agrees within 6.2e-16.
const COUNT: i32 = 10;
const shares = memory.data<f64>([1e-12, 1e-5, 0.001, 0.02, 0.1, 0.25, 0.3333333333333333, 0.4, 0.47, 0.4999999]);
const at06 = memory.data<f64>([
  1.8558824624914106e-20, 8.61424329584663e-9, 1.8558738517451997e-5, 0.002732982024577029, 0.039584405588780854,
  0.175680378652695, 0.2754132907776235, 0.3627009907532143, 0.45842092047312594, 0.4999998612749041,
]);
const at09 = memory.data<f64>([
  5.1782870954145934e-14, 3.1043010501363523e-6, 0.0005178145946801611, 0.014435885334927177, 0.08597726042569791,
  0.23587614007030108, 0.32287702969652493, 0.3934258867234218, 0.46798298617877643, 0.499999893262014,
]);
// beta.ppf of SciPy 1.17.1 at a = 0.6, above the median.
const above = memory.data<f64>([0.51, 0.75, 0.9, 0.99, 0.9999]);
const at06Above = memory.data<f64>([
  0.51387108572184, 0.824319621347305, 0.9604155944112192, 0.9991387611784571, 0.9999996001622842,
]);

function at(base: usize, i: i32): f64 {
  return load<f64>(base + ((<usize>i) << 3));
}

describe("betaQuantile", () => {
  test("has the values of high precision below the median", () => {
    for (let i = 0; i < COUNT; i++) {
      expect(relativeError(betaQuantile(at(shares, i), 0.6), at(at06, i))).toBeLessThan(BOUND);
      expect(relativeError(betaQuantile(at(shares, i), 0.9), at(at09, i))).toBeLessThan(BOUND);
    }
  });

  test("has SciPy's values above it", () => {
    for (let i = 0; i < 5; i++)
      expect(Math.abs(betaQuantile(at(above, i), 0.6) - at(at06Above, i))).toBeLessThan(3.0e-16);
  });

  test("is sin²(πp/2) for the arcsine distribution, and p for the uniform one", () => {
    for (let i = 1; i < 500; i++) {
      const p = <f64>i / 1000.0;
      const sine = Math.sin((Math.PI * p) / 2.0);
      expect(relativeError(betaQuantile(p, 0.5), sine * sine)).toBeLessThan(BOUND);
      expect(relativeError(betaQuantile(p, 1.0), p)).toBeLessThan(BOUND);
    }
  });

  test("is 0, ½ and 1 exactly where p is", () => {
    expect(betaQuantile(0.0, 0.6)).toBe(0.0);
    expect(betaQuantile(0.5, 0.6)).toBe(0.5);
    expect(betaQuantile(1.0, 0.6)).toBe(1.0);
  });
});
