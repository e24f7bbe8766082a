// Linear least squares for fits: tens of unknowns, hundreds of equations. Householder transformations, after Golub and Van Loan,
// "Matrix Computations" (4th edition), sections 5.1 (reflections), 5.4.2 (column pivoting) and 5.5.2 (complete orthogonal
// decomposition). Normal equations lose twice the digits: at condition 1e7, the usual one of ratio models, none would be sure.

function entry(matrix: usize, columns: i32, row: i32, column: i32): usize {
  return matrix + ((<usize>(row * columns + column)) << 3);
}

/** Returns the address of number i of a vector. */
function at(vector: usize, i: i32): usize {
  return vector + ((<usize>i) << 3);
}

/** Bytes that `leastSquares` needs at `work`. */
export function leastSquaresWork(rows: i32, columns: i32): i32 {
  return (2 * columns + min(rows, columns)) << 3;
}

/**
 * Finds the y with the smallest |y| among those with the smallest |matrix · y − rhs|, and returns the rank of the matrix: the
 * number of leading |R_kk| > tolerance · |R_00| in its QR decomposition with column pivoting. Directions beyond the rank count
 * as null space. The matrix is row-major; it and `rhs` are overwritten. y is in rhs[0 … columns), so `rhs` has room for
 * max(rows, columns) numbers. `work` is 8-byte aligned, `leastSquaresWork` bytes.
 */
export function leastSquares(matrix: usize, rhs: usize, rows: i32, columns: i32, work: usize, tolerance: f64): i32 {
  const order = work;
  const solution = at(order, columns);
  const heads = at(solution, columns);
  for (let j = 0; j < columns; j++) store<i32>(at(order, j), j);

  const rank = triangularise(matrix, rhs, rows, columns, order, tolerance);
  if (rank < columns) eliminateRight(matrix, rank, columns, heads);
  for (let k = rank - 1; k >= 0; k--) {
    let sum = load<f64>(at(rhs, k));
    for (let j = k + 1; j < rank; j++) sum -= load<f64>(entry(matrix, columns, k, j)) * load<f64>(at(solution, j));
    store<f64>(at(solution, k), sum / load<f64>(entry(matrix, columns, k, k)));
  }
  if (rank < columns) applyRight(matrix, rank, columns, heads, solution);
  for (let j = 0; j < columns; j++) store<f64>(at(rhs, load<i32>(at(order, j))), load<f64>(at(solution, j)));
  return rank;
}

/** Makes matrix · P = Q · R, R in the matrix's upper triangle, Qᵀ · rhs in `rhs` and P in `order`; returns the rank. */
function triangularise(matrix: usize, rhs: usize, rows: i32, columns: i32, order: usize, tolerance: f64): i32 {
  const steps = min(rows, columns);
  let first: f64 = 0.0;
  for (let k = 0; k < steps; k++) {
    // Norms are computed anew: updating them, as LAPACK does, saves half of the work and needs a guard against cancellation.
    let pivot = k;
    let largest = -1.0;
    for (let j = k; j < columns; j++) {
      const square = squaredNorm(matrix, k, rows, columns, j);
      if (square > largest) {
        largest = square;
        pivot = j;
      }
    }
    const norm = Math.sqrt(largest);
    if (k === 0) first = norm;
    if (!(norm > tolerance * first)) return k;
    if (pivot !== k) exchange(matrix, rows, columns, order, k, pivot);

    // The reflection I − beta v vᵀ takes column k to (diagonal, 0, …); v stays in the column until it has been applied.
    const head = load<f64>(entry(matrix, columns, k, k));
    const diagonal = head > 0.0 ? -norm : norm;
    store<f64>(entry(matrix, columns, k, k), head - diagonal);
    const beta = -1.0 / (diagonal * (head - diagonal));
    for (let j = k + 1; j < columns; j++) reflect(matrix, k, rows, columns, beta, at(matrix, j), columns);
    reflect(matrix, k, rows, columns, beta, rhs, 1);
    store<f64>(entry(matrix, columns, k, k), diagonal);
  }
  return steps;
}

