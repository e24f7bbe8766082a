import {
  brentAsk,
  brentBytes,
  brentEvaluations,
  brentF,
  brentInit,
  brentTell,
  brentX,
  minimizePolynomial,
} from "../minimize";

const coefficients = memory.data(8 * 17);
const roots = memory.data(8 * 16);
const state = memory.data(256);

function put(base: usize, i: i32, value: f64): void {
  store<f64>(base + ((<usize>i) << 3), value);
}

function coefficient(i: i32): f64 {
  return load<f64>(coefficients + ((<usize>i) << 3));
}

function polynomial(degree: i32, x: f64): f64 {
  let sum: f64 = 0.0;
  for (let i = degree; i >= 0; i--) sum = sum * x + coefficient(i);
  return sum;
}

/** Writes the integral of leading · Π (u − roots[i]), its value at 0 being `constant`. */
function fromCriticalPoints(count: i32, leading: f64, constant: f64): void {
  for (let i = 0; i < 17; i++) put(coefficients, i, 0.0);
  put(coefficients, 0, leading);
  for (let n = 0; n < count; n++) {
    const root = load<f64>(roots + ((<usize>n) << 3));
    for (let i = n + 1; i >= 0; i--) {
      put(coefficients, i, (i > 0 ? coefficient(i - 1) : 0.0) - root * (i <= n ? coefficient(i) : 0.0));
    }
  }
  for (let i = count + 1; i > 0; i--) put(coefficients, i, coefficient(i - 1) / <f64>i);
  put(coefficients, 0, constant);
}

let seed: u32 = 1;
function random(): f64 {
  seed = seed * 1664525 + 1013904223;
  return <f64>(<i32>seed) / 2147483648.0;
}

