// out = c0·v0 + c1·v1 + …, one kernel per number of terms, each over whole groups of 32 floats.
//
// Eight vectors an iteration at one common offset: four cost up to 1.17 of the time in cache, one up to 1.8.
// The eight copies are worth their lines: one kernel that loops over its terms takes 1.15 to 1.45 of the time in
// cache, one that adds term by term to eight running sums 1.4 to 2.1 (Node 20, n = 16384; all equal from 2 M floats).
//
// `terms` holds {f32 coefficient, u32 pointer} per term; `done` is how many bytes earlier blocks have advanced;
// `bytes` is a multiple of 128. Offsets are compared, never addresses, which may lie above 2 GiB or wrap at 4 GiB.

/** Floats that one iteration of a kernel covers. */
export const GROUP: i32 = 32;
const GROUP_BYTES: usize = 128;

/** Thirty-two floats at any address: as fields, the vectors are loaded at immediate offsets. */
@unmanaged
class Group {
  a: v128;
  b: v128;
  c: v128;
  d: v128;
  e: v128;
  f: v128;
  g: v128;
  h: v128;
}

/** Where a pointer of a program points in the current block: bit 0 marks a scratch buffer, which every block reuses. */
export function at(pointer: usize, done: usize): usize {
  return pointer & 1 ? pointer - 1 : pointer + done;
}

function coefficient(terms: usize, i: usize): v128 {
  return v128.load_splat<f32>(terms + (i << 3));
}

function address(terms: usize, i: usize, done: usize): usize {
  return at(load<u32>(terms + (i << 3), 4), done);
}

/** The elements from `start` to `n`, one at a time, for any number of terms; the same bits as the kernels. */
export function linearTail(out: usize, terms: usize, k: i32, done: usize, start: i32, n: i32): void {
  const end = (<usize>n) << 2;
  const last = terms + ((<usize>k) << 3);
  for (let i = (<usize>start) << 2; i < end; i += 4) {
    let sum = load<f32>(terms) * load<f32>(address(terms, 0, done) + i);
    for (let term = terms + 8; term !== last; term += 8) {
      sum += load<f32>(term) * load<f32>(address(term, 0, done) + i);
    }
    store<f32>(out + i, sum);
  }
}

type V = v128;

// Weighted sums, left to right, of vectors s … z with coefficients a … h; Binaryen inlines them.
// Plain multiply and add: a relaxed madd gained nothing (0.8 to 1.3 of the time), is missing in Node 20, and is fused
// by some engines only, so that 29 % of the results differ in the last bit.
function sum1(a: V, s: V): V {
  return f32x4.mul(a, s);
}
function sum2(a: V, s: V, b: V, t: V): V {
  return f32x4.add(sum1(a, s), f32x4.mul(b, t));
}
function sum3(a: V, s: V, b: V, t: V, c: V, u: V): V {
  return f32x4.add(sum2(a, s, b, t), f32x4.mul(c, u));
}
function sum4(a: V, s: V, b: V, t: V, c: V, u: V, d: V, v: V): V {
  return f32x4.add(sum3(a, s, b, t, c, u), f32x4.mul(d, v));
}
function sum5(a: V, s: V, b: V, t: V, c: V, u: V, d: V, v: V, e: V, w: V): V {
  return f32x4.add(sum4(a, s, b, t, c, u, d, v), f32x4.mul(e, w));
}
function sum6(a: V, s: V, b: V, t: V, c: V, u: V, d: V, v: V, e: V, w: V, f: V, x: V): V {
  return f32x4.add(sum5(a, s, b, t, c, u, d, v, e, w), f32x4.mul(f, x));
}
function sum7(a: V, s: V, b: V, t: V, c: V, u: V, d: V, v: V, e: V, w: V, f: V, x: V, g: V, y: V): V {
  return f32x4.add(sum6(a, s, b, t, c, u, d, v, e, w, f, x), f32x4.mul(g, y));
}
function sum8(a: V, s: V, b: V, t: V, c: V, u: V, d: V, v: V, e: V, w: V, f: V, x: V, g: V, y: V, h: V, z: V): V {
  return f32x4.add(sum7(a, s, b, t, c, u, d, v, e, w, f, x, g, y), f32x4.mul(h, z));
}

export function lin1(out: usize, terms: usize, done: usize, bytes: usize): void {
  const c0 = coefficient(terms, 0);
  const p0 = address(terms, 0, done);
  for (let i: usize = 0; i < bytes; i += GROUP_BYTES) {
    const to = changetype<Group>(out + i);
    const v0 = changetype<Group>(p0 + i);
    to.a = sum1(c0, v0.a);
    to.b = sum1(c0, v0.b);
    to.c = sum1(c0, v0.c);
    to.d = sum1(c0, v0.d);
    to.e = sum1(c0, v0.e);
    to.f = sum1(c0, v0.f);
    to.g = sum1(c0, v0.g);
    to.h = sum1(c0, v0.h);
  }
}

