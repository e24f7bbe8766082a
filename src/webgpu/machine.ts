// One run's memory on a GPU. Work is recorded and submitted in order; the host waits only in `settle`, for what was read, and in `call`,
// so that an abort does not find the whole run queued.
import type { DeviceBuffers, DeviceMachine, EngineProgram, Slot, Tensor } from "../wasm/engine.ts";
import { mostReads, plannedChecks } from "./analysis.ts";
import { usage } from "./device.ts";
import { clipCode, clipWords, rescaleCode, rescaleWords } from "./item-kernels.ts";
import { checkCode, checkWords, groupSize, type Kernel, linearKernel, mostGroups, noInstruction } from "./kernels.ts";
import { DeviceLostError } from "./lost.ts";
import { openWork } from "./work.ts";

/** What the machines of one engine share. */
export interface Context {
  readonly device: GPUDevice;
  readonly layout: GPUBindGroupLayout;
  pipeline(code: string): GPUComputePipeline;
  /** Told when the device goes. */
  readonly listeners: Set<(reason: string) => void>;
}

/** Words between two ranges of the table: what dynamic offsets must be multiples of. */
const alignment = 64;
const roundUp = (n: number, multiple: number) => Math.ceil(n / multiple) * multiple;

/**
 * Model calls that may be queued on the GPU; an abort waits for them. To hear that one is done takes up to 6 ms (Deno; 0.4 in Node),
 * which one call at a time would add to every call that is shorter.
 */
const mostAhead = 4;

/** A dispatch: which shader, with which range of the table, over how many work groups. */
interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly offset: number;
  readonly groups: number;
}