describe("minimizePolynomial", () => {
  test("traps above degree 16, before it writes where it has no room", () => {
    expect(() => {
      minimizePolynomial(coefficients, 17, -1.0, 1.0);
    }).toThrow();
    expect(() => {
      minimizePolynomial(coefficients, 16, -1.0, 1.0);
    }).not.toThrow();
  });

  test("finds the vertex of a parabola, or the end next to it", () => {
    put(coefficients, 0, 0.25);
    put(coefficients, 1, -1.0);
    put(coefficients, 2, 1.0);
    expect(minimizePolynomial(coefficients, 2, -0.75, 1.0)).toBe(0.5);
    expect(minimizePolynomial(coefficients, 2, -0.75, 0.3)).toBe(0.3);
    expect(minimizePolynomial(coefficients, 2, 0.6, 1.0)).toBe(0.6);
    put(coefficients, 2, -1.0);
    expect(minimizePolynomial(coefficients, 2, -0.75, 1.0)).toBe(-0.75 + 1.75);
  });

  test("finds the deeper of two wells of a quartic", () => {
    // Critical points −0.6, 0.1 and 0.5: the left well is the wider one and so the deeper.
    put(roots, 0, -0.6);
    put(roots, 1, 0.1);
    put(roots, 2, 0.5);
    fromCriticalPoints(3, 1.0, 3.0);
    expect(Math.abs(minimizePolynomial(coefficients, 4, -0.75, 1.0) + 0.6)).toBeLessThan(1e-15);
    // Without it, the other; the local maximum is never taken.
    expect(Math.abs(minimizePolynomial(coefficients, 4, 0.0, 1.0) - 0.5)).toBeLessThan(1e-15);
    expect(minimizePolynomial(coefficients, 4, 0.05, 0.4)).toBe(0.4);
  });

  test("has the known minimum of random quartics to the last bits of its critical point", () => {
    for (let trial = 0; trial < 300; trial++) {
      // A minimum at a, the cubic's other two roots complex: (u − a)((u − b)² + c²).
      const a = 0.9 * random();
      const b = random();
      const c = 0.5 + Math.abs(random());
      put(coefficients, 0, 0.0);
      put(coefficients, 1, -a * (b * b + c * c));
      put(coefficients, 2, (b * b + c * c + 2.0 * a * b) / 2.0);
      put(coefficients, 3, -(a + 2.0 * b) / 3.0);
      put(coefficients, 4, 0.25);
      const found = minimizePolynomial(coefficients, 4, -1.0, 1.0);
      // The rounding of the coefficients moves the root by 2^-53 Σ|c_i| / p''.
      if (found !== 0.0) expect(Math.abs(found - a)).toBeLessThan(1e-14);
      // 0 where the two cannot be told apart by value.
      else expect(a * a * (b * b + c * c)).toBeLessThan(1e-14);
    }
  });

  test("is as low as a scan for random polynomials of every degree up to 16", () => {
    for (let degree = 1; degree <= 16; degree++) {
      for (let trial = 0; trial < 30; trial++) {
        for (let i = 0; i <= degree; i++) put(coefficients, i, random());
        const found = minimizePolynomial(coefficients, degree, -1.0, 1.2);
        expect(found >= -1.0 && found <= 1.2).toBe(true);
        const value = polynomial(degree, found);
        let least = Infinity;
        for (let i = 0; i <= 500; i++) least = Math.min(least, polynomial(degree, -1.0 + (2.2 * <f64>i) / 500.0));
        expect(value).toBeLessThan(least + 1e-12);
      }
    }
  });

  test("finds the lowest well of the square of a Chebyshev polynomial, tilted", () => {
    // T8² has eight zeros cos((2k + 1)π/16) of equal depth; the tilt u² keeps the two inner ones, −0.02 u the right one.
    const t8 = memory.data<f64>([1, 0, -32, 0, 160, 0, -256, 0, 128]);
    for (let i = 0; i < 17; i++) put(coefficients, i, 0.0);
    for (let i = 0; i <= 8; i++) {
      for (let j = 0; j <= 8; j++) {
        const term = load<f64>(t8 + ((<usize>i) << 3)) * load<f64>(t8 + ((<usize>j) << 3));
        put(coefficients, i + j, coefficient(i + j) + term);
      }
    }
    put(coefficients, 2, coefficient(2) + 0.001);
    put(coefficients, 1, coefficient(1) - 0.0001);
    expect(Math.abs(minimizePolynomial(coefficients, 16, -1.0, 1.0) - Math.cos((7.0 * Math.PI) / 16.0))).toBeLessThan(
      1e-4,
    );
  });

  test("finds minima at roots of high multiplicity", () => {
    // (u − ½)^8 falls below its rounding error 0.01 beside the root; what is returned is as low as ½ up to that.
    for (let i = 0; i < 7; i++) put(roots, i, 0.5);
    fromCriticalPoints(7, 8.0, 0.00390625);
    const found = minimizePolynomial(coefficients, 8, -1.0, 1.0);
    expect(Math.abs(found - 0.5)).toBeLessThan(0.02);
  });

  test("of equal values takes the point nearest 0", () => {
    // (u² − 0.25)²: wells at ±½. Equally near: the lower.
    put(coefficients, 0, 0.0625);
    put(coefficients, 1, 0.0);
    put(coefficients, 2, -0.5);
    put(coefficients, 3, 0.0);
    put(coefficients, 4, 1.0);
    expect(minimizePolynomial(coefficients, 4, -1.0, 1.0)).toBe(-0.5);
    // −u²: both ends of [−0.75, 0.75]; of [−0.75, 1] the right one alone.
    put(coefficients, 0, 0.0);
    put(coefficients, 2, -1.0);
    expect(minimizePolynomial(coefficients, 2, -0.75, 0.75)).toBe(-0.75);
    expect(minimizePolynomial(coefficients, 2, -0.75, 1.0)).toBe(1.0);
    // (u + 0.2)²(u − 0.5)²: the well at −0.2.
    put(roots, 0, -0.2);
    put(roots, 1, 0.15);
    put(roots, 2, 0.5);
    fromCriticalPoints(3, 4.0, 0.01);
    expect(Math.abs(minimizePolynomial(coefficients, 4, -1.0, 1.0) + 0.2)).toBeLessThan(1e-14);
  });

  test("returns 0, or the bound next to it, for a polynomial that is constant up to rounding", () => {
    for (let i = 0; i < 17; i++) put(coefficients, i, 0.0);
    put(coefficients, 0, 2.0);
    for (let degree = 0; degree <= 16; degree += 4) {
      expect(minimizePolynomial(coefficients, degree, -0.75, 1.0)).toBe(0.0);
      expect(minimizePolynomial(coefficients, degree, 0.25, 1.0)).toBe(0.25);
      expect(minimizePolynomial(coefficients, degree, -1.0, -0.5)).toBe(-0.5);
    }
    put(coefficients, 1, 3e-17);
    put(coefficients, 2, -8e-17);
    put(coefficients, 4, 5e-17);
    expect(minimizePolynomial(coefficients, 4, -0.75, 1.0)).toBe(0.0);
    // The same shape without the constant is no rounding.
    put(coefficients, 0, 0.0);
    expect(minimizePolynomial(coefficients, 4, -0.75, 1.0)).toBeLessThan(-0.5);
  });

  test("does not depend on the scale of its values", () => {
    put(roots, 0, -0.6);
    put(roots, 1, 0.1);
    put(roots, 2, 0.5);
    for (let power = -40; power <= 40; power += 8) {
      fromCriticalPoints(3, 2.0 ** <f64>power, 2.0 ** <f64>power);
      expect(Math.abs(minimizePolynomial(coefficients, 4, -0.75, 1.0) + 0.6)).toBeLessThan(1e-15);
    }
  });

  test("stays in a range of one point, and with coefficients that are no numbers", () => {
    put(coefficients, 0, 1.0);
    put(coefficients, 1, 1.0);
    expect(minimizePolynomial(coefficients, 1, 0.5, 0.5)).toBe(0.5);
    put(coefficients, 1, NaN);
    expect(minimizePolynomial(coefficients, 1, -0.5, 0.5)).toBe(0.0);
  });
});