export function lin2(out: usize, terms: usize, done: usize, bytes: usize): void {
  const c0 = coefficient(terms, 0);
  const c1 = coefficient(terms, 1);
  const p0 = address(terms, 0, done);
  const p1 = address(terms, 1, done);
  for (let i: usize = 0; i < bytes; i += GROUP_BYTES) {
    const to = changetype<Group>(out + i);
    const v0 = changetype<Group>(p0 + i);
    const v1 = changetype<Group>(p1 + i);
    to.a = sum2(c0, v0.a, c1, v1.a);
    to.b = sum2(c0, v0.b, c1, v1.b);
    to.c = sum2(c0, v0.c, c1, v1.c);
    to.d = sum2(c0, v0.d, c1, v1.d);
    to.e = sum2(c0, v0.e, c1, v1.e);
    to.f = sum2(c0, v0.f, c1, v1.f);
    to.g = sum2(c0, v0.g, c1, v1.g);
    to.h = sum2(c0, v0.h, c1, v1.h);
  }
}

export function lin3(out: usize, terms: usize, done: usize, bytes: usize): void {
  const c0 = coefficient(terms, 0);
  const c1 = coefficient(terms, 1);
  const c2 = coefficient(terms, 2);
  const p0 = address(terms, 0, done);
  const p1 = address(terms, 1, done);
  const p2 = address(terms, 2, done);
  for (let i: usize = 0; i < bytes; i += GROUP_BYTES) {
    const to = changetype<Group>(out + i);
    const v0 = changetype<Group>(p0 + i);
    const v1 = changetype<Group>(p1 + i);
    const v2 = changetype<Group>(p2 + i);
    to.a = sum3(c0, v0.a, c1, v1.a, c2, v2.a);
    to.b = sum3(c0, v0.b, c1, v1.b, c2, v2.b);
    to.c = sum3(c0, v0.c, c1, v1.c, c2, v2.c);
    to.d = sum3(c0, v0.d, c1, v1.d, c2, v2.d);
    to.e = sum3(c0, v0.e, c1, v1.e, c2, v2.e);
    to.f = sum3(c0, v0.f, c1, v1.f, c2, v2.f);
    to.g = sum3(c0, v0.g, c1, v1.g, c2, v2.g);
    to.h = sum3(c0, v0.h, c1, v1.h, c2, v2.h);
  }
}

export function lin4(out: usize, terms: usize, done: usize, bytes: usize): void {
  const c0 = coefficient(terms, 0);
  const c1 = coefficient(terms, 1);
  const c2 = coefficient(terms, 2);
  const c3 = coefficient(terms, 3);
  const p0 = address(terms, 0, done);
  const p1 = address(terms, 1, done);
  const p2 = address(terms, 2, done);
  const p3 = address(terms, 3, done);
  for (let i: usize = 0; i < bytes; i += GROUP_BYTES) {
    const to = changetype<Group>(out + i);
    const v0 = changetype<Group>(p0 + i);
    const v1 = changetype<Group>(p1 + i);
    const v2 = changetype<Group>(p2 + i);
    const v3 = changetype<Group>(p3 + i);
    to.a = sum4(c0, v0.a, c1, v1.a, c2, v2.a, c3, v3.a);
    to.b = sum4(c0, v0.b, c1, v1.b, c2, v2.b, c3, v3.b);
    to.c = sum4(c0, v0.c, c1, v1.c, c2, v2.c, c3, v3.c);
    to.d = sum4(c0, v0.d, c1, v1.d, c2, v2.d, c3, v3.d);
    to.e = sum4(c0, v0.e, c1, v1.e, c2, v2.e, c3, v3.e);
    to.f = sum4(c0, v0.f, c1, v1.f, c2, v2.f, c3, v3.f);
    to.g = sum4(c0, v0.g, c1, v1.g, c2, v2.g, c3, v3.g);
    to.h = sum4(c0, v0.h, c1, v1.h, c2, v2.h, c3, v3.h);
  }
}

