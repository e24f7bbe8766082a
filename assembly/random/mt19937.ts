// MT19937: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998), with the seeding of mt19937ar.c (2002).
// Words are drawn one at a time: the generator costs a tenth of the normal numbers made from it.
//
// One generator's state, in bytes:
//      0  u32[624]  the words of the recurrence
//   2496  u32       index of the next word to hand out; 624: all are used
//   2500  u32       1 if a normal number is kept for the next draw (see torch.ts)
//   2504  f64       that number

const WORDS: u32 = 624;
const SHIFT: u32 = 397;
const INDEX: usize = 2496;
const HAS_KEPT: usize = 2500;
const KEPT: usize = 2504;

/** Size of one generator's state. */
export const MT_STATE_BYTES: i32 = 2512;

/** Starts the generator at `state`, as `torch.Generator.manual_seed` does with the low 32 bits of its seed. */
export function mtSeed(state: usize, seed: u32): void {
  let word = seed;
  store<u32>(state, word);
  for (let i: u32 = 1; i < WORDS; i++) {
    word = 1812433253 * (word ^ (word >> 30)) + i;
    store<u32>(state + ((<usize>i) << 2), word);
  }
  store<u32>(state, WORDS, INDEX);
  store<u32>(state, 0, HAS_KEPT);
  store<f64>(state, 0, KEPT);
}

/** The next 32-bit word. */
export function mtNext(state: usize): u32 {
  let index = load<u32>(state, INDEX);
  if (index >= WORDS) {
    twist(state);
    index = 0;
  }
  store<u32>(state, index + 1, INDEX);
  let word = load<u32>(state + ((<usize>index) << 2));
  word ^= word >> 11;
  word ^= (word << 7) & 0x9d2c5680;
  word ^= (word << 15) & 0xefc60000;
  return word ^ (word >> 18);
}

/** A float32 in [0, 1): the low 24 bits of one word. */
export function mtUniform32(state: usize): f32 {
  return <f32>(mtNext(state) & 0xffffff) * <f32>(1.0 / 16777216.0);
}

/** A float64 in [0, 1): the low 53 bits of two words, the first of which is the high one. */
export function mtUniform64(state: usize): f64 {
  const high = <u64>mtNext(state);
  const low = <u64>mtNext(state);
  return <f64>(((high << 32) | low) & 0x1fffffffffffff) * (1.0 / 9007199254740992.0);
}

/** Whether a number was kept and not yet taken. */
export function mtHasKept(state: usize): bool {
  return load<u32>(state, HAS_KEPT) !== 0;
}

/** Keeps a number for the next draw. */
export function mtKeep(state: usize, value: f64): void {
  store<u32>(state, 1, HAS_KEPT);
  store<f64>(state, value, KEPT);
}

/** Takes the kept number. */
export function mtTakeKept(state: usize): f64 {
  store<u32>(state, 0, HAS_KEPT);
  return load<f64>(state, KEPT);
}

function twist(state: usize): void {
  // Three loops instead of indices modulo 624.
  for (let i: u32 = 0; i < WORDS - SHIFT; i++) renew(state, i, i + 1, i + SHIFT);
  for (let i: u32 = WORDS - SHIFT; i < WORDS - 1; i++) renew(state, i, i + 1, i - (WORDS - SHIFT));
  renew(state, WORDS - 1, 0, SHIFT - 1);
}

function renew(state: usize, i: u32, next: u32, shifted: u32): void {
  const at = state + ((<usize>i) << 2);
  const mixed = (load<u32>(at) & 0x80000000) | (load<u32>(state + ((<usize>next) << 2)) & 0x7fffffff);
  const word = load<u32>(state + ((<usize>shifted) << 2));
  store<u32>(at, word ^ (mixed >> 1) ^ ((0 - (mixed & 1)) & 0x9908b0df));
}
