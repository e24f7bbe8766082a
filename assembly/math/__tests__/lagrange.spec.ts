import { lagrangeWeights } from "../lagrange";

const uniform = memory.data<f64>([0.4, 0.6, 0.8]);
const uneven = memory.data<f64>([0.93, 0.71, 0.44, 0.3, 0.05]);
const weights = memory.data(8 * 5);

function weight(i: i32): f64 {
  return load<f64>(weights + ((<usize>i) << 3));
}

function node(nodes: usize, i: i32): f64 {
  return load<f64>(nodes + ((<usize>i) << 3));
}

/** Returns x^power, by repeated multiplication. */
function monomial(x: f64, power: i32): f64 {
  let product: f64 = 1.0;
  for (let i = 0; i < power; i++) product *= x;
  return product;
}

describe("lagrangeWeights", () => {
  test("are exactly +0 and 1 where x is a node", () => {
    for (let j = 0; j < 5; j++) {
      lagrangeWeights(uneven, 5, node(uneven, j), weights);
      for (let i = 0; i < 5; i++) {
        expect(reinterpret<u64>(weight(i))).toBe(reinterpret<u64>(i === j ? 1.0 : 0.0));
      }
    }
  });

  test("reproduce every polynomial below their count, inside and outside of the nodes", () => {
    for (let count = 1; count <= 5; count++) {
      for (let x: f64 = -0.2; x <= 1.2; x += 0.07) {
        lagrangeWeights(uneven, count, x, weights);
        for (let power = 0; power < count; power++) {
          let sum: f64 = 0.0;
          let size: f64 = 0.0;
          for (let i = 0; i < count; i++) {
            sum += weight(i) * monomial(node(uneven, i), power);
            size += Math.abs(weight(i));
          }
          // A weight is off by 3 count · 2^-53 relative, so the sum by that share of the absolute sum.
          expect(Math.abs(sum - monomial(x, power))).toBeLessThan(20.0 * 1.2e-16 * size + 1e-16);
        }
      }
    }
  });

  test("on three equidistant nodes are the expanded form of dynamic compensation", () => {
    // At ratio 1 + u, newest node first: 1 + 1.5u + 0.5u², −2u − u², 0.5u + 0.5u².
    for (let u: f64 = -0.75; u <= 1.0; u += 0.125) {
      lagrangeWeights(uniform, 3, 0.6 + (1.0 + u) * (0.4 - 0.6), weights);
      expect(Math.abs(weight(0) - (1.0 + 1.5 * u + 0.5 * u * u))).toBeLessThan(1e-14);
      expect(Math.abs(weight(1) - (-2.0 * u - u * u))).toBeLessThan(1e-14);
      expect(Math.abs(weight(2) - (0.5 * u + 0.5 * u * u))).toBeLessThan(1e-14);
    }
  });

  test("of one node is 1 everywhere", () => {
    lagrangeWeights(uniform, 1, 123.0, weights);
    expect(weight(0)).toBe(1.0);
  });
});
