import { atan2, exp, expm1, log, phi, pow, sin } from "../phi";
import { relativeError } from "./support";

// High-precision values (120 digits), rounded to double; the bound is the one above phi.
const BOUND: f64 = 1.7763568394002505e-15; // 2^-49
const COUNT: i32 = 16;
const points = memory.data<f64>([
  -100.0, -12.5, -6.5, -3.0, -2.9999999999999996, -1.0, -0.3, -1e-9, 0.0, 1e-5, 0.25, 1.0, 3.0, 3.5, 12.0, 20.0,
]);
const phi0 = memory.data<f64>([
  3.720075976020836e-44,
  3.726653172078671e-6,
  0.0015034391929775724,
  0.049787068367863944,
  0.049787068367863965,
  0.36787944117144233,
  0.7408182206817179,
  0.999999999,
  1.0,
  1.00001000005,
  1.2840254166877414,
  Math.E,
  20.085536923187668,
  33.11545195869231,
  162754.79141900392,
  485165195.4097903,
]);
const phi1 = memory.data<f64>([
  0.01, 0.07999970186774623, 0.15361485550877269, 0.3167376438773787, 0.31673764387737874, 0.6321205588285577,
  0.8639392643942738, 0.9999999995, 1.0, 1.0000050000166667, 1.136101666750966, 1.7182818284590453, 6.361845641062556,
  9.175843416769233, 13562.81595158366, 24258259.720489513,
]);
const phi2 = memory.data<f64>([
  0.0099, 0.0736000238505803, 0.13021309915249651, 0.22775411870754045, 0.22775411870754045, 0.36787944117144233,
  0.45353578535242073, 0.4999999998333333, 0.5, 0.5000016666708333, 0.5444066670038638, 0.7182818284590452,
  1.7872818803541852, 2.335955261934066, 1130.1513292986383, 1212912.9360244756,
]);
const phi3 = memory.data<f64>([
  0.004901, 0.034111998091953574, 0.05689029243807746, 0.09074862709748652, 0.09074862709748653, 0.13212055882855767,
  0.1548807154919309, 0.166666666625, 0.16666666666666666, 0.16666708333416666, 0.17762666801545499,
  0.21828182845904523, 0.4290939601180618, 0.5245586462668761, 94.13761077488653, 60645.62180122379,
]);
const phi4 = memory.data<f64>([
  0.0016176566666666666, 0.010604373485977047, 0.016888672958244495, 0.025306013189726716, 0.025306013189726716,
  0.03454610783810899, 0.039286503915785934, 0.04166666665833333, 0.041666666666666664, 0.04166675000013889,
  0.04384000539515326, 0.05161516179237857, 0.08747576448379837, 0.10225485131434556, 7.830912009018322,
  3032.2727567278557,
]);
const phi5 = memory.data<f64>([
  0.0004004901, 0.0024849834544551697, 0.0038119990320649496, 0.005453551158979984, 0.005453551158979984,
  0.007120558828557678, 0.007933875836269108, 0.008333333331944444, 0.008333333333333333, 0.008333347222242063,
  0.008693354913946358, 0.009948495125711903, 0.015269699272377233, 0.017310909899336827, 0.6491037785293046,
  151.61155450305947,
]);
const phi6 = memory.data<f64>([
  7.932843233333333e-5, 0.0004678679903102531, 0.0006955898925028282, 0.0009599273914511165, 0.0009599273914511166,
  0.0012127745047756549, 0.0013315249902140834, 0.0013888888886904763, 0.001388888888888889, 0.0013888908730183532,
  0.0014400863224520982, 0.0016151617923785687, 0.0023121219796813, 0.002565021876000998, 0.05339753709966427,
  7.580161058486307,
]);
const phi8 = memory.data<f64>([
  1.8531709384714286e-6, 9.978482122112603e-6, 1.4115586823585302e-5, 1.847517753336921e-5, 1.847517753336921e-5,
  2.2298314299464454e-5, 2.399900943337931e-5, 2.480158729883157e-5, 2.48015873015873e-5, 2.4801614858934084e-5,
  2.5508143360553152e-5, 2.7860205076981392e-5, 3.6443888394923995e-5, 3.93215136871563e-5, 0.0003446367765959931,
  0.01893700978907291,
]);
const phi10 = memory.data<f64>([
  2.5262477587674302e-8, 1.2559068064324906e-7, 1.7103566905535693e-7, 2.1564288877529702e-7, 2.1564288877529705e-7,
  2.5245892027574017e-7, 2.6824120568429743e-7, 2.755731922148068e-7, 2.755731922398589e-7, 2.7557344276115155e-7,
  2.81969253859229e-7, 3.028858529955014e-7, 3.75011702904547e-7, 3.9794813527950494e-7, 1.9914333765668243e-6,
  4.714273390830838e-5,
]);
const phi12 = memory.data<f64>([
  2.2549001238919874e-10, 1.0442805966170344e-9, 1.3799096170619926e-9, 1.691780187973698e-9, 1.691780187973698e-9,
  1.937836421322957e-9, 2.0405106674559803e-9, 2.0876756986262195e-9, 2.08767569878681e-9, 2.0876773046923408e-9,
  2.128552368154591e-9, 2.2605523702007555e-9, 2.6980206120403305e-9, 2.832046015559187e-9, 9.828020025706006e-9,
  1.159152963708992e-7,
]);