export function openMachine(
  context: Context,
  program: EngineProgram,
  items: number,
  itemLength: number,
): DeviceMachine {
  const { device } = context;
  const length = items * itemLength;
  const bytes = 4 * length;
  const vectors = roundUp(length, 4) / 4;
  const needed = Math.max(1, program.slots) * vectors * 16;
  const { maxStorageBufferBindingSize: mostBound, maxBufferSize } = device.limits;
  /** Where reads lie in the staging buffer; the mark comes first. */
  const stagingOffset = (index: number) => 16 + index * bytes;
  const stagingSize = roundUp(stagingOffset(mostReads(program)), 8);
  for (const [size, limit, most] of [
    [needed, "maxStorageBufferBindingSize", Math.min(mostBound, maxBufferSize)],
    [stagingSize, "maxBufferSize", maxBufferSize],
  ] as const) {
    if (size <= most) continue;
    throw new RangeError(
      `"shape": ${length} elements need ${size} bytes in one buffer, and the device allows ${most}; take a smaller batch, or request a device with a larger ${limit}`,
    );
  }

  // The table: a range for each dispatch that the program can make.
  const words: number[] = [];
  let window = alignment;
  const range = (list: readonly number[]) => {
    const first = words.length;
    words.push(...list);
    while (words.length % alignment !== 0) words.push(0);
    window = Math.max(window, words.length - first);
    return first;
  };
  const groups = Math.ceil(vectors / groupSize);
  const command = (code: string, list: readonly number[], count = groups): Command => {
    return { pipeline: context.pipeline(code), offset: 4 * range(list), groups: count };
  };
  const coefficient = (index: number) => Math.fround(program.coefficients[index] as number);
  const place = { vectors, position: (slot: Slot) => slot * vectors, coefficient };
  const linear = ({ code, words }: Kernel) => command(code, words);
  const checks = plannedChecks(program);
  const scaling = (slot: Slot, factor: number) =>
    linearKernel([{ out: slot, terms: [{ coefficient: 0, from: slot }] }], { ...place, coefficient: () => factor });
  const kinds = new Set(program.instructions.map(({ kind }) => kind));

  /** The instruction behind the last one that was run. */
  let at = 0;
  const stepNow = () => {
    const marked = (instruction: object) => "step" in instruction;
    const next = program.instructions.slice(at).find(marked) ?? program.instructions.findLast(marked);
    return (next as unknown as { step: number }).step;
  };
  const work = openWork(device, () => `the run of ${length} elements in step ${stepNow()}`);
  const buffer = (size: number, flags: number) => work.watch(() => device.createBuffer({ size, usage: flags }));
  const storage = usage.storage | usage.copySource | usage.copyTarget;
  const { execs, spare, group, own } = work.watch(() => {
    const execs = program.instructions.map((instruction, i) =>
      "operations" in instruction
        ? linear(linearKernel(instruction.operations, place, checks.before.get(i), checks.after.get(i)))
        : undefined,
    );
    /** Commands that only some runs need, each with a range that is written when it is used. */
    const spare = new Map<string, Command>();
    const codes = [checkCode, ...(kinds.has("clip") ? [clipCode] : []), ...(kinds.has("rescale") ? [rescaleCode] : [])];
    for (const code of codes) spare.set(code, command(code, new Array<number>(8).fill(0)));
    spare.set(scaling(0, 1).code, linear(scaling(0, 1)));
    const memory = device.createBuffer({ size: needed, usage: storage });
    const table = device.createBuffer({ size: 4 * (words.length + window), usage: usage.storage | usage.copyTarget });
    const mark = device.createBuffer({ size: 4, usage: storage });
    const entries = [
      { binding: 0, resource: { buffer: memory } },
      { binding: 1, resource: { buffer: table, size: 4 * window } },
      { binding: 2, resource: { buffer: mark } },
    ];
    return {
      execs,
      spare,
      group: device.createBindGroup({ layout: context.layout, entries }),
      own: { memory, table, mark },
    };
  });
  const { memory, table, mark } = own;
  work.put(table, 0, Uint32Array.from(words));
  work.put(mark, 0, Uint32Array.of(noInstruction));

  /** What the host has just written, while the slot still holds it. */
  let fresh: { readonly slot: Slot; readonly data: Tensor } | undefined;
  /** What calls are lent, by how many outputs they have. */
  const exchange = new Map<number, readonly [x: GPUBuffer, output: GPUBuffer]>();
  /** Calls that the GPU may still be at. */
  const ahead: Promise<unknown>[] = [];
  let staging: GPUBuffer | undefined;
  let reads: Float32Array[] = [];
  let released = false;
  /** What is read when the memory goes back. */
  let last: Promise<number | undefined> | undefined;

  const dispatch = ({ pipeline, offset }: Command, count: number) => {
    const pass = work.encoder().beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group, [offset]);
    pass.dispatchWorkgroups(Math.min(count, mostGroups), Math.ceil(count / mostGroups));
    pass.end();
    fresh = undefined;
  };
  const dispatchSpare = (code: string, list: readonly number[], count = groups) => {
    const made = spare.get(code) as Command;
    work.put(table, made.offset, Uint32Array.from(list));
    dispatch(made, count);
  };
  const address = (slot: Slot) => 16 * vectors * slot;
  let lose: (reason: string) => void = () => {};
  const lost = new Promise<never>((_, reject) => {
    lose = (reason) => reject(new DeviceLostError(stepNow(), reason));
  });
  lost.catch(() => {});
  context.listeners.add(lose);
  /** Throws what explains an error, the loss of the device or a refusal: both may become known a moment later than what they cause. */
  const blame = async (error: unknown): Promise<never> => {
    await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, 200))]);
    await work.accepted();
    throw error;
  };
  const unsupported = (): never => {
    throw new Error("a run on a GPU cannot be saved or changed");
  };
  const collect = async () => {
    if (staging === undefined || reads.length === 0) return undefined;
    work.submit();
    const [list, from] = [reads, staging];
    reads = [];
    try {
      await Promise.race([from.mapAsync(1), lost]).catch(blame);
      await work.accepted();
      const mapped = from.getMappedRange();
      for (const [i, data] of list.entries()) data.set(new Float32Array(mapped, stagingOffset(i), length));
      const first = new Uint32Array(mapped, 0, 1)[0] as number;
      from.unmap();
      return first === noInstruction ? undefined : first;
    } finally {
      if (released) forget();
    }
  };
  const forget = () => {
    staging?.destroy();
    context.listeners.delete(lose);
  };

  return {
    lost,
    allocate: (n) => new Float32Array(n),
    write(slot, data) {
      // Memory that is shared with other threads is refused by some implementations.
      work.put(memory, address(slot), data.buffer instanceof ArrayBuffer ? data : data.slice());
      fresh = { slot, data };
    },
    read(slot) {
      const data = new Float32Array(length);
      staging ??= buffer(stagingSize, usage.mapRead | usage.copyTarget);
      work.encoder().copyBufferToBuffer(memory, address(slot), staging, stagingOffset(reads.length), bytes);
      work.encoder().copyBufferToBuffer(mark, 0, staging, 0, 4);
      reads.push(data);
      return data;
    },
    exec(instruction) {
      at = instruction + 1;
      const made = execs[instruction];
      if (made !== undefined) dispatch(made, made.groups);
    },
    scale(slot, factor) {
      const { code, words } = scaling(slot, factor);
      dispatchSpare(code, words);
    },
    clip(to, from, ratio, maxValue, limit) {
      const places = [4 * place.position(from), 4 * place.position(to)] as const;
      dispatchSpare(clipCode, clipWords({ items, itemLength }, places, { ratio, maxValue, limit }), items);
    },
    rescale(slot, like, share) {
      const places = [4 * place.position(slot), 4 * place.position(like)] as const;
      dispatchSpare(rescaleCode, rescaleWords({ items, itemLength }, ...places, share), items);
    },
    isFinite(slot, instruction = 0) {
      at = instruction + 1;
      if (fresh?.slot === slot) return fresh.data.every(Number.isFinite);
      const planned = checks.planned.get(instruction)?.has(slot) ?? false;
      if (!planned) dispatchSpare(checkCode, checkWords(place, slot, instruction));
      return true;
    },
    async call(x, outputs, ask) {
      const made = exchange.get(outputs.length);
      const size = roundUp(bytes * outputs.length, 16);
      const [input, output] = made ?? [buffer(size, storage), buffer(size, storage)];
      if (made === undefined) {
        exchange.set(outputs.length, [input, output]);
        // Not for the network to run on memory that is not there.
        await Promise.race([work.accepted(), lost]);
      }
      for (const i of outputs.keys()) work.encoder().copyBufferToBuffer(memory, address(x), input, i * bytes, bytes);
      work.submit();
      const buffers: DeviceBuffers = { device, x: input, output };
      let answered = false;
      try {
        answered = await ask(buffers);
      } catch (error) {
        await blame(error);
      }
      ahead.push(device.queue.onSubmittedWorkDone().catch(() => {}));
      if (ahead.length >= mostAhead) await Promise.race([ahead.shift(), lost]);
      // A run that was given up meanwhile has no memory left.
      if (!answered || released) return answered;
      for (const [i, slot] of outputs.entries()) {
        work.encoder().copyBufferToBuffer(output, i * bytes, memory, address(slot), bytes);
      }
      fresh = undefined;
      return true;
    },
    settle: () => last ?? collect(),
    setCoefficient: unsupported,
    save: unsupported,
    restore: unsupported,
    release() {
      work.submit();
      released = true;
      for (const one of [memory, table, mark, ...[...exchange.values()].flat()]) one.destroy();
      // What has been read is still on its way, and nobody may come for it.
      if (reads.length === 0) return forget();
      last = collect();
      last.catch(() => {});
    },
  };
}
