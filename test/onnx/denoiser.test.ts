import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OnnxDenoiserOptions, onnxDenoiser } from "../../src/onnx/denoiser.ts";
import type { TensorLike, ValueMetadataLike } from "../../src/onnx/ort.ts";
import { digits, distance, openSession, ort, repository } from "../support/networks.ts";

type Run = Record<string, ort.Tensor>;

/** A session that answers with twice its sample, and remembers what it was given. */
class FakeSession {
  readonly inputNames: string[];
  readonly outputNames = ["out_sample"];
  readonly inputMetadata?: ValueMetadataLike[];
  readonly runs: Run[] = [];
  active = 0;
  answer: (feeds: Run) => Promise<Record<string, TensorLike>> | Record<string, TensorLike> = (feeds) => {
    const x = feeds.sample ?? feeds.x;
    if (x === undefined) throw new Error("no sample");
    return {
      out_sample: new ort.Tensor(
        "float32",
        (x.data as Float32Array).map((v) => 2 * v),
        x.dims,
      ),
    };
  };
  constructor(inputs: readonly string[], metadata?: Record<string, [type: string, shape: (number | string)[]]>) {
    this.inputNames = [...inputs];
    if (metadata === undefined) return;
    this.inputMetadata = inputs.map((name) => {
      const [type, shape] = metadata[name] ?? ["float32", []];
      return { name, isTensor: true, type, shape };
    });
  }
  async run(feeds: Run) {
    expect(++this.active, "runs of one session never overlap").toBe(1);
    // What the run sees, kept before the tensors are disposed.
    this.runs.push(
      Object.fromEntries(
        Object.entries(feeds).map(([name, t]) => {
          const data = (t.data as Float32Array).slice();
          return [name, new ort.Tensor(t.type as "float32", data, t.dims)];
        }),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 2));
    try {
      return await this.answer(feeds);
    } finally {
      this.active--;
    }
  }
  /** Type, dimensions and values of an input of the newest run. */
  seen(name: string): [string, number[], number[]] {
    const tensor = this.runs.at(-1)?.[name];
    if (tensor === undefined) throw new Error(`the run had no ${name}`);
    return [tensor.type, [...tensor.dims], Array.from(tensor.data as Float32Array, Number)];
  }
}

const usual = ["sample", "timestep", "class_labels"];
const request = (modelTime = 7, condition: unknown = [1, 2]) => ({
  x: Float32Array.of(1, 2, 3, 4, 5, 6),
  shape: [2, 3],
  t: 0.5,
  modelTime,
  condition,
});

function make(session: FakeSession, more: Partial<OnnxDenoiserOptions<unknown>> = {}) {
  return onnxDenoiser<unknown>({ ort, session, prediction: "epsilon", ...more });
}

