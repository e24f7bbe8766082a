// A server of the examples on this machine, and clients that behave well or badly.
import { connect, type Socket } from "node:net";
import { createPlan, type Denoiser, vpLinear } from "dc-solver";
import { onTestFinished } from "vitest";
import { type Batch, createBatcher } from "../../examples/server/batcher.js";
import { createHandler, type Model } from "../../examples/server/handler.js";
import { listen } from "../../examples/server/listen.js";

const schedule = vpLinear();

/** Returns a model of a few operations a number, in which an item knows nothing of the rest of its batch. */
export function arithmetic(shape = [1, 4, 5]): Model {
  const size = shape.reduce((a, b) => a * b);
  return {
    prediction: "epsilon",
    shape,
    labels: 10,
    plan: ({ guidanceScale: _, ...options }) => createPlan({ schedule, ...options }),
    async call({ x, times, labels }: Batch) {
      return x.map((v, i) => {
        const item = Math.floor(i / size);
        return (v * (times[item] as number)) / 1500 + ((labels[item] as number) - (i % size)) / 50;
      });
    },
  };
}

/** Returns the model as a denoiser of one run. */
export function denoiserOf(model: Model): Denoiser<readonly number[]> {
  return {
    prediction: model.prediction,
    predict({ x, shape, modelTime, condition = [] }) {
      const times = Array<number>(shape[0] as number).fill(modelTime);
      return model.call({ x, shape: [...shape], times, labels: [...condition] });
    },
  };
}

/** A model whose calls wait until they are let through, and what they were asked. */
export function gated(model = arithmetic()) {
  const calls: Batch[] = [];
  const waiting: (() => void)[] = [];
  let open = false;
  return {
    ...model,
    calls,
    async call(batch: Batch) {
      calls.push(batch);
      if (!open) await new Promise<void>((resolve) => void waiting.push(resolve));
      return model.call(batch);
    },
    /** Lets one call through. */
    pass: () => waiting.shift()?.(),
    open() {
      open = true;
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}

type Limits = Partial<Parameters<typeof createBatcher>[0]> &
  Partial<Parameters<typeof createHandler>[0]> &
  Partial<Parameters<typeof listen>[0]>;

/** Returns a server that ends with the test, and what its handler reported. */
export async function start(model: Model, limits: Limits = {}) {
  const batcher = createBatcher({ network: model, ...limits });
  const reported: unknown[] = [];
  const handler = createHandler({ model, batcher, report: (error) => void reported.push(error), ...limits });
  const server = await listen({ handler, batcher, ...limits });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= server.close(200);
    return closed;
  };
  onTestFinished(async () => {
    if ("open" in model && typeof model.open === "function") model.open();
    await close();
  });
  const get = (query: string, init?: RequestInit) => fetch(`${server.address}/sample?${query}`, init);
  const post = (body: string) => fetch(`${server.address}/sample`, { method: "POST", body });
  return { batcher, handler, reported, address: server.address, close, get, post };
}

/** Returns the text of an answer's error. */
export async function errorOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: string }).error;
}

/** Returns the numbers of an answer. */
export async function numbers(response: Response): Promise<Float32Array> {
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return new Float32Array(await response.arrayBuffer());
}

/** Returns once something holds. */
export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`never: ${holds}`);
}

/** Returns a connection that has sent some text. */
export async function dial(address: string, text: string): Promise<Socket> {
  const socket = connect({ port: Number(new URL(address).port), host: "127.0.0.1" });
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => socket.write(text, resolve));
  return socket;
}

/** Returns all that a connection receives until its end. */
export function hear(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    socket.on("data", (chunk) => {
      heard += chunk.toString("latin1");
    });
    socket.on("close", () => resolve(heard));
  });
}
