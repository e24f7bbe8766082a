// Shaders that need all of an item at once: a work group for each.
import { bitsOf, layout, mostGroups } from "./kernels.ts";

/** How a tensor is made of items. */
export interface Items {
  readonly items: number;
  readonly itemLength: number;
}

/** The greatest float32. */
const greatest = 3.4028234663852886e38;

/**
 * Thresholding: a radix select over the 31 bits of |x|, then the clamp.
 * Table: items, itemLength, position of the source and of the target in floats, rank, fraction, maxValue, limit.
 */
export const clipCode = `${layout("f32")}
var<workgroup> counts: array<atomic<u32>, 256>;
var<workgroup> picked: vec3<u32>;
var<workgroup> above: atomic<u32>;

fn magnitude(at: u32) -> u32 { return bitcast<u32>(slots[at]) & 0x7fffffffu; }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = group.y * ${mostGroups}u + group.x;
  if (item >= table[0]) { return; }
  let n = table[1];
  let source = table[2] + item * n;
  let target_ = table[3] + item * n;
  var prefix = 0u;
  var fixed = 0u;
  var rank = table[4];
  var equal = 0u;
  for (var digit = 0u; digit < 4u; digit++) {
    let shift = 24u - 8u * digit;
    atomicStore(&counts[lane], 0u);
    workgroupBarrier();
    for (var i = lane; i < n; i += 256u) {
      let bits = magnitude(source + i);
      if ((bits & fixed) == prefix) { atomicAdd(&counts[(bits >> shift) & 255u], 1u); }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var value = 0u;
      var left = rank;
      for (; value < 255u; value++) {
        let count = atomicLoad(&counts[value]);
        if (left < count) { break; }
        left -= count;
      }
      picked = vec3(value, left, atomicLoad(&counts[value]));
      atomicStore(&above, 0x7fffffffu);
    }
    let found = workgroupUniformLoad(&picked);
    prefix |= found.x << shift;
    fixed |= 255u << shift;
    rank = found.y;
    equal = found.z;
  }
  for (var i = lane; i < n; i += 256u) {
    let bits = magnitude(source + i);
    if (bits > prefix) { atomicMin(&above, bits); }
  }
  workgroupBarrier();
  let fraction = bitcast<f32>(table[5]);
  let low = bitcast<f32>(prefix);
  var quantile = low;
  if (fraction > 0.0 && rank + 1u >= equal) { quantile = low + fraction * (bitcast<f32>(atomicLoad(&above)) - low); }
  let most = bitcast<f32>(table[6]);
  let bound = min(max(quantile, most), bitcast<f32>(table[7]));
  let scale = most / bound;
  for (var i = lane; i < n; i += 256u) {
    slots[target_ + i] = clamp(slots[source + i], -bound, bound) * scale;
  }
}
`;
/** Returns the range of the table for it. */
export function clipWords(
  { items, itemLength }: Items,
  [source, target]: readonly [number, number],
  { ratio, maxValue, limit }: { ratio: number; maxValue: number; limit: number },
): number[] {
  const position = ratio * (itemLength - 1);
  const rank = Math.floor(position);
  // No infinity in a shader; nothing finite is larger than this.
  const bound = bitsOf(Math.min(limit, greatest));
  return [items, itemLength, source, target, rank, bitsOf(position - rank), bitsOf(maxValue), bound];
}

/**
 * Guidance rescale: deviations from the mean in a second pass, squared and summed by blocks of 64, so that rounding does not grow with
 * the length. Table: items, itemLength, position of the slot and of the one to be like in floats, share, its complement.
 */
export const rescaleCode = `${layout("f32")}
var<workgroup> parts: array<vec2<f32>, 256>;

fn total(lane: u32, part: vec2<f32>) -> vec2<f32> {
  parts[lane] = part;
  for (var half = 128u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) { parts[lane] += parts[lane + half]; }
  }
  return workgroupUniformLoad(&parts[0]);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = group.y * ${mostGroups}u + group.x;
  if (item >= table[0]) { return; }
  let n = table[1];
  let own = table[2] + item * n;
  let like = table[3] + item * n;
  var sum = vec2(0.0);
  for (var first = lane; first < n; first += 16384u) {
    var block = vec2(0.0);
    for (var i = first; i < min(first + 16384u, n); i += 256u) { block += vec2(slots[own + i], slots[like + i]); }
    sum += block;
  }
  let mean = total(lane, sum) / f32(n);
  var scatter = vec2(0.0);
  for (var first = lane; first < n; first += 16384u) {
    var block = vec2(0.0);
    for (var i = first; i < min(first + 16384u, n); i += 256u) {
      let d = vec2(slots[own + i], slots[like + i]) - mean;
      block += d * d;
    }
    scatter += block;
  }
  let whole = total(lane, scatter);
  var factor = 1.0;
  if (whole.x > 0.0) { factor = bitcast<f32>(table[4]) * sqrt(whole.y / whole.x) + bitcast<f32>(table[5]); }
  for (var i = lane; i < n; i += 256u) { slots[own + i] *= factor; }
}
`;
/** Returns the range of the table for it. */
export function rescaleWords({ items, itemLength }: Items, slot: number, like: number, share: number): number[] {
  return [items, itemLength, slot, like, bitsOf(share), bitsOf(1 - share)];
}