describe("what a session is given", () => {
  test("the usual names, without metadata: float32 sample, float32 [batch] timestep, int64 [batch] labels", async () => {
    const session = new FakeSession(usual);
    const output = await make(session).predict(request(7.25));
    expect(Array.from(output)).toEqual([2, 4, 6, 8, 10, 12]);
    expect(session.seen("sample")).toEqual(["float32", [2, 3], [1, 2, 3, 4, 5, 6]]);
    expect(session.seen("timestep")).toEqual(["float32", [2], [7.25, 7.25]]);
    expect(session.seen("class_labels")).toEqual(["int64", [2], [1, 2]]);
  });

  test.each([
    ["float32", [], [], [7]],
    ["float32", [1], [1], [7]],
    ["float32", ["batch"], [2], [7, 7]],
    ["float32", ["batch", 1], [2, 1], [7, 7]],
    ["float64", ["n"], [2], [7, 7]],
    ["int64", [], [], [7]],
    ["int64", ["batch"], [2], [7, 7]],
    ["int32", [1], [1], [7]],
    // 7 in float16: 1.75 · 2², bits 0 10001 1100000000.
    ["float16", ["batch"], [2], [0x4700, 0x4700]],
  ] as const)("a timestep declared as %s %j has dimensions %j", async (type, shape, dims, values) => {
    const session = new FakeSession(usual, {
      sample: ["float32", ["batch", 3]],
      timestep: [type, [...shape]],
      class_labels: ["int64", ["batch"]],
    });
    await make(session).predict(request());
    const seen = session.runs[0]?.timestep;
    expect([seen?.type, [...(seen?.dims ?? [])]]).toEqual([type, [...dims]]);
    const data = seen?.data as Float32Array;
    const plain = type === "float16" ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data;
    expect(Array.from(plain, Number)).toEqual(values);
  });

  test("an integer timestep refuses a fraction, and takes what misses an integer by rounding", async () => {
    const session = new FakeSession(usual, {
      timestep: ["int64", ["batch"]],
      sample: ["float32", ["b", 3]],
      class_labels: ["int64", ["b"]],
    });
    await expect(make(session).predict(request(799.2))).rejects.toThrow(
      new RangeError(
        '"modelTime": expected an integer for the int64 input "timestep", got 799.2; take the plan from LoadedModel.plan, or give a grid whose times lie on the training steps',
      ),
    );
    await make(session).predict(request((7 / 100) * 100));
    expect(session.seen("timestep")[2]).toEqual([7, 7]);
    expect(session.runs.length).toBe(1);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("a model time of %d is refused", async (time) => {
    await expect(make(new FakeSession(usual)).predict(request(time))).rejects.toThrow(RangeError);
  });

  test("`modelTime` replaces the schedule's", async () => {
    const session = new FakeSession(usual);
    await make(session, { modelTime: (t) => 80 * t }).predict(request());
    expect(session.seen("timestep")[2]).toEqual([40, 40]);
  });

  test("float16 samples and outputs are converted", async () => {
    const session = new FakeSession(usual, {
      sample: ["float16", ["b", 3]],
      timestep: ["float32", ["b"]],
      class_labels: ["int64", ["b"]],
    });
    session.answer = (feeds) => ({ out_sample: feeds.sample as TensorLike });
    expect(Array.from(await make(session).predict(request()))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(session.seen("sample")[0]).toBe("float16");
  });

  test("an output of another realm is as good", async () => {
    const session = new FakeSession(usual);
    const data = runInNewContext("Float32Array.of(6, 5, 4, 3, 2, 1)");
    session.answer = () => ({ out_sample: { type: "float32", dims: [2, 3], data } });
    expect(Array.from(await make(session).predict(request()))).toEqual([6, 5, 4, 3, 2, 1]);
  });

  test("a guided pair is one batch, conditional first", async () => {
    const session = new FakeSession(usual);
    const pair = await make(session).predictGuided?.({ ...request(), unconditional: [10, 10] });
    expect(session.runs.length).toBe(1);
    expect(session.seen("sample")).toEqual(["float32", [4, 3], [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]]);
    expect(session.seen("class_labels")).toEqual(["int64", [4], [1, 2, 10, 10]]);
    expect(session.seen("timestep")[1]).toEqual([4]);
    expect(Array.from(pair?.conditional ?? [])).toEqual([2, 4, 6, 8, 10, 12]);
    expect(Array.from(pair?.unconditional ?? [])).toEqual([2, 4, 6, 8, 10, 12]);
  });

  test("a guided pair is two runs where the network takes this batch size only", async () => {
    const session = new FakeSession(usual, {
      sample: ["float32", [2, 3]],
      timestep: ["float32", [2]],
      class_labels: ["int64", [2]],
    });
    const pair = await make(session).predictGuided?.({ ...request(), unconditional: [10, 10] });
    expect(session.runs.map((run) => Array.from(run.class_labels?.data as BigInt64Array, Number))).toEqual([
      [1, 2],
      [10, 10],
    ]);
    expect(Array.from(pair?.unconditional ?? [])).toEqual([2, 4, 6, 8, 10, 12]);
  });

  test("encodeCondition's tensors are joined along the batch, and stay the caller's", async () => {
    const session = new FakeSession(["sample", "timestep", "encoder_hidden_states"]);
    const made: ort.Tensor[] = [];
    const encodeCondition = (c: unknown, batch: number) => {
      made.push(new ort.Tensor("float32", new Float32Array(batch * 2).fill(Number(c)), [batch, 1, 2]));
      return { encoder_hidden_states: made.at(-1) as ort.Tensor };
    };
    const denoiser = make(session, { encodeCondition });
    await denoiser.predict(request(1, 3));
    expect(session.seen("encoder_hidden_states")).toEqual(["float32", [2, 1, 2], [3, 3, 3, 3]]);
    await denoiser.predictGuided?.({ ...request(1, 4), unconditional: 5 });
    expect(session.seen("encoder_hidden_states")).toEqual(["float32", [4, 1, 2], [4, 4, 4, 4, 5, 5, 5, 5]]);
    expect(made.map((t) => t.data.length)).toEqual([4, 4, 4]);
  });

  test("halves of a pair that do not fit together are refused", async () => {
    const session = new FakeSession(["sample", "timestep", "encoder_hidden_states"]);
    const encodeCondition = (c: unknown, batch: number) => ({
      encoder_hidden_states: new ort.Tensor("float32", new Float32Array(batch * Number(c)), [batch, Number(c)]),
    });
    const run = make(session, { encodeCondition }).predictGuided?.({ ...request(1, 3), unconditional: 4 });
    await expect(run).rejects.toThrow(
      /"encoder_hidden_states" is float32 \[2, 3\] with the condition and float32 \[2, 4\] without/,
    );
    expect(session.runs.length).toBe(0);
  });

  test("the tensors that a run made are disposed, the output's too", async () => {
    const session = new FakeSession(usual);
    const alive: TensorLike[] = [];
    const answer = session.answer;
    session.answer = async (feeds) => {
      const outputs = await answer(feeds);
      alive.push(...Object.values(feeds), ...Object.values(outputs));
      return outputs;
    };
    await make(session).predict(request());
    expect(alive.length).toBe(4);
    for (const tensor of alive) expect((tensor as ort.Tensor).location).toBe("none");
  });
});

describe("which input is which", () => {
  test("by type and rank where the names are others", async () => {
    const session = new FakeSession(["y", "t", "x"], {
      x: ["float32", ["b", 3]],
      t: ["float32", []],
      y: ["int64", ["b"]],
    });
    await make(session).predict(request());
    expect(session.seen("x")[1]).toEqual([2, 3]);
    expect(session.seen("t")[2]).toEqual([7]);
    expect(session.seen("y")[2]).toEqual([1, 2]);
  });

  test("by names that are given, without metadata", async () => {
    const session = new FakeSession(["a", "b", "c"]);
    session.answer = (feeds) => ({ out_sample: feeds.b as TensorLike });
    await make(session, { inputs: { sample: "b", timestep: "c", condition: "a" } }).predict(request());
    expect(session.seen("c")[2]).toEqual([7, 7]);
    expect(session.seen("a")[2]).toEqual([1, 2]);
  });

  test("a network without condition takes none", async () => {
    const session = new FakeSession(["sample", "timestep"]);
    await make(session).predict({ ...request(), condition: undefined });
    expect(Object.keys(session.runs[0] ?? {})).toEqual(["sample", "timestep"]);
    await expect(make(session).predict(request())).rejects.toThrow(/"condition": the network takes none/);
  });

  test.each<[string, string[], Partial<OnnxDenoiserOptions<unknown>>, RegExp]>([
    ["an open role", ["a", "b", "c"], {}, /cannot tell which input is the sample.*"a", "b", "c"/],
    ["a name it lacks", usual, { inputs: { timestep: "time" } }, /"inputs.timestep": the session has no input "time"/],
    ["one name in two roles", usual, { inputs: { timestep: "sample", sample: "sample" } }, /already has another role/],
    [
      "text embeddings without an encoder",
      ["sample", "timestep", "encoder_hidden_states"],
      {},
      /"encodeCondition": needed to fill "encoder_hidden_states"/,
    ],
    [
      "more inputs without an encoder",
      [...usual, "time_ids"],
      {},
      /"encodeCondition": needed to fill "class_labels", "time_ids"/,
    ],
    [
      "an output it lacks",
      usual,
      { output: "eps" },
      /"output": the session has no output "eps"; its outputs: "out_sample"/,
    ],
    ["an unknown option", usual, { dtype: "f" } as object, /"dtype": unknown option of onnxDenoiser/],
    ["an unknown role", usual, { inputs: { label: "x" } as object }, /"label": unknown option of inputs/],
    ["no function", usual, { modelTime: 3 as never }, /"modelTime": expected a function, got 3/],
  ])("%s is an error that says what there is", (_, names, more, message) => {
    expect(() => make(new FakeSession(names), more)).toThrow(message);
    expect(() => make(new FakeSession(names), more)).toThrow(TypeError);
  });

  test("a prediction that is none is refused", () => {
    const session = new FakeSession(usual);
    expect(() => make(session, { prediction: "eps" as "epsilon" })).toThrow(/"prediction": expected one of "epsilon"/);
    expect(() => make(session, { prediction: {} as never })).toThrow(TypeError);
    expect(make(session, { prediction: { skip: () => 1, out: () => 0 } }).prediction).toHaveProperty("skip");
  });

  test.each([
    [undefined, TypeError, /"condition": expected 2 labels/],
    ["3", TypeError, /"condition"/],
    [[1], RangeError, /"condition": expected 2 labels, one per batch item, got an array of length 1/],
    [[1, -1], RangeError, /"condition\[1\]": expected an integer ≥ 0, got -1/],
    [[0.5, 1], RangeError, /"condition\[0\]": expected an integer ≥ 0, got 0.5/],
  ])("labels %j are refused", async (labels, kind, message) => {
    const session = new FakeSession(usual);
    const run = () => Promise.resolve(make(session).predict({ ...request(), condition: labels }));
    await expect(run()).rejects.toThrow(kind);
    await expect(run()).rejects.toThrow(message);
    expect(session.runs.length).toBe(0);
  });

  test("inputs that encodeCondition leaves out or makes up are named", async () => {
    const session = new FakeSession(usual);
    await expect(make(session, { encodeCondition: () => ({}) }).predict(request())).rejects.toThrow(
      /nothing for the input "class_labels"/,
    );
    const label = new ort.Tensor("int64", new BigInt64Array(2), [2]);
    const run = make(session, { encodeCondition: () => ({ class_labels: label, label }) }).predict(request());
    await expect(run).rejects.toThrow(/the session has no input "label"/);
  });
});

describe("what a session gives", () => {
  test.each<[string, TensorLike | undefined, RegExp]>([
    ["nothing", undefined, /no output "out_sample"/],
    [
      "twice the channels",
      new ort.Tensor("float32", new Float32Array(12), [2, 6]),
      /output "out_sample": expected float32 or float16 \[2, 3\], as the sample, got float32 \[2, 6\]/,
    ],
    ["another type", new ort.Tensor("int64", new BigInt64Array(6), [2, 3]), /got int64 \[2, 3\]/],
    ["too few values", { type: "float32", dims: [2, 3], data: new Float32Array(5) }, /got 5 values/],
  ])("%s is an error", async (_, tensor, message) => {
    const session = new FakeSession(usual);
    session.answer = () => (tensor === undefined ? {} : { out_sample: tensor });
    await expect(make(session).predict(request())).rejects.toThrow(message);
  });
});

describe("the queue", () => {
  test("runs of one session wait for each other, also across denoisers", async () => {
    const session = new FakeSession(usual);
    const [a, b] = [make(session), make(session)];
    const runs = [1, 2, 3, 4].map((time) => (time % 2 ? a : b).predict(request(time)));
    await Promise.all(runs);
    expect(session.runs.map((run) => Number(run.timestep?.data[0]))).toEqual([1, 2, 3, 4]);
  });

  test("runs of two sessions of one runtime do too", async () => {
    const [first, second] = [new FakeSession(usual), new FakeSession(usual)];
    const seen: number[] = [];
    for (const session of [first, second]) {
      const answer = session.answer;
      session.answer = (feeds) => {
        seen.push(first.active + second.active);
        return answer(feeds);
      };
    }
    await Promise.all([first, second, first].map((session) => make(session).predict(request())));
    expect(seen).toEqual([1, 1, 1]);
  });

  test("a run that fails leaves the queue usable", async () => {
    const session = new FakeSession(usual);
    const denoiser = make(session);
    const answer = session.answer;
    session.answer = () => {
      session.answer = answer;
      throw new Error("out of memory");
    };
    const runs = [denoiser.predict(request()), denoiser.predict(request())];
    await expect(runs[0]).rejects.toThrow("out of memory");
    expect((await runs[1])?.length).toBe(6);
  });

  test("a request that is aborted while it waits is dropped, and nobody overtakes", async () => {
    const session = new FakeSession(usual);
    const denoiser = make(session);
    const controller = new AbortController();
    const reason = new Error("changed my mind");
    const first = denoiser.predict(request(1));
    const second = denoiser.predict({ ...request(2), signal: controller.signal });
    const third = denoiser.predict(request(3));
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    await Promise.all([first, third]);
    expect(session.runs.map((run) => Number(run.timestep?.data[0]))).toEqual([1, 3]);
    await expect(denoiser.predict({ ...request(4), signal: controller.signal })).rejects.toBe(reason);
    expect(session.runs.length).toBe(2);
  });
});

describe("the bundled network", () => {
  let session: ort.InferenceSession;
  beforeAll(async () => {
    session = await openSession("models/digits/unet/model.onnx");
  });
  afterAll(() => session.release());

  const input = (modelTime: number) => ({
    x: Float32Array.from(digits.sample),
    shape: digits.shape,
    t: (modelTime + 1) / 1000,
    modelTime,
    condition: digits.classLabels,
  });

  // 2e-5 is the tolerance that the reference gives for raw outputs: PyTorch and ONNX Runtime differ by a few 1e-7.
  test.each(digits.raw)("gives PyTorch's output at timestep $timestep", async ({ timestep, output }) => {
    const denoiser = onnxDenoiser<readonly number[]>({ ort, session, prediction: "v_prediction" });
    expect(distance(await denoiser.predict(input(timestep)), output)).toBeLessThan(2e-5);
  });

  test("gives a pair in one batch the bits of two single runs", async () => {
    const denoiser = onnxDenoiser<readonly number[]>({ ort, session, prediction: "v_prediction" });
    const nobody = [10, 10, 10, 10];
    const pair = await denoiser.predictGuided?.({ ...input(400), unconditional: nobody });
    expect(pair?.conditional).toEqual(await denoiser.predict(input(400)));
    expect(pair?.unconditional).toEqual(await denoiser.predict({ ...input(400), condition: nobody }));
  });
});

describe("a network that is not ours (a tiny Stable Diffusion)", () => {
  interface Stored {
    file: string;
    offset: number;
    length: number;
    stride: number;
    shape: number[];
  }
  const folder = "test/fixtures/tiny-sd/";
  const { unet } = JSON.parse(readFileSync(repository(`${folder}reference.json`), "utf8")).graphs;
  const array = ({ file, offset, length }: Stored): Float32Array => {
    const bytes = readFileSync(repository(folder + file)).subarray(4 * offset, 4 * (offset + length));
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  };

  test("answers by options alone: scalar timestep, text embeddings, height other than width", async () => {
    const session = await openSession(`${folder}model/unet/model.onnx`);
    const { sample, timestep, encoder_hidden_states: text } = unet.inputs;
    const denoiser = onnxDenoiser<Float32Array>({
      ort,
      session,
      prediction: "epsilon",
      encodeCondition: (c, batch) => ({
        encoder_hidden_states: new ort.Tensor("float32", c as Float32Array, [batch, ...text.shape.slice(1)]),
      }),
    });
    const request = { x: array(sample), shape: sample.shape, t: (timestep + 1) / 1000, modelTime: timestep };
    const output = await denoiser.predict({ ...request, condition: array(text) });
    // 1e-5 is what the reference asks of one call; onnxruntime-web was seen at 9.5e-7.
    expect(distance(output, array(unet.outputs.out_sample))).toBeLessThan(1e-5);
    await session.release();
  });
});