function objective(which: i32, x: f64): f64 {
  if (which === 0) return (x - 0.7) * (x - 0.7) + 1.0;
  if (which === 1) return Math.cos(x);
  if (which === 2) return Math.abs(x - 0.3);
  return x * x * x * x - 3.0 * x * x + x;
}

/** Runs a minimisation and returns how it ended. */
function run(which: i32, low: f64, high: f64, start: f64, tolerance: f64, maxEvaluations: i32): i32 {
  brentInit(state, low, high, start, tolerance, maxEvaluations);
  for (let i = 0; i < 1000; i++) {
    const x = brentAsk(state);
    if (!(x > low && x < high)) return -1;
    const end = brentTell(state, objective(which, x));
    if (end !== 0) return end;
  }
  return -2;
}

describe("brent", () => {
  test("finds the minima of four functions in few evaluations", () => {
    expect(brentBytes()).toBeLessThan(257);
    expect(run(0, -2.0, 2.0, 1.0, 1e-6, 50)).toBe(1);
    expect(Math.abs(brentX(state) - 0.7)).toBeLessThan(1e-6);
    expect(Math.abs(brentF(state) - 1.0)).toBeLessThan(1e-12);
    expect(brentEvaluations(state)).toBeLessThan(10);

    expect(run(1, 2.0, 5.0, 2.5, 1e-6, 50)).toBe(1);
    expect(Math.abs(brentX(state) - Math.PI)).toBeLessThan(1e-6);
    expect(brentEvaluations(state)).toBeLessThan(14);

    expect(run(2, -1.0, 1.0, 0.9, 1e-6, 80)).toBe(1);
    expect(Math.abs(brentX(state) - 0.3)).toBeLessThan(1e-6);
    expect(brentEvaluations(state)).toBeLessThan(60);

    // 4x³ − 6x + 1 = 0 at 1.13090112263.
    expect(run(3, 0.5, 3.0, 2.0, 1e-6, 50)).toBe(1);
    expect(Math.abs(brentX(state) - 1.13090112263)).toBeLessThan(1e-6);
    expect(brentEvaluations(state)).toBeLessThan(16);
  });

  test("comes as near to a minimum at an end as the tolerance says, without evaluating the end", () => {
    expect(run(0, 1.0, 2.0, 1.5, 1e-4, 80)).toBe(1);
    expect(brentX(state) > 1.0 && brentX(state) < 1.0 + 2e-4).toBe(true);
  });

  test("stops after the evaluations that it was given", () => {
    for (let limit = 1; limit < 6; limit++) {
      expect(run(1, 2.0, 5.0, 2.5, 1e-9, limit)).toBe(2);
      expect(brentEvaluations(state)).toBe(limit);
      expect(brentAsk(state)).toBeNaN();
    }
  });

  test("starts inside when told to start at a bound or outside", () => {
    for (let start: f64 = 1.0; start < 8.0; start += 1.0) {
      expect(run(1, 2.0, 5.0, start, 1e-6, 50)).toBe(1);
      expect(Math.abs(brentX(state) - Math.PI)).toBeLessThan(1e-6);
    }
  });

  test("keeps its start where the objective is constant", () => {
    brentInit(state, 0.25, 2.0, 1.0, 1e-3, 100);
    let end = 0;
    while (end === 0) end = brentTell(state, 4.0);
    expect(end).toBe(1);
    expect(brentX(state)).toBe(1.0);
    expect(brentF(state)).toBe(4.0);
  });

  test("ends at a value that is not a number, and goes around infinite ones", () => {
    brentInit(state, 0.0, 1.0, 0.4, 1e-6, 50);
    expect(brentTell(state, 1.0)).toBe(0);
    expect(brentTell(state, NaN)).toBe(3);
    expect(brentAsk(state)).toBeNaN();
    expect(brentX(state)).toBe(0.4);
    expect(brentEvaluations(state)).toBe(1);

    brentInit(state, -2.0, 2.0, -1.0, 1e-6, 100);
    let end = 0;
    while (end === 0) {
      const x = brentAsk(state);
      end = brentTell(state, x < 0.0 ? Infinity : objective(0, x));
    }
    expect(end).toBe(1);
    expect(Math.abs(brentX(state) - 0.7)).toBeLessThan(1e-6);
  });
});
