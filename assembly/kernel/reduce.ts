// Sums over f32 vectors, accumulated in f64: four accumulators of two lanes, then the remainder one by one.
// The order of summation depends on n alone, never on alignment, so it is part of the result's bits.
// Error on 3.1 M normals: 3e-15 for the dot product, against 3e-3 when accumulated in f32.
//
// Halves of vectors are loaded (load64_zero) and promoted: 5.3 µs at n = 16384, against 7.5 µs when whole vectors are
// loaded and shuffled and 10.5 µs with eight accumulators.

function wide(half: v128): v128 {
  return f64x2.promote_low_f32x4(half);
}

function total(s0: v128, s1: v128, s2: v128, s3: v128): f64 {
  const s = f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3));
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

function addProduct(s: v128, x: v128, y: v128): v128 {
  return f64x2.add(s, f64x2.mul(wide(x), wide(y)));
}

function addSquare(s: v128, x: v128): v128 {
  return f64x2.add(s, f64x2.mul(x, x));
}

/** Σ a·b of two f32 vectors of length n. */
export function dot(a: usize, b: usize, n: i32): f64 {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let s2 = f64x2.splat(0);
  let s3 = f64x2.splat(0);
  const end = (<usize>n) << 2;
  const whole = end & ~31;
  for (let i: usize = 0; i < whole; i += 32) {
    const x = a + i;
    const y = b + i;
    s0 = addProduct(s0, v128.load64_zero(x), v128.load64_zero(y));
    s1 = addProduct(s1, v128.load64_zero(x, 8), v128.load64_zero(y, 8));
    s2 = addProduct(s2, v128.load64_zero(x, 16), v128.load64_zero(y, 16));
    s3 = addProduct(s3, v128.load64_zero(x, 24), v128.load64_zero(y, 24));
  }
  let sum = total(s0, s1, s2, s3);
  for (let i = whole; i < end; i += 4) sum += <f64>load<f32>(a + i) * <f64>load<f32>(b + i);
  return sum;
}

/**
 * Σ (a − b)² of two f32 vectors of length n.
 * Differences are taken in f64: in f32 they leave an error of 2e-12 instead of 3e-14 at 3.1 M values.
 */
export function squaredError(a: usize, b: usize, n: i32): f64 {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let s2 = f64x2.splat(0);
  let s3 = f64x2.splat(0);
  const end = (<usize>n) << 2;
  const whole = end & ~31;
  for (let i: usize = 0; i < whole; i += 32) {
    const x = a + i;
    const y = b + i;
    s0 = addSquare(s0, f64x2.sub(wide(v128.load64_zero(x)), wide(v128.load64_zero(y))));
    s1 = addSquare(s1, f64x2.sub(wide(v128.load64_zero(x, 8)), wide(v128.load64_zero(y, 8))));
    s2 = addSquare(s2, f64x2.sub(wide(v128.load64_zero(x, 16)), wide(v128.load64_zero(y, 16))));
    s3 = addSquare(s3, f64x2.sub(wide(v128.load64_zero(x, 24)), wide(v128.load64_zero(y, 24))));
  }
  let sum = total(s0, s1, s2, s3);
  for (let i = whole; i < end; i += 4) {
    const difference = <f64>load<f32>(a + i) - <f64>load<f32>(b + i);
    sum += difference * difference;
  }
  return sum;
}

/** Σ a of an f32 vector of length n. */
export function sum(a: usize, n: i32): f64 {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let s2 = f64x2.splat(0);
  let s3 = f64x2.splat(0);
  const end = (<usize>n) << 2;
  const whole = end & ~31;
  for (let i: usize = 0; i < whole; i += 32) {
    const x = a + i;
    s0 = f64x2.add(s0, wide(v128.load64_zero(x)));
    s1 = f64x2.add(s1, wide(v128.load64_zero(x, 8)));
    s2 = f64x2.add(s2, wide(v128.load64_zero(x, 16)));
    s3 = f64x2.add(s3, wide(v128.load64_zero(x, 24)));
  }
  let rest = total(s0, s1, s2, s3);
  for (let i = whole; i < end; i += 4) rest += <f64>load<f32>(a + i);
  return rest;
}

/**
 * Σ a² of an f32 vector of length n.
 * Finite exactly if every element is: the largest f32 squared is 1.2e77, and no n reaches the end of f64 from there.
 * (A maximum cannot serve as that check, because f32x4.pmax drops NaN.)
 */
export function sumOfSquares(a: usize, n: i32): f64 {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let s2 = f64x2.splat(0);
  let s3 = f64x2.splat(0);
  const end = (<usize>n) << 2;
  const whole = end & ~31;
  for (let i: usize = 0; i < whole; i += 32) {
    const x = a + i;
    s0 = addSquare(s0, wide(v128.load64_zero(x)));
    s1 = addSquare(s1, wide(v128.load64_zero(x, 8)));
    s2 = addSquare(s2, wide(v128.load64_zero(x, 16)));
    s3 = addSquare(s3, wide(v128.load64_zero(x, 24)));
  }
  let sum = total(s0, s1, s2, s3);
  for (let i = whole; i < end; i += 4) {
    const value = <f64>load<f32>(a + i);
    sum += value * value;
  }
  return sum;
}

/**
 * Gram matrix of `count` f32 vectors of length n: out[i·count + j] = Σ vᵢ·vⱼ in f64, the bits of `dot`.
 * `vectors` is a table of u32 addresses, `out` has room for count² f64.
 */
export function gram(vectors: usize, count: i32, n: i32, out: usize): void {
  for (let i = 0; i < count; i++) {
    const a = <usize>load<u32>(vectors + ((<usize>i) << 2));
    for (let j = 0; j <= i; j++) {
      const product = dot(a, load<u32>(vectors + ((<usize>j) << 2)), n);
      store<f64>(out + ((<usize>(i * count + j)) << 3), product);
      store<f64>(out + ((<usize>(j * count + i)) << 3), product);
    }
  }
}
