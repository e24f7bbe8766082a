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

let batches: Batch[] = [];
let inNetwork = 0;
const recording = {
  ...model,
  async call(batch: Batch) {
    // ONNX Runtime copies what it is given: the arrays stay as they are.
    batches.push(batch);
    const started = performance.now();
    const output = await model.call(batch);
    inNetwork += performance.now() - started;
    return output;
  },
};
const batcher = createBatcher({ network: recording, maxItems });
const server = await listen({ handler: createHandler({ model: recording, batcher }), batcher });

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

async function direct(): Promise<number> {
  const started = performance.now();
  for (const batch of batches) await model.call(batch);
  return performance.now() - started;
}

const ratios: number[] = [];
// Within one round: what else runs on the machine slows the network and the rest alike.
const shares: number[] = [];
const rows = [];
// The first round warms up and does not count.
for (let round = -1; round < rounds; round++) {
  batches = [];
  inNetwork = 0;
  const inServer = await served(round + 1);
  const share = inNetwork / inServer;
  const alone = await direct();
  if (round < 0) continue;
  const items = batches.reduce((sum, { times }) => sum + times.length, 0);
  const numbers = { inServer, alone, calls: batches.length, items, share, ratio: alone / inServer };
  ratios.push(numbers.ratio);
  shares.push(share);
  const cells = [inServer, alone, items / batches.length, (1000 * requests) / inServer, share, numbers.ratio].map(
    digits,
  );
  rows.push({ cells: [`${round + 1}`, ...cells], numbers });
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
