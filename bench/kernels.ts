// Each kernel of the module against a copy of as many bytes and against the same work as a loop in JavaScript.
//   npm run bench:kernels -- [--rounds 21] [--sizes 784,16384,196608,3145728] [--json FILE]
import * as javascript from "./support/javascript.ts";
import { calling, race, speedup, spread } from "./support/measure.ts";
import { Buffers, copy, difference } from "./support/memory.ts";
import { digits, grouped, options, Report, range } from "./support/report.ts";

/** One kernel on one size; `ours` and `loop` return what they computed, so that it can be compared. */
interface Subject {
  readonly name: string;
  /** Least traffic: bytes read and written if nothing is touched twice. */
  readonly bytes: number;
  ours(): ArrayLike<number>;
  loop(): ArrayLike<number>;
}

const block = 1024;
/** Offsets in front of the buffers: a histogram of 8192 bytes, tables of the Gram matrix, a generator's state, the programs. */
const places = { histogram: 0, vectors: 8192, products: 8208, state: 8320, programs: 11264, end: 12288 };

/** Returns exec with one operation of k terms. */
function linear(b: Buffers, k: number): Subject {
  const { exports, length } = b;
  const program = b.extra + places.programs + 128 * (k - 1);
  const words = new Uint32Array(exports.memory.buffer, program, 3 + 2 * k);
  const floats = new Float32Array(exports.memory.buffer, program, 3 + 2 * k);
  const coefficients = Array.from({ length: k }, (_, i) => Math.fround((i % 2 === 0 ? 1 : -1) / (i + 1.5)));
  words.set([1, b.address(0), k]);
  for (const [i, c] of coefficients.entries()) {
    floats[3 + 2 * i] = c;
    words[4 + 2 * i] = b.address(i + 1);
  }
  const operation = { out: 0, terms: coefficients.map((_, i) => ({ coefficient: i, from: i + 1 })) };
  const arrays = new Map(Array.from({ length: k + 1 }, (_, i) => [i, b.view(i)] as const));
  const loop = javascript.fusedLoop([operation], coefficients, arrays);
  const out = b.view(0);
  return {
    name: `exec, lin${k}`,
    bytes: 4 * length * (k + 1),
    ours() {
      exports.exec(program, length, block);
      return out;
    },
    loop() {
      loop();
      return out;
    },
  };
}

function subjects(b: Buffers): Subject[] {
  const { exports: e, length: n, extra } = b;
  const at = (i: number) => b.address(i);
  const [out, x, y, z] = [b.view(0), b.view(1), b.view(2), b.view(3)];
  const memory = e.memory.buffer;
  const [halfOut, half] = [new Uint16Array(memory, at(0), n), new Uint16Array(memory, at(9), n)];
  const number = (result: number) => [result];
  // Buffer 9 holds the half-precision codes of buffer 1 all the time.
  e.singleToHalf(at(9), at(1), n);
  const table = javascript.halfTable();
  const bits = new Uint32Array(memory, at(1), n);
  const vectors = new Uint32Array(memory, extra + places.vectors, 3);
  vectors.set([at(1), at(2), at(3)]);
  const products = new Float64Array(memory, extra + places.products, 9);
  const state = extra + places.state;
  e.mtSeed(state, 7);
  const torch = new javascript.TorchNormal(7);
  return [
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((k) => linear(b, k)),
    {
      name: "dot",
      bytes: 8 * n,
      ours: () => number(e.dot(at(1), at(2), n)),
      loop: () => number(javascript.dot(x, y)),
    },
    {
      name: "squaredError",
      bytes: 8 * n,
      ours: () => number(e.squaredError(at(1), at(2), n)),
      loop: () => number(javascript.squaredError(x, y)),
    },
    {
      name: "sumOfSquares",
      bytes: 4 * n,
      ours: () => number(e.sumOfSquares(at(1), n)),
      loop: () => number(javascript.sumOfSquares(x)),
    },
    {
      name: "gram of 3",
      bytes: 12 * n,
      ours() {
        e.gram(extra + places.vectors, 3, n, extra + places.products);
        return [0, 3, 6, 4, 7, 8].map((i) => products[i] as number);
      },
      loop: () => javascript.gram3(x, y, z),
    },
    {
      name: "absQuantile (JS: sorted copy)",
      bytes: 4 * n,
      ours: () => number(e.absQuantile(at(1), n, 0.995, extra + places.histogram)),
      loop: () => number(javascript.sortedQuantile(x, 0.995)),
    },
    {
      name: "clampScale",
      bytes: 8 * n,
      ours() {
        e.clampScale(at(0), at(1), n, 1.5, 0.7);
        return out;
      },
      loop() {
        javascript.clampScale(out, x, 1.5, 0.7);
        return out;
      },
    },
    {
      name: "halfToSingle (JS: table)",
      bytes: 6 * n,
      ours() {
        e.halfToSingle(at(0), at(9), n);
        return out;
      },
      loop() {
        javascript.halfToSingle(out, half, table);
        return out;
      },
    },
    {
      name: "singleToHalf",
      bytes: 6 * n,
      ours() {
        e.singleToHalf(at(0), at(1), n);
        return halfOut;
      },
      loop() {
        javascript.singleToHalf(halfOut, bits);
        return halfOut;
      },
    },
    {
      name: "philoxNormal (JS: other last bits)",
      bytes: 4 * n,
      ours() {
        e.philoxNormal(at(0), n, 5, 0, 0, 0);
        return out;
      },
      loop() {
        javascript.philoxNormal(out, 5);
        return out;
      },
    },
    {
      name: "torchNormal (JS: other last bits)",
      bytes: 4 * n,
      ours() {
        e.torchNormal(state, at(0), n);
        return out;
      },
      loop() {
        torch.fill(out);
        return out;
      },
    },
  ];
}

/** Throws unless both ways compute the same: a loop that does other work is no comparison. */
function compare(subject: Subject): void {
  const ours = Array.from(subject.ours());
  const apart = difference(ours, subject.loop());
  // Sines and logarithms in float32 against double; everything else agrees to rounding.
  if (!(apart < 1e-5)) throw new Error(`${subject.name}: the loop in JavaScript is off by ${apart}`);
}

const { rounds, sizes, json } = options({ rounds: "21", sizes: "784,16384,196608,3145728", json: "" });
const report = new Report("kernels", json);
report.note(
  "copy and JS: how many times as fast as they the kernel is; bytes are those that must be moved, read or written",
);
for (const n of sizes.split(",").map(Number)) {
  const buffers = new Buffers(10, n, places.end);
  const rows = [];
  for (const subject of subjects(buffers)) {
    compare(subject);
    const effort = { rounds: n > 1e6 ? Math.ceil(Number(rounds) / 2) : Number(rounds), turn: 1, warm: 50 };
    const contenders = {
      ours: calling(subject.ours),
      copy: calling(copy(subject.bytes)),
      loop: calling(subject.loop),
    };
    const times = await race(contenders, effort);
    const time = spread(times.ours).median;
    const [toCopy, toLoop] = [speedup(times.copy, times.ours), speedup(times.loop, times.ours)];
    const [nanoseconds, gigabytes] = [(1000 * time) / n, subject.bytes / time / 1000];
    rows.push({
      cells: [subject.name, digits(time), digits(nanoseconds), digits(gigabytes), range(toCopy), range(toLoop)],
      numbers: { kernel: subject.name, floats: n, microseconds: time, bytes: subject.bytes, toCopy, toLoop },
    });
  }
  report.table(`${grouped(n)} floats`, ["kernel", "µs", "ns/float", "GB/s", "× copy", "× JS loop"], rows);
}
report.finish();
