// Throughput of the batching server against calling the network in the same batches directly.
//   npm run bench:server -- [--requests 64] [--clients 32] [--rounds 3] [--max-items 32] [--json FILE]
// The clients are a thread of their own; with a processor of their own, what is measured is the server.
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import * as ort from "onnxruntime-web";
import { type Batch, createBatcher } from "../examples/server/batcher.js";
import { loadDigits } from "../examples/server/digits.js";
import { createHandler } from "../examples/server/handler.js";
import { listen } from "../examples/server/listen.js";
import { spread } from "./support/measure.ts";
import { digits, options, Report, root } from "./support/report.ts";

const given = options({ requests: "64", clients: "32", rounds: "3", "max-items": "32", json: "" });
const [requests, clients, rounds] = [Number(given.requests), Number(given.clients), Number(given.rounds)];
const maxItems = Number(given["max-items"]);
const report = new Report("server", given.json);
ort.env.wasm.numThreads = 1;
const model = await loadDigits({ ort, folder: join(root, "models/digits") });
report.note(
  `models/digits on onnxruntime-web ${ort.env.versions.web}, 1 thread; ${clients} clients, calls of ≤ ${maxItems} items`,
);

let inNetwork = 0;
let direct = 0;
async function timed(batch: Batch) {
  const started = performance.now();
  const output = await model.call(batch);
  return { output, milliseconds: performance.now() - started };
}
const twice = {
  ...model,
  /** Makes each call once more for itself, at once: what else runs on the machine slows both alike. It is not the server's time. */
  async call(batch: Batch) {
    const served = await timed(batch);
    inNetwork += served.milliseconds;
    direct += (await timed(batch)).milliseconds;
    return served.output;
  },
};
const batcher = createBatcher({ network: twice, maxItems });
const server = await listen({ handler: createHandler({ model: twice, batcher }), batcher });

// Settings that differ from request to request; the next one is sent when a client has its answer.
const client = `
const { parentPort, workerData: { address, requests, clients } } = require("node:worker_threads");
async function round(first) {
  let next = 0;
  const work = async () => {
    while (next < requests) {
      const i = first + next++;
      const response = await fetch(address + "/sample?class=" + (i % 10) + "&steps=" + (4 + (i % 3)) + "&guidance=" + [7.5, 3, 1][i % 3] + "&seed=" + i);
      if (response.status !== 200) throw new Error(await response.text());
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: clients }, work));
}
parentPort.on("message", async (first) => {
  const started = performance.now();
  await round(first);
  parentPort.postMessage(performance.now() - started);
});`;
const worker = new Worker(client, { eval: true, workerData: { address: server.address, requests, clients } });
const served = (round: number): Promise<number> =>
  new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.postMessage(round * requests);
  });

const ratios: number[] = [];
const shares: number[] = [];
const rows = [];
// The first round warms up and does not count.
for (let round = -1; round < rounds; round++) {
  [inNetwork, direct] = [0, 0];
  const before = batcher.done;
  const inServer = (await served(round + 1)) - direct;
  if (round < 0) continue;
  const [calls, items] = [batcher.done.calls - before.calls, batcher.done.items - before.items];
  const numbers = { inServer, direct, calls, items, share: inNetwork / inServer, ratio: direct / inServer };
  ratios.push(numbers.ratio);
  shares.push(numbers.share);
  const cells = [inServer, direct, items / calls, (1000 * requests) / inServer, numbers.share, numbers.ratio];
  rows.push({ cells: [`${round + 1}`, ...cells.map(digits)], numbers });
}
await worker.terminate();
await server.close();

const head = ["round", "server, ms", "the same calls, ms", "items a call", "requests/s", "in the network", "ratio"];
report.table(
  `${requests} requests of one digit, 4 to 6 steps, guidance 7.5, 3 and 1; PNG answers over HTTP`,
  head,
  rows,
);
report.figure("throughput of the server, of the network's in the same batches", spread(ratios), "", { atLeast: 0.9 });
report.figure("share of the server's time in calls of the network", spread(shares), "");
report.finish();