export function lin5(out: usize, terms: usize, done: usize, bytes: usize): void {
  const c0 = coefficient(terms, 0);
  const c1 = coefficient(terms, 1);
  const c2 = coefficient(terms, 2);
  const c3 = coefficient(terms, 3);
  const c4 = coefficient(terms, 4);
  const p0 = address(terms, 0, done);
  const p1 = address(terms, 1, done);
  const p2 = address(terms, 2, done);
  const p3 = address(terms, 3, done);
  const p4 = address(terms, 4, done);
  for (let i: usize = 0; i < bytes; i += GROUP_BYTES) {
    const to = changetype<Group>(out + i);
    const v0 = changetype<Group>(p0 + i);
    const v1 = changetype<Group>(p1 + i);
    const v2 = changetype<Group>(p2 + i);
    const v3 = changetype<Group>(p3 + i);
    const v4 = changetype<Group>(p4 + i);
    to.a = sum5(c0, v0.a, c1, v1.a, c2, v2.a, c3, v3.a, c4, v4.a);
    to.b = sum5(c0, v0.b, c1, v1.b, c2, v2.b, c3, v3.b, c4, v4.b);
    to.c = sum5(c0, v0.c, c1, v1.c, c2, v2.c, c3, v3.c, c4, v4.c);
    to.d = sum5(c0, v0.d, c1, v1.d, c2, v2.d, c3, v3.d, c4, v4.d);
    to.e = sum5(c0, v0.e, c1, v1.e, c2, v2.e, c3, v3.e, c4, v4.e);
    to.f = sum5(c0, v0.f, c1, v1.f, c2, v2.f, c3, v3.f, c4, v4.f);
    to.g = sum5(c0, v0.g, c1, v1.g, c2, v2.g, c3, v3.g, c4, v4.g);
    to.h = sum5(c0, v0.h, c1, v1.h, c2, v2.h, c3, v3.h, c4, v4.h);
  }
}

export function lin6(out: usize, terms: usize, done: usize, bytes: usize): void {
  const c0 = coefficient(terms, 0);
  const c1 = coefficient(terms, 1);
  const c2 = coefficient(terms, 2);
  const c3 = coefficient(terms, 3);
  const c4 = coefficient(terms, 4);
  const c5 = coefficient(terms, 5);
  const p0 = address(terms, 0, done);
  const p1 = address(terms, 1, done);
  const p2 = address(terms, 2, done);
  const p3 = address(terms, 3, done);
  const p4 = address(terms, 4, done);
  const p5 = address(terms, 5, done);
  for (let i: usize = 0; i < bytes; i += GROUP_BYTES) {
    const to = changetype<Group>(out + i);
    const v0 = changetype<Group>(p0 + i);
    const v1 = changetype<Group>(p1 + i);
    const v2 = changetype<Group>(p2 + i);
    const v3 = changetype<Group>(p3 + i);
    const v4 = changetype<Group>(p4 + i);
    const v5 = changetype<Group>(p5 + i);
    to.a = sum6(c0, v0.a, c1, v1.a, c2, v2.a, c3, v3.a, c4, v4.a, c5, v5.a);
    to.b = sum6(c0, v0.b, c1, v1.b, c2, v2.b, c3, v3.b, c4, v4.b, c5, v5.b);
    to.c = sum6(c0, v0.c, c1, v1.c, c2, v2.c, c3, v3.c, c4, v4.c, c5, v5.c);
    to.d = sum6(c0, v0.d, c1, v1.d, c2, v2.d, c3, v3.d, c4, v4.d, c5, v5.d);
    to.e = sum6(c0, v0.e, c1, v1.e, c2, v2.e, c3, v3.e, c4, v4.e, c5, v5.e);
    to.f = sum6(c0, v0.f, c1, v1.f, c2, v2.f, c3, v3.f, c4, v4.f, c5, v5.f);
    to.g = sum6(c0, v0.g, c1, v1.g, c2, v2.g, c3, v3.g, c4, v4.g, c5, v5.g);
    to.h = sum6(c0, v0.h, c1, v1.h, c2, v2.h, c3, v3.h, c4, v4.h, c5, v5.h);
  }
}

