// The batching server with the bundled network, whose rows do not depend on their batch (onnxruntime-web, on the CPU).
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { loadModel } from "dc-solver/onnx";
import * as ort from "onnxruntime-web";
import { expect, it, onTestFinished } from "vitest";
import { loadDigits } from "../../examples/server/digits.js";
import { expectBits } from "../support/runs.ts";
import { numbers, start, until } from "./support.ts";

ort.env.wasm.numThreads = 1;
const folder = fileURLToPath(new URL("../../models/digits", import.meta.url));
const wishes = Array.from({ length: 6 }, (_, i) => ({
  condition: Array.from({ length: 1 + (i % 2) }, (_, k) => ((i + 3 * k) % 11) - 1),
  steps: 2 + (i % 2),
  guidanceScale: [1, 7.5, 3][i % 3] as number,
  seed: i,
}));

it.each([5, 14])("gives each client the bits of a lone sample, from calls of at most %s items", async (maxItems) => {
  const lone = await loadModel({ ort, folder });
  const expected = [];
  for (const wish of wishes) expected.push((await lone.sample(wish)).data);
  const model = await loadDigits({ ort, folder });
  let largest = 0;
  const call: typeof model.call = async (batch) => {
    await until(() => batcher.requests === wishes.length || batcher.done.calls > 0);
    largest = Math.max(largest, batch.times.length);
    return model.call(batch);
  };
  const { get, batcher } = await start({ ...model, call }, { maxItems });
  const answers = wishes.map(({ condition, steps, guidanceScale, seed }) =>
    get(`class=${condition}&steps=${steps}&guidance=${guidanceScale}&seed=${seed}&format=float32`),
  );
  for (const [i, answer] of answers.entries()) expectBits(await numbers(await answer), expected[i] as Float32Array);
  expect(largest).toBeGreaterThan(maxItems / 2);
  expect(largest).toBeLessThanOrEqual(maxItems);
  await lone.dispose();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Returns the address that a server of the examples prints. */
async function address(child: ChildProcess): Promise<string> {
  for await (const chunk of child.stdout ?? []) {
    const found = /http:\/\/[^/]+/.exec(String(chunk));
    if (found !== null) return found[0];
  }
  throw new Error("the server has ended");
}

it("answers all that wait when the process is told to end", async () => {
  const entry = fileURLToPath(new URL("../../examples/server/node.js", import.meta.url));
  const child = spawn(process.execPath, [entry, `${await freePort()}`], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = once(child, "exit");
  const server = await address(child);
  const sample = (i: number) => fetch(`${server}/sample?class=${i}&steps=6&guidance=7.5&seed=${i}`);
  const answers = Array.from({ length: 4 }, (_, i) => sample(i));
  const requests = async () => ((await (await fetch(`${server}/healthz`)).json()) as { requests: number }).requests;
  for (let i = 0; i < 100 && (await requests()) < 4; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill("SIGTERM");
  for (const answer of answers) {
    const response = await answer;
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "image/png"]);
  }
  expect(await ended).toEqual([0, null]);
});
