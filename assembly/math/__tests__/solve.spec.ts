import { solve } from "../solve";

const matrix = memory.data(8 * 64);
const rhs = memory.data(8 * 8);

function set(base: usize, i: i32, value: f64): void {
  store<f64>(base + ((<usize>i) << 3), value);
}

function solution(i: i32): f64 {
  return load<f64>(rhs + ((<usize>i) << 3));
}

/** Fills the Hilbert matrix of size n and the right hand side whose solution is 1, 2, … */
function hilbert(n: i32): void {
  for (let i = 0; i < n; i++) {
    let sum: f64 = 0.0;
    for (let j = 0; j < n; j++) {
      set(matrix, i * n + j, 1.0 / <f64>(i + j + 1));
      sum += <f64>(j + 1) / <f64>(i + j + 1);
    }
    set(rhs, i, sum);
  }
}

describe("solve", () => {
  test("finds the weights of a quadrature rule from its Vandermonde system", () => {
    // Simpson: weights 1/6, 4/6, 1/6 at 0, ½, 1 integrate 1, x, x².
    for (let row = 0; row < 3; row++) {
      for (let j = 0; j < 3; j++)
        set(matrix, row * 3 + j, row === 0 ? 1.0 : row === 1 ? 0.5 * <f64>j : 0.25 * <f64>(j * j));
      set(rhs, row, 1.0 / <f64>(row + 1));
    }
    expect(solve(matrix, rhs, 3)).toBe(0);
    expect(Math.abs(solution(0) - 1.0 / 6.0)).toBeLessThan(1e-15);
    expect(Math.abs(solution(1) - 4.0 / 6.0)).toBeLessThan(1e-15);
    expect(Math.abs(solution(2) - 1.0 / 6.0)).toBeLessThan(1e-15);
  });

  test("has the published weights of a third-order corrector", () => {
    // Data prediction, bh2, h = 0.7, lambdas 0.3, -0.2, -0.8: twelve published digits.
    const r1 = -0.5 / 0.7;
    const r2 = -1.1 / 0.7;
    for (let j = 0; j < 3; j++) set(matrix, j, 1.0);
    set(matrix, 3, r1);
    set(matrix, 4, r2);
    set(matrix, 5, 1.0);
    set(matrix, 6, r1 * r1);
    set(matrix, 7, r2 * r2);
    set(matrix, 8, 1.0);
    set(rhs, 0, 0.557862435063);
    set(rhs, 1, 0.392541192026);
    set(rhs, 2, 0.304114469238);
    expect(solve(matrix, rhs, 3)).toBe(0);
    expect(Math.abs(solution(0) - 0.236981182367)).toBeLessThan(2e-12);
    expect(Math.abs(solution(1) + 0.093695860397)).toBeLessThan(2e-12);
    expect(Math.abs(solution(2) - 0.414577113093)).toBeLessThan(2e-12);
  });

  test("solves Hilbert systems as well as their condition allows", () => {
    // Condition numbers 1.6e4 (n = 4) and 1.5e7 (n = 6), times 2^-52 and the size of the solution.
    hilbert(4);
    expect(solve(matrix, rhs, 4)).toBe(0);
    for (let i = 0; i < 4; i++) expect(Math.abs(solution(i) - <f64>(i + 1))).toBeLessThan(2e-11);
    hilbert(6);
    expect(solve(matrix, rhs, 6)).toBe(0);
    for (let i = 0; i < 6; i++) expect(Math.abs(solution(i) - <f64>(i + 1))).toBeLessThan(3e-8);
  });

  test("exchanges rows where a pivot is 0 or small", () => {
    set(matrix, 0, 0.0);
    set(matrix, 1, 2.0);
    set(matrix, 2, 4.0);
    set(matrix, 3, 1.0);
    set(rhs, 0, 6.0);
    set(rhs, 1, 7.0);
    expect(solve(matrix, rhs, 2)).toBe(0);
    expect(solution(0)).toBe(1.0);
    expect(solution(1)).toBe(3.0);

    set(matrix, 0, 1e-20);
    set(matrix, 1, 1.0);
    set(matrix, 2, 1.0);
    set(matrix, 3, 1.0);
    set(rhs, 0, 1.0);
    set(rhs, 1, 2.0);
    expect(solve(matrix, rhs, 2)).toBe(0);
    expect(solution(0)).toBe(1.0);
    expect(solution(1)).toBe(1.0);
  });

  test("solves one equation, and none", () => {
    set(matrix, 0, 4.0);
    set(rhs, 0, 2.0);
    expect(solve(matrix, rhs, 1)).toBe(0);
    expect(solution(0)).toBe(0.5);
    expect(solve(matrix, rhs, 0)).toBe(0);
  });

  test("reports a singular matrix and one that is not finite", () => {
    for (let i = 0; i < 4; i++) set(matrix, i, i < 2 ? 1.0 : 2.0);
    expect(solve(matrix, rhs, 2)).toBe(1);
    set(matrix, 0, 0.0);
    expect(solve(matrix, rhs, 1)).toBe(1);
    set(matrix, 0, NaN);
    expect(solve(matrix, rhs, 1)).toBe(1);
    set(matrix, 0, Infinity);
    expect(solve(matrix, rhs, 1)).toBe(1);
  });
});