export function lin7(out: usize, terms: usize, done: usize, bytes: usize): void {
  const c0 = coefficient(terms, 0);
  const c1 = coefficient(terms, 1);
  const c2 = coefficient(terms, 2);
  const c3 = coefficient(terms, 3);
  const c4 = coefficient(terms, 4);
  const c5 = coefficient(terms, 5);
  const c6 = coefficient(terms, 6);
  const p0 = address(terms, 0, done);
  const p1 = address(terms, 1, done);
  const p2 = address(terms, 2, done);
  const p3 = address(terms, 3, done);
  const p4 = address(terms, 4, done);
  const p5 = address(terms, 5, done);
  const p6 = address(terms, 6, done);
  for (let i: usize = 0; i < bytes; i += GROUP_BYTES) {
    const to = changetype<Group>(out + i);
    const v0 = changetype<Group>(p0 + i);
    const v1 = changetype<Group>(p1 + i);
    const v2 = changetype<Group>(p2 + i);
    const v3 = changetype<Group>(p3 + i);
    const v4 = changetype<Group>(p4 + i);
    const v5 = changetype<Group>(p5 + i);
    const v6 = changetype<Group>(p6 + i);
    to.a = sum7(c0, v0.a, c1, v1.a, c2, v2.a, c3, v3.a, c4, v4.a, c5, v5.a, c6, v6.a);
    to.b = sum7(c0, v0.b, c1, v1.b, c2, v2.b, c3, v3.b, c4, v4.b, c5, v5.b, c6, v6.b);
    to.c = sum7(c0, v0.c, c1, v1.c, c2, v2.c, c3, v3.c, c4, v4.c, c5, v5.c, c6, v6.c);
    to.d = sum7(c0, v0.d, c1, v1.d, c2, v2.d, c3, v3.d, c4, v4.d, c5, v5.d, c6, v6.d);
    to.e = sum7(c0, v0.e, c1, v1.e, c2, v2.e, c3, v3.e, c4, v4.e, c5, v5.e, c6, v6.e);
    to.f = sum7(c0, v0.f, c1, v1.f, c2, v2.f, c3, v3.f, c4, v4.f, c5, v5.f, c6, v6.f);
    to.g = sum7(c0, v0.g, c1, v1.g, c2, v2.g, c3, v3.g, c4, v4.g, c5, v5.g, c6, v6.g);
    to.h = sum7(c0, v0.h, c1, v1.h, c2, v2.h, c3, v3.h, c4, v4.h, c5, v5.h, c6, v6.h);
  }
}

export function lin8(out: usize, terms: usize, done: usize, bytes: usize): void {
  const c0 = coefficient(terms, 0);
  const c1 = coefficient(terms, 1);
  const c2 = coefficient(terms, 2);
  const c3 = coefficient(terms, 3);
  const c4 = coefficient(terms, 4);
  const c5 = coefficient(terms, 5);
  const c6 = coefficient(terms, 6);
  const c7 = coefficient(terms, 7);
  const p0 = address(terms, 0, done);
  const p1 = address(terms, 1, done);
  const p2 = address(terms, 2, done);
  const p3 = address(terms, 3, done);
  const p4 = address(terms, 4, done);
  const p5 = address(terms, 5, done);
  const p6 = address(terms, 6, done);
  const p7 = address(terms, 7, done);
  for (let i: usize = 0; i < bytes; i += GROUP_BYTES) {
    const to = changetype<Group>(out + i);
    const v0 = changetype<Group>(p0 + i);
    const v1 = changetype<Group>(p1 + i);
    const v2 = changetype<Group>(p2 + i);
    const v3 = changetype<Group>(p3 + i);
    const v4 = changetype<Group>(p4 + i);
    const v5 = changetype<Group>(p5 + i);
    const v6 = changetype<Group>(p6 + i);
    const v7 = changetype<Group>(p7 + i);
    to.a = sum8(c0, v0.a, c1, v1.a, c2, v2.a, c3, v3.a, c4, v4.a, c5, v5.a, c6, v6.a, c7, v7.a);
    to.b = sum8(c0, v0.b, c1, v1.b, c2, v2.b, c3, v3.b, c4, v4.b, c5, v5.b, c6, v6.b, c7, v7.b);
    to.c = sum8(c0, v0.c, c1, v1.c, c2, v2.c, c3, v3.c, c4, v4.c, c5, v5.c, c6, v6.c, c7, v7.c);
    to.d = sum8(c0, v0.d, c1, v1.d, c2, v2.d, c3, v3.d, c4, v4.d, c5, v5.d, c6, v6.d, c7, v7.d);
    to.e = sum8(c0, v0.e, c1, v1.e, c2, v2.e, c3, v3.e, c4, v4.e, c5, v5.e, c6, v6.e, c7, v7.e);
    to.f = sum8(c0, v0.f, c1, v1.f, c2, v2.f, c3, v3.f, c4, v4.f, c5, v5.f, c6, v6.f, c7, v7.f);
    to.g = sum8(c0, v0.g, c1, v1.g, c2, v2.g, c3, v3.g, c4, v4.g, c5, v5.g, c6, v6.g, c7, v7.g);
    to.h = sum8(c0, v0.h, c1, v1.h, c2, v2.h, c3, v3.h, c4, v4.h, c5, v5.h, c6, v6.h, c7, v7.h);
  }
}
