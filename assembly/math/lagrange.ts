// Interpolation weights of Lagrange: what dynamic compensation gives to the model outputs of earlier times.

/**
 * Writes out[i] = Π_{l ≠ i} (x − nodes[l])/(nodes[i] − nodes[l]), the product taken over l = 0, 1, … in this order.
 * Where x is a node its weight is exactly 1 and the others exactly 0; the sum is 1 up to rounding. Nodes differ pairwise;
 * `out` must not overlap them. Relative error of a weight below 3 count · 2^-53 (two differences and a quotient a factor).
 */
export function lagrangeWeights(nodes: usize, count: i32, x: f64, out: usize): void {
  for (let i = 0; i < count; i++) {
    const own = load<f64>(nodes + ((<usize>i) << 3));
    let weight: f64 = 1.0;
    for (let l = 0; l < count; l++) {
      if (l === i) continue;
      const other = load<f64>(nodes + ((<usize>l) << 3));
      weight *= (x - other) / (own - other);
    }
    // + 0 makes 0 of −0.
    store<f64>(out + ((<usize>i) << 3), weight + 0.0);
  }
}
