// Reproducible test data. Marsaglia's xorshift32 (2003), shifts 13, 17, 5.

let state: u32 = 1;

export function seed(value: u32): void {
  state = value * 2654435761 + 1; // Knuth's multiplicative hash: neighbouring seeds start far apart
  if (state === 0) state = 1; // the one state that xorshift never leaves
}

export function nextBits(): u32 {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

/** A float32 in [−2, 2) with all 24 significand bits in use. */
export function nextValue(): f32 {
  return <f32>(<i32>nextBits() >> 7) * <f32>(1.0 / 8388608.0);
}

export function fillValues(a: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<f32>(a + ((<usize>i) << 2), nextValue());
}
