import { leastSquares, leastSquaresWork } from "../polyfit";
import { solve } from "../solve";

const matrix = memory.data(8 * 512);
const copy = memory.data(8 * 512);
const rhs = memory.data(8 * 64);
const target = memory.data(8 * 64);
const normal = memory.data(8 * 256);
const normalRhs = memory.data(8 * 16);
const work = memory.data(8 * 128);

function put(base: usize, i: i32, value: f64): void {
  store<f64>(base + ((<usize>i) << 3), value);
}

function value(base: usize, i: i32): f64 {
  return load<f64>(base + ((<usize>i) << 3));
}

let state: u32 = 1;

/** A number in [−1, 1) from a linear congruential generator (Numerical Recipes, ranqd1). */
function random(): f64 {
  state = state * 1664525 + 1013904223;
  return <f64>(<i32>state) / 2147483648.0;
}

function randomProblem(rows: i32, columns: i32): void {
  for (let i = 0; i < rows * columns; i++) put(matrix, i, random());
  for (let i = 0; i < rows; i++) put(rhs, i, random());
  memory.copy(copy, matrix, (<usize>(rows * columns)) << 3);
  memory.copy(target, rhs, (<usize>rows) << 3);
}

/** Returns the largest entry of Aᵀ(A y − b): 0 for a least squares solution, whatever the rank. */
function gradient(rows: i32, columns: i32): f64 {
  let worst: f64 = 0.0;
  for (let j = 0; j < columns; j++) {
    let sum: f64 = 0.0;
    for (let i = 0; i < rows; i++) {
      let residual = -value(target, i);
      for (let k = 0; k < columns; k++) residual += value(copy, i * columns + k) * value(rhs, k);
      sum += residual * value(copy, i * columns + j);
    }
    worst = Math.max(worst, Math.abs(sum));
  }
  return worst;
}

