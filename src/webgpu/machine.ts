// One run's memory on a GPU. Work is recorded and submitted in order; the host waits only in `settle`, and only for what was read.
import type { DeviceBuffers, DeviceMachine, EngineProgram, Slot, Tensor } from "../wasm/engine.ts";
import { mostReads, plannedChecks } from "./analysis.ts";
import { usage } from "./device.ts";
import {
  bitsOf,
  checkCode,
  clipCode,
  groupSize,
  type Kernel,
  linearKernel,
  mostGroups,
  noInstruction,
  type Place,
} from "./kernels.ts";
import { DeviceLostError } from "./lost.ts";

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
  const { queue } = device;
  const length = items * itemLength;
  const bytes = 4 * length;
  const vectors = roundUp(length, 4) / 4;
  const needed = Math.max(1, program.slots) * vectors * 16;
  const most = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
  if (needed > most) {
    throw new RangeError(
      `"shape": ${length} elements need ${needed} bytes in one buffer, and the device allows ${most}; take a smaller batch, or request a device with a larger maxStorageBufferBindingSize`,
    );
  }

  // The table: a range for each dispatch that the program can make.
  const words: number[] = [];
  const coefficientWords: number[] = [];
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
  const place: Place = { vectors, position: (slot) => slot * vectors, coefficient };
  const linear = (kernel: Kernel) => {
    const made = command(kernel.code, kernel.words);
    for (const [index, word] of kernel.coefficients) coefficientWords[index] = made.offset / 4 + word;
    return made;
  };
  const scopes = ["validation", "out-of-memory"] as const;
  for (const scope of scopes) device.pushErrorScope(scope);
  const checks = plannedChecks(program);
  const execs = program.instructions.map((instruction, at) =>
    "operations" in instruction
      ? linear(linearKernel(instruction.operations, place, checks.before.get(at), checks.after.get(at)))
      : undefined,
  );
  /** Commands that only some runs need, each with a range that is written when it is used. */
  const spare = new Map<string, Command>();
  const spareWords = 8;
  for (const code of [checkCode, ...(program.instructions.some((i) => i.kind === "clip") ? [clipCode] : [])]) {
    spare.set(code, command(code, new Array<number>(spareWords).fill(0)));
  }
  const scaling = (slot: Slot, factor: number) =>
    linearKernel([{ out: slot, terms: [{ coefficient: 0, from: slot }] }], { ...place, coefficient: () => factor });
  const scaleCommand = command(scaling(0, 1).code, scaling(0, 1).words);

  const storage = usage.storage | usage.copySource | usage.copyTarget;
  const memory = device.createBuffer({ size: needed, usage: storage });
  const table = device.createBuffer({ size: 4 * (words.length + window), usage: usage.storage | usage.copyTarget });
  const mark = device.createBuffer({ size: 4, usage: storage });
  const group = device.createBindGroup({
    layout: context.layout,
    entries: [
      { binding: 0, resource: { buffer: memory } },
      { binding: 1, resource: { buffer: table, size: 4 * window } },
      { binding: 2, resource: { buffer: mark } },
    ],
  });
  const opened = Promise.all(scopes.map(() => device.popErrorScope())).catch(() => []);
  queue.writeBuffer(table, 0, Uint32Array.from(words));
  queue.writeBuffer(mark, 0, Uint32Array.of(noInstruction));

  /** The instruction behind the last one that was run. */
  let at = 0;
  let encoder: GPUCommandEncoder | undefined;
  /** What the host has just written, while the slot still holds it. */
  let fresh: { readonly slot: Slot; readonly data: Tensor } | undefined;
  let exchange: readonly [x: GPUBuffer, output: GPUBuffer] | undefined;
  let staging: GPUBuffer | undefined;
  let reads: Float32Array[] = [];
  let released = false;

  const record = () => {
    encoder ??= device.createCommandEncoder();
    return encoder;
  };
  const submit = () => {
    if (encoder !== undefined) queue.submit([encoder.finish()]);
    encoder = undefined;
  };
  /** Writes behind all that has been recorded. */
  const put = (buffer: GPUBuffer, offset: number, data: Tensor | Uint32Array) => {
    submit();
    queue.writeBuffer(buffer, offset, data as Float32Array<ArrayBuffer>);
  };
  const dispatch = ({ pipeline, offset }: Command, count: number) => {
    const pass = record().beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group, [offset]);
    pass.dispatchWorkgroups(Math.min(count, mostGroups), Math.ceil(count / mostGroups));
    pass.end();
    fresh = undefined;
  };
  const dispatchSpare = (code: string, list: readonly number[], count = groups) => {
    const made = spare.get(code) as Command;
    put(table, made.offset, Uint32Array.from(list));
    dispatch(made, count);
  };
  const address = (slot: Slot) => 16 * vectors * slot;
  /** Where reads lie in the staging buffer; the mark comes first. */
  const stagingOffset = (index: number) => 16 + index * bytes;

  const stepNow = () => {
    const marked = (instruction: object) => "step" in instruction;
    const next = program.instructions.slice(at).find(marked) ?? program.instructions.findLast(marked);
    return (next as unknown as { step: number }).step;
  };
  let lose: (reason: string) => void = () => {};
  const lost = new Promise<never>((_, reject) => {
    lose = (reason) => reject(new DeviceLostError(stepNow(), reason));
  });
  lost.catch(() => {});
  context.listeners.add(lose);
  /** Throws the loss of the device if it explains an error: it may become known a moment later than what it causes. */
  const blame = async (error: unknown): Promise<never> => {
    await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, 200))]);
    throw error;
  };
  const unsupported = (): never => {
    throw new Error("a run on a GPU cannot be saved");
  };

  return {
    lost,
    allocate: (n) => new Float32Array(n),
    write(slot, data) {
      // Memory that is shared with other threads is refused by some implementations.
      put(memory, address(slot), data.buffer instanceof ArrayBuffer ? data : data.slice());
      fresh = { slot, data };
    },
    read(slot) {
      const data = new Float32Array(length);
      staging ??= device.createBuffer({
        size: roundUp(stagingOffset(mostReads(program)), 8),
        usage: usage.mapRead | usage.copyTarget,
      });
      record().copyBufferToBuffer(memory, address(slot), staging, stagingOffset(reads.length), bytes);
      record().copyBufferToBuffer(mark, 0, staging, 0, 4);
      reads.push(data);
      return data;
    },
    exec(instruction) {
      at = instruction + 1;
      const made = execs[instruction];
      if (made !== undefined) dispatch(made, made.groups);
    },
    scale(slot, factor) {
      put(table, scaleCommand.offset, Uint32Array.from(scaling(slot, factor).words));
      dispatch(scaleCommand, groups);
    },
    clip(to, from, ratio, maxValue) {
      const position = ratio * (itemLength - 1);
      const rank = Math.floor(position);
      const list = [items, itemLength, 4 * vectors * from, 4 * vectors * to, rank];
      dispatchSpare(clipCode, [...list, bitsOf(position - rank), bitsOf(maxValue)], items);
    },
    isFinite(slot, instruction = 0) {
      at = instruction + 1;
      if (fresh?.slot === slot) return fresh.data.every(Number.isFinite);
      const planned = checks.planned.get(instruction)?.has(slot) ?? false;
      if (!planned) dispatchSpare(checkCode, [vectors, slot * vectors, instruction]);
      return true;
    },
    setCoefficient(index, value) {
      put(table, 4 * (coefficientWords[index] as number), Float32Array.of(value));
    },
    async call(x, outputs, ask) {
      const size = roundUp(bytes * outputs.length, 16);
      exchange ??= [device.createBuffer({ size, usage: storage }), device.createBuffer({ size, usage: storage })];
      const [input, output] = exchange;
      for (const i of outputs.keys()) record().copyBufferToBuffer(memory, address(x), input, i * bytes, bytes);
      submit();
      const buffers: DeviceBuffers = { device, x: input, output };
      const answered = await ask(buffers).catch(blame);
      // A run that was given up meanwhile has no memory left.
      if (!answered || released) return answered;
      for (const [i, slot] of outputs.entries()) {
        record().copyBufferToBuffer(output, i * bytes, memory, address(slot), bytes);
      }
      fresh = undefined;
      return true;
    },
    async settle() {
      if (staging === undefined || reads.length === 0) return undefined;
      submit();
      const [list, buffer] = [reads, staging];
      reads = [];
      try {
        await Promise.race([buffer.mapAsync(1), lost]).catch(blame);
        const failure = (await opened).find((error) => error !== null);
        if (failure) throw new Error(`the GPU refuses the run of ${length} elements: ${failure.message}`);
        const mapped = buffer.getMappedRange();
        for (const [i, data] of list.entries()) data.set(new Float32Array(mapped, stagingOffset(i), length));
        const first = new Uint32Array(mapped, 0, 1)[0] as number;
        buffer.unmap();
        return first === noInstruction ? undefined : first;
      } finally {
        if (released) {
          buffer.destroy();
          context.listeners.delete(lose);
        }
      }
    },
    save: unsupported,
    restore: unsupported,
    release() {
      submit();
      released = true;
      for (const buffer of [memory, table, mark, ...(exchange ?? [])]) buffer.destroy();
      // What has been read is still on its way.
      if (reads.length > 0) return;
      staging?.destroy();
      context.listeners.delete(lose);
    },
  };
}
