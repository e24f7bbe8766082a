// Small dense linear systems: the order conditions of a multistep method, at most a handful of unknowns.

/** Returns the address of an entry; a vector is a matrix with one column. */
function at(matrix: usize, n: i32, row: i32, column: i32): usize {
  return matrix + ((<usize>(row * n + column)) << 3);
}

/**
 * Solves matrix · y = rhs for a row-major n × n matrix, by Gaussian elimination with partial pivoting (of equal pivots the
 * upper one). Returns 0 with y in `rhs`, or 1 when a pivot is 0 or not finite; both arrays are overwritten either way.
 */
export function solve(matrix: usize, rhs: usize, n: i32): i32 {
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) {
      if (Math.abs(load<f64>(at(matrix, n, i, k))) > Math.abs(load<f64>(at(matrix, n, pivot, k)))) pivot = i;
    }
    const size = Math.abs(load<f64>(at(matrix, n, pivot, k)));
    if (!(size > 0.0 && size < Infinity)) return 1;
    if (pivot !== k) {
      for (let j = k; j < n; j++) swap(at(matrix, n, k, j), at(matrix, n, pivot, j));
      swap(at(rhs, 1, k, 0), at(rhs, 1, pivot, 0));
    }
    for (let i = k + 1; i < n; i++) {
      const factor = load<f64>(at(matrix, n, i, k)) / load<f64>(at(matrix, n, k, k));
      for (let j = k + 1; j < n; j++) subtract(at(matrix, n, i, j), factor * load<f64>(at(matrix, n, k, j)));
      subtract(at(rhs, 1, i, 0), factor * load<f64>(at(rhs, 1, k, 0)));
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let j = i + 1; j < n; j++) {
      subtract(at(rhs, 1, i, 0), load<f64>(at(matrix, n, i, j)) * load<f64>(at(rhs, 1, j, 0)));
    }
    store<f64>(at(rhs, 1, i, 0), load<f64>(at(rhs, 1, i, 0)) / load<f64>(at(matrix, n, i, i)));
  }
  return 0;
}

function swap(a: usize, b: usize): void {
  const kept = load<f64>(a);
  store<f64>(a, load<f64>(b));
  store<f64>(b, kept);
}

function subtract(a: usize, value: f64): void {
  store<f64>(a, load<f64>(a) - value);
}