describe("leastSquares", () => {
  test("agrees with the normal equations where these are well conditioned", () => {
    for (let trial = 0; trial < 100; trial++) {
      const columns = 1 + (trial % 6);
      const rows = 4 * columns + (trial % 5);
      randomProblem(rows, columns);
      for (let i = 0; i < columns; i++) {
        for (let j = 0; j < columns; j++) {
          let sum: f64 = 0.0;
          for (let k = 0; k < rows; k++) sum += value(copy, k * columns + i) * value(copy, k * columns + j);
          put(normal, i * columns + j, sum);
        }
        let sum: f64 = 0.0;
        for (let k = 0; k < rows; k++) sum += value(copy, k * columns + i) * value(rhs, k);
        put(normalRhs, i, sum);
      }
      expect(solve(normal, normalRhs, columns)).toBe(0);
      expect(leastSquares(matrix, rhs, rows, columns, work, 1e-12)).toBe(columns);
      // Four rows an unknown: condition numbers below 10, squared by the normal equations, times 2^-53 and some sums.
      for (let j = 0; j < columns; j++) expect(Math.abs(value(rhs, j) - value(normalRhs, j))).toBeLessThan(1e-12);
    }
  });

  test("solves square systems", () => {
    for (let trial = 0; trial < 20; trial++) {
      randomProblem(5, 5);
      expect(leastSquares(matrix, rhs, 5, 5, work, 1e-12)).toBe(5);
      for (let i = 0; i < 5; i++) {
        let residual = -value(target, i);
        for (let k = 0; k < 5; k++) residual += value(copy, i * 5 + k) * value(rhs, k);
        expect(Math.abs(residual)).toBeLessThan(1e-12);
      }
    }
  });

  test("recovers a polynomial of degree 6 from monomials, whose normal equations keep few digits", () => {
    for (let i = 0; i < 30; i++) {
      const x = <f64>i / 29.0;
      let power: f64 = 1.0;
      let sum: f64 = 0.0;
      for (let j = 0; j < 7; j++) {
        put(matrix, i * 7 + j, power);
        sum += <f64>(j + 1) * power;
        power *= x;
      }
      put(rhs, i, sum);
    }
    expect(leastSquares(matrix, rhs, 30, 7, work, 1e-12)).toBe(7);
    // Condition 4e5 (the rounding of the right hand side counts too).
    for (let j = 0; j < 7; j++) expect(Math.abs(value(rhs, j) - <f64>(j + 1))).toBeLessThan(1e-8);
  });

  test("gives the minimum norm solution of a deficient matrix: the known pseudo-inverse", () => {
    // All ones, 3 × 2: pinv = (1/6) ones, so y = (Σ b)/6 in both.
    for (let i = 0; i < 6; i++) put(matrix, i, 1.0);
    put(rhs, 0, 1.0);
    put(rhs, 1, 2.0);
    put(rhs, 2, 6.0);
    expect(leastSquares(matrix, rhs, 3, 2, work, 1e-12)).toBe(1);
    expect(Math.abs(value(rhs, 0) - 1.5)).toBeLessThan(1e-15);
    expect(Math.abs(value(rhs, 1) - 1.5)).toBeLessThan(1e-15);

    // Rows (1 2 3), (4 5 6), (7 8 9): (1, 2, 3) solves it and is orthogonal to the null vector (1, −2, 1).
    for (let i = 0; i < 9; i++) put(matrix, i, <f64>(i + 1));
    put(rhs, 0, 14.0);
    put(rhs, 1, 32.0);
    put(rhs, 2, 50.0);
    expect(leastSquares(matrix, rhs, 3, 3, work, 1e-12)).toBe(2);
    for (let j = 0; j < 3; j++) expect(Math.abs(value(rhs, j) - <f64>(j + 1))).toBeLessThan(1e-13);
  });

  test("gives the minimum norm solution of fewer equations than unknowns", () => {
    // x + 2y + 2z = 9: the multiple 1 of (1, 2, 2).
    put(matrix, 0, 1.0);
    put(matrix, 1, 2.0);
    put(matrix, 2, 2.0);
    put(rhs, 0, 9.0);
    expect(leastSquares(matrix, rhs, 1, 3, work, 1e-12)).toBe(1);
    expect(Math.abs(value(rhs, 0) - 1.0)).toBeLessThan(1e-15);
    expect(Math.abs(value(rhs, 1) - 2.0)).toBeLessThan(1e-15);
    expect(Math.abs(value(rhs, 2) - 2.0)).toBeLessThan(1e-15);
  });

  test("is stationary and orthogonal to the null space for random products of rank 3", () => {
    for (let trial = 0; trial < 50; trial++) {
      const rows = 5 + (trial % 4);
      // Columns 3 and 4 are combinations of 0, 1, 2: null vectors (1, 1, 0, −1, 0) and (0, 2, −1, 0, −1).
      randomProblem(rows, 5);
      for (let i = 0; i < rows; i++) {
        put(matrix, 5 * i + 3, value(matrix, 5 * i) + value(matrix, 5 * i + 1));
        put(matrix, 5 * i + 4, 2.0 * value(matrix, 5 * i + 1) - value(matrix, 5 * i + 2));
      }
      memory.copy(copy, matrix, (<usize>(rows * 5)) << 3);
      expect(leastSquares(matrix, rhs, rows, 5, work, 1e-12)).toBe(3);
      expect(gradient(rows, 5)).toBeLessThan(1e-12);
      const size = 1.0 + Math.abs(value(rhs, 0)) + Math.abs(value(rhs, 1)) + Math.abs(value(rhs, 2));
      expect(Math.abs(value(rhs, 0) + value(rhs, 1) - value(rhs, 3))).toBeLessThan(1e-12 * size);
      expect(Math.abs(2.0 * value(rhs, 1) - value(rhs, 2) - value(rhs, 4))).toBeLessThan(1e-12 * size);
    }
  });

  test("takes a direction below the tolerance as null space", () => {
    put(matrix, 0, 1.0);
    put(matrix, 1, 0.0);
    put(matrix, 2, 0.0);
    put(matrix, 3, 1e-9);
    put(rhs, 0, 3.0);
    put(rhs, 1, 1.0);
    expect(leastSquares(matrix, rhs, 2, 2, work, 1e-8)).toBe(1);
    expect(value(rhs, 0)).toBe(3.0);
    expect(value(rhs, 1)).toBe(0.0);
  });

  test("gives 0 and rank 0 for the zero matrix and for no equations", () => {
    memory.fill(matrix, 0, 8 * 6);
    for (let i = 0; i < 3; i++) put(rhs, i, 7.0);
    expect(leastSquares(matrix, rhs, 3, 2, work, 1e-12)).toBe(0);
    expect(value(rhs, 0)).toBe(0.0);
    expect(value(rhs, 1)).toBe(0.0);
    put(rhs, 0, 7.0);
    expect(leastSquares(matrix, rhs, 0, 1, work, 1e-12)).toBe(0);
    expect(value(rhs, 0)).toBe(0.0);
  });

  test("keeps within the work space that it asks for", () => {
    const bytes = <usize>leastSquaresWork(6, 5);
    store<u64>(work + bytes, 0x1234567);
    randomProblem(6, 5);
    for (let i = 0; i < 6; i++) put(matrix, 5 * i + 4, value(matrix, 5 * i));
    leastSquares(matrix, rhs, 6, 5, work, 1e-12);
    expect(load<u64>(work + bytes)).toBe(0x1234567);
  });
});