function squaredNorm(matrix: usize, from: i32, rows: i32, columns: i32, j: i32): f64 {
  let sum: f64 = 0.0;
  for (let i = from; i < rows; i++) {
    const value = load<f64>(entry(matrix, columns, i, j));
    sum += value * value;
  }
  return sum;
}

function exchange(matrix: usize, rows: i32, columns: i32, order: usize, j: i32, l: i32): void {
  for (let i = 0; i < rows; i++) {
    const kept = load<f64>(entry(matrix, columns, i, j));
    store<f64>(entry(matrix, columns, i, j), load<f64>(entry(matrix, columns, i, l)));
    store<f64>(entry(matrix, columns, i, l), kept);
  }
  const kept = load<i32>(at(order, j));
  store<i32>(at(order, j), load<i32>(at(order, l)));
  store<i32>(at(order, l), kept);
}

/** Applies the reflection in column k to the vector whose element i is at vector[i · stride]. */
function reflect(matrix: usize, k: i32, rows: i32, columns: i32, beta: f64, vector: usize, stride: i32): void {
  let sum: f64 = 0.0;
  for (let i = k; i < rows; i++) sum += load<f64>(entry(matrix, columns, i, k)) * load<f64>(at(vector, i * stride));
  sum *= beta;
  for (let i = k; i < rows; i++) {
    const target = at(vector, i * stride);
    store<f64>(target, load<f64>(target) - sum * load<f64>(entry(matrix, columns, i, k)));
  }
}

/** Makes (R₁₁ R₁₂) = (T 0) · Z₀ · Z₁ ⋯ by reflections of rows; the v of Z_k is heads[k] and row k from column `rank` on. */
function eliminateRight(matrix: usize, rank: i32, columns: i32, heads: usize): void {
  for (let k = rank - 1; k >= 0; k--) {
    const head = load<f64>(entry(matrix, columns, k, k));
    let square = head * head;
    for (let j = rank; j < columns; j++) {
      const value = load<f64>(entry(matrix, columns, k, j));
      square += value * value;
    }
    const norm = Math.sqrt(square);
    const diagonal = head > 0.0 ? -norm : norm;
    store<f64>(entry(matrix, columns, k, k), diagonal);
    store<f64>(at(heads, k), head - diagonal);
    for (let i = 0; i < k; i++) {
      reflectRow(matrix, k, rank, columns, heads, entry(matrix, columns, i, k), entry(matrix, columns, i, rank));
    }
  }
}

/** Makes of the solution of T its image in all columns, the vector of minimum norm. */
function applyRight(matrix: usize, rank: i32, columns: i32, heads: usize, solution: usize): void {
  for (let j = rank; j < columns; j++) store<f64>(at(solution, j), 0.0);
  for (let k = 0; k < rank; k++) {
    reflectRow(matrix, k, rank, columns, heads, at(solution, k), at(solution, rank));
  }
}

/** Applies Z_k to a vector given by its element k and its elements from `rank` on. */
function reflectRow(matrix: usize, k: i32, rank: i32, columns: i32, heads: usize, own: usize, tail: usize): void {
  const head = load<f64>(at(heads, k));
  const beta = -1.0 / (load<f64>(entry(matrix, columns, k, k)) * head);
  const v = entry(matrix, columns, k, rank);
  let sum = head * load<f64>(own);
  for (let j = 0; j < columns - rank; j++) sum += load<f64>(at(v, j)) * load<f64>(at(tail, j));
  sum *= beta;
  store<f64>(own, load<f64>(own) - sum * head);
  for (let j = 0; j < columns - rank; j++) {
    store<f64>(at(tail, j), load<f64>(at(tail, j)) - sum * load<f64>(at(v, j)));
  }
}
