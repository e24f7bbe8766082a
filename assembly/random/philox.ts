// Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
// A number depends on its key and counter only, so any part of a draw can be made anywhere, in any order.
import { boxMuller } from "./normal";

// The paper's multipliers and Weyl increments (table 2 and section 4; Random123 philox.h).
const M0: u32 = 0xd2511f53;
const M1: u32 = 0xcd9e8d57;
const W0: u32 = 0x9e3779b9;
const W1: u32 = 0xbb67ae85;
const ROUNDS: i32 = 10;

// Four blocks of four words.
const GROUP: i32 = 16;
const groupWords = memory.data(64, 16);

/**
 * Fills `out` with n standard normals in float32: the draw numbered `draw` of batch item `item`.
 *
 * Block b is Philox of the counter (b, item, draw, 0). Its words 0 and 1 become elements 4b and 4b + 1, its words 2
 * and 3 become elements 4b + 2 and 4b + 3, each pair by `boxMuller`. A shorter draw is a prefix of a longer one.
 */
export function philoxNormal(out: usize, n: i32, keyLow: u32, keyHigh: u32, item: u32, draw: u32): void {
  const counter1 = i32x4.splat(item);
  const counter2 = i32x4.splat(draw);
  const counter3 = i32x4.splat(0);
  let block = i32x4(0, 1, 2, 3);
  for (let left = n; left > 0; left -= GROUP, out += GROUP << 2) {
    philoxBlocks(groupWords, block, counter1, counter2, counter3, keyLow, keyHigh);
    boxMuller(groupWords, groupWords + 16);
    boxMuller(groupWords + 32, groupWords + 48);
    if (left >= GROUP) {
      transpose(out, groupWords);
    } else {
      // The whole group is computed even here, so that the last elements have the bits they have in a longer draw.
      transpose(groupWords, groupWords);
      memory.copy(out, groupWords, (<usize>left) << 2);
    }
    block = i32x4.add(block, i32x4.splat(4));
  }
}

/** Philox4x32-10 of four counters, one a lane. Stores word j of all four at `out + 16 j`. */
export function philoxBlocks(out: usize, x0: v128, x1: v128, x2: v128, x3: v128, key0: u32, key1: u32): void {
  const m0 = i32x4.splat(M0);
  const m1 = i32x4.splat(M1);
  for (let round = 0; round < ROUNDS; round++) {
    const a = i64x2.extmul_low_i32x4_u(x0, m0);
    const b = i64x2.extmul_high_i32x4_u(x0, m0);
    const c = i64x2.extmul_low_i32x4_u(x2, m1);
    const d = i64x2.extmul_high_i32x4_u(x2, m1);
    x0 = v128.xor(v128.xor(v128.shuffle<i32>(c, d, 1, 3, 5, 7), x1), i32x4.splat(key0));
    x1 = v128.shuffle<i32>(c, d, 0, 2, 4, 6);
    x2 = v128.xor(v128.xor(v128.shuffle<i32>(a, b, 1, 3, 5, 7), x3), i32x4.splat(key1));
    x3 = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
    key0 += W0;
    key1 += W1;
  }
  v128.store(out, x0);
  v128.store(out, x1, 16);
  v128.store(out, x2, 32);
  v128.store(out, x3, 48);
}

// Rows of four lanes to columns; `out` may be `from`.
function transpose(out: usize, from: usize): void {
  const a = v128.load(from);
  const b = v128.load(from, 16);
  const c = v128.load(from, 32);
  const d = v128.load(from, 48);
  const abLow = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cdLow = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<i64>(abLow, cdLow, 0, 2));
  v128.store(out, v128.shuffle<i64>(abLow, cdLow, 1, 3), 16);
  v128.store(out, v128.shuffle<i64>(abHigh, cdHigh, 0, 2), 32);
  v128.store(out, v128.shuffle<i64>(abHigh, cdHigh, 1, 3), 48);
}