function worst(k: i32, expected: usize): f64 {
  let error: f64 = 0.0;
  for (let i = 0; i < COUNT; i++) {
    const offset = (<usize>i) << 3;
    error = Math.max(error, relativeError(phi(k, load<f64>(points + offset)), load<f64>(expected + offset)));
  }
  return error;
}

describe("phi", () => {
  test("meets high-precision values within its bound for orders 0 to 12", () => {
    expect(worst(0, phi0)).toBeLessThan(BOUND);
    expect(worst(1, phi1)).toBeLessThan(BOUND);
    expect(worst(2, phi2)).toBeLessThan(BOUND);
    expect(worst(3, phi3)).toBeLessThan(BOUND);
    expect(worst(4, phi4)).toBeLessThan(BOUND);
    expect(worst(5, phi5)).toBeLessThan(BOUND);
    expect(worst(6, phi6)).toBeLessThan(BOUND);
    expect(worst(8, phi8)).toBeLessThan(BOUND);
    expect(worst(10, phi10)).toBeLessThan(BOUND);
    expect(worst(12, phi12)).toBeLessThan(BOUND);
  });

  test("is 1/k! at 0, exactly", () => {
    expect(phi(0, 0.0)).toBe(1.0);
    expect(phi(1, 0.0)).toBe(1.0);
    expect(phi(2, 0.0)).toBe(1.0 / 2.0);
    expect(phi(3, -0.0)).toBe(1.0 / 6.0);
    expect(phi(10, 0.0)).toBe(1.0 / 3628800.0);
  });

  test("satisfies z phi_{k+1}(z) + 1/k! = phi_k(z) on both sides of the switch to the series", () => {
    let error: f64 = 0.0;
    let inverseFactorial: f64 = 1.0;
    for (let k = 0; k < 8; k++) {
      if (k > 0) inverseFactorial /= <f64>k;
      for (let z: f64 = -10.0; z <= 10.0; z += 0.0625) {
        // Measured against the largest term, for the sum cancels where z < 0.
        const scale = Math.max(inverseFactorial, phi(k, z));
        error = Math.max(error, Math.abs(z * phi(k + 1, z) + inverseFactorial - phi(k, z)) / scale);
      }
    }
    expect(error).toBeLessThan(4.0 * BOUND);
  });

  test("has the limits 0 at -Infinity and Infinity at Infinity", () => {
    for (let k = 0; k < 5; k++) {
      expect(phi(k, -Infinity)).toBe(0.0);
      expect(phi(k, Infinity)).toBe(Infinity);
    }
  });

  test("keeps NaN", () => {
    for (let k = 0; k < 5; k++) expect(F64.isNaN(phi(k, NaN))).toBe(true);
  });
});

describe("exp, log, expm1, pow, sin, atan2", () => {
  test("have the values of a table to the last bit or the one beside it", () => {
    expect(relativeError(exp(1.0), Math.E)).toBeLessThan(2.3e-16);
    expect(relativeError(log(10.0), Math.LN10)).toBeLessThan(2.3e-16);
    expect(relativeError(expm1(1e-9), 1.0000000005000001e-9)).toBeLessThan(2.3e-16);
    expect(relativeError(pow(2.0, 1.0 / 7.0), 1.1040895136738123)).toBeLessThan(2.3e-16);
    expect(relativeError(sin(1.0), 0.8414709848078965)).toBeLessThan(2.3e-16);
    expect(relativeError(atan2(-1.0, -2.0), -2.677945044588987)).toBeLessThan(2.3e-16);
  });

  test("a power has no more than the error of its exponent", () => {
    // 32 ln 3 = 35.2: (1 + 35.2) · 2^-52
    expect(relativeError(pow(3.0, 32.0), 1853020188851841.0)).toBeLessThan(8.1e-15);
    expect(pow(0.0, 1.0 / 7.0)).toBe(0.0);
    expect(F64.isNaN(pow(-2.0, 3.0))).toBe(true);
  });

  test("go to their limits", () => {
    expect(exp(-Infinity)).toBe(0.0);
    expect(log(0.0)).toBe(-Infinity);
    expect(expm1(-Infinity)).toBe(-1.0);
    expect(F64.isNaN(log(-1.0))).toBe(true);
  });
});
