// The handler on Bun.serve. Run it: bun examples/server/bun.js [port]
import * as ort from "onnxruntime-web";
import { createBatcher } from "./batcher.js";
import { loadDigits } from "./digits.js";
import { createHandler } from "./handler.js";

ort.env.wasm.numThreads = 1;
const model = await loadDigits({ ort, folder: new URL("../../models/digits/", import.meta.url) });
const batcher = createBatcher({ network: model });
const handler = createHandler({ model, batcher });
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 8080),
  // Seconds: longer than an answer may take.
  idleTimeout: 60,
  fetch: (request) => handler(request),
});
console.log(`http://${server.hostname}:${server.port}/sample?class=3&steps=5&guidance=7.5`);
process.on("SIGTERM", async () => {
  await batcher.close();
  await server.stop();
  process.exit();
});
