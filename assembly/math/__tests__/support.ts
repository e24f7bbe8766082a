/** Returns |actual − expected|, divided by |expected| where that is not 0. */
export function relativeError(actual: f64, expected: f64): f64 {
  const error = Math.abs(actual - expected);
  return expected === 0.0 ? error : error / Math.abs(expected);
}
