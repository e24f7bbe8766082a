// Every program runs twice: by exec in an arena, and pass by pass in scalar f32 in a mirror of it. Afterwards the two
// arenas must agree in every byte, which covers results, inputs and everything around them.
import { exec } from "../exec";
import { fillValues, nextValue, seed } from "./values";

const ARENA_BYTES: usize = 131072;
const ARENA = memory.data(131072, 16);
const MIRROR = memory.data(131072, 16);
const PROGRAM = memory.data(1024, 16);
const SAVED = memory.data(11264, 16);
const BUFFER_BYTES: usize = 11264;
const LENGTHS = memory.data<i32>([0, 1, 3, 31, 32, 33, 255, 1000, 1024, 1025, 2049, 2700]);

let cursor: usize = 0;

function begin(): void {
  store<u32>(PROGRAM, 0);
  cursor = PROGRAM + 4;
}

function operation(out: usize, k: u32): void {
  store<u32>(PROGRAM, load<u32>(PROGRAM) + 1);
  store<u32>(cursor, <u32>out);
  store<u32>(cursor, k, 4);
  cursor += 8;
}

function term(c: f32, pointer: usize): void {
  store<f32>(cursor, c);
  store<u32>(cursor, <u32>pointer, 4);
  cursor += 8;
}

/** Buffer number i of the arena, with room for 2700 floats, `words` words off 16-byte alignment. */
function buffer(i: i32, words: i32 = 0): usize {
  return ARENA + <usize>i * BUFFER_BYTES + 64 + ((<usize>words) << 2);
}

function reset(value: u32): void {
  seed(value);
  fillValues(ARENA, <i32>(ARENA_BYTES >> 2));
  memory.copy(MIRROR, ARENA, ARENA_BYTES);
}

function mirrored(pointer: usize): usize {
  return (pointer & ~1) - ARENA + MIRROR;
}

function runSeparatePasses(n: i32): void {
  let at = PROGRAM + 4;
  for (let o = load<u32>(PROGRAM); o > 0; o--) {
    const out = mirrored(load<u32>(at));
    const k = load<u32>(at, 4);
    for (let i: usize = 0; i < (<usize>n) << 2; i += 4) {
      let sum: f32 = 0;
      for (let j: u32 = 0; j < k; j++) {
        const entry = at + 8 + ((<usize>j) << 3);
        const product: f32 = load<f32>(entry) * load<f32>(mirrored(load<u32>(entry, 4)) + i);
        sum = j === 0 ? product : sum + product;
      }
      store<f32>(out + i, sum);
    }
    at += 8 + ((<usize>k) << 3);
  }
}

function arenasAgree(): bool {
  return memory.compare(ARENA, MIRROR, ARENA_BYTES) === 0;
}

/** One operation over every length, in place for inputs in turn or into a buffer of its own; counts the lengths at which the arenas differ. */
function wrongLengths(k: i32, aligned: bool, inPlace: bool): i32 {
  let wrong = 0;
  reset(k);
  for (let n = 0; n <= 200; n++) {
    const target = inPlace ? n % k : 9;
    begin();
    operation(buffer(target, aligned ? 0 : (n + target) & 3), k);
    for (let j = 0; j < k; j++) term(<f32>0.5 * nextValue(), buffer(j, aligned ? 0 : (n + j) & 3));
    exec(PROGRAM, n, 1024);
    runSeparatePasses(n);
    if (!arenasAgree()) wrong++;
  }
  return wrong;
}

/** Two outputs and a scratch buffer: the shape of guidance, conversion, corrector and predictor in one program. */
function writeStep(scratch: usize): void {
  const x = buffer(0, 1);
  const guess = buffer(1, 2);
  const history = buffer(4, 1);
  begin();
  operation(scratch, 3);
  term(1.25, x);
  term(-0.3, buffer(2, 3));
  term(0.7, buffer(3));
  operation(x, 5);
  term(0.9, x);
  term(0.1, scratch);
  term(-0.2, history);
  term(0.4, buffer(5, 2));
  term(-1.5, buffer(6, 3));
  operation(guess, 2);
  term(1.1, x);
  term(-0.6, scratch);
  operation(history, 1);
  term(1, scratch);
}

function stepAgrees(n: i32, block: i32): bool {
  reset(n);
  writeStep(buffer(7));
  exec(PROGRAM, n, block);
  runSeparatePasses(n);
  return arenasAgree();
}

/** The same with the temporary as a scratch buffer, of which exec may write one block. */
function scratchStepAgrees(n: i32, block: i32): bool {
  const temporary = buffer(7);
  reset(n);
  memory.copy(SAVED, temporary, BUFFER_BYTES);
  writeStep(temporary | 1);
  exec(PROGRAM, n, block);
  runSeparatePasses(n);
  const used = (<usize>min(n, block)) << 2;
  if (memory.compare(temporary + used, SAVED + used, BUFFER_BYTES - used) !== 0) return false;
  memory.copy(mirrored(temporary), temporary, BUFFER_BYTES); // the passes filled all of it
  return arenasAgree();
}

function failingSteps(block: i32, inScratch: bool): i32 {
  let failures = 0;
  for (let i = 0; i < 12; i++) {
    const n = load<i32>(LENGTHS + ((<usize>i) << 2));
    const agrees = inScratch ? scratchStepAgrees(n, block) : stepAgrees(n, block);
    if (!agrees) failures++;
  }
  return failures;
}

function runTerms(k: i32): void {
  begin();
  operation(buffer(9), k);
  for (let j = 0; j < k; j++) term(1, buffer(0));
  exec(PROGRAM, 4, 1024);
}

describe("exec", () => {
  it("agrees with a scalar float32 loop bit for bit, for one to eight terms and every length", () => {
    for (let k = 1; k <= 8; k++) expect(wrongLengths(k, true, false)).toBe(0);
  });

  it("does so at addresses that are aligned to 4 bytes only", () => {
    for (let k = 1; k <= 8; k++) expect(wrongLengths(k, false, false)).toBe(0);
  });

  it("does so when the output is one of the inputs", () => {
    for (let k = 1; k <= 8; k++) expect(wrongLengths(k, true, true)).toBe(0);
    for (let k = 1; k <= 8; k++) expect(wrongLengths(k, false, true)).toBe(0);
  });

  it("gives the bits of separate passes for every block size", () => {
    for (let block = 1; block <= 7; block += 2) expect(failingSteps(block, false)).toBe(0);
    expect(failingSteps(8, false)).toBe(0);
    expect(failingSteps(256, false)).toBe(0);
    expect(failingSteps(1000, false)).toBe(0);
    expect(failingSteps(1024, false)).toBe(0);
    expect(failingSteps(i32.MAX_VALUE, false)).toBe(0);
  });

  it("reuses a scratch buffer for every block and writes no more than one block of it", () => {
    expect(failingSteps(8, true)).toBe(0);
    expect(failingSteps(256, true)).toBe(0);
    expect(failingSteps(1000, true)).toBe(0);
    expect(failingSteps(1024, true)).toBe(0);
  });

  it("does nothing for a program without operations", () => {
    reset(1);
    begin();
    exec(PROGRAM, 100, 1024);
    expect(arenasAgree()).toBe(true);
  });

  it("traps on an operation with no or more than eight terms", () => {
    expect(() => runTerms(0)).toThrow();
    expect(() => runTerms(9)).toThrow();
    expect(() => runTerms(8)).not.toThrow();
  });

  it("traps on a block below one element", () => {
    expect(() => exec(PROGRAM, 4, 0)).toThrow();
    expect(() => exec(PROGRAM, 4, -1)).toThrow();
  });
});
