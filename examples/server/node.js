// @ts-check
// The server in Node. Run it: node examples/server/node.js [port]
import * as ort from "onnxruntime-web";
import { createBatcher } from "./batcher.js";
import { loadDigits } from "./digits.js";
import { createHandler } from "./handler.js";
import { listen } from "./listen.js";

// A network this small gains nothing from threads.
ort.env.wasm.numThreads = 1;
const model = await loadDigits({ ort, folder: new URL("../../models/digits/", import.meta.url) });
const batcher = createBatcher({ network: model });
const port = Number(process.argv[2] ?? 8080);
const server = await listen({ handler: createHandler({ model, batcher }), batcher, port });
console.log(`${server.address}/sample?class=3&steps=5&guidance=7.5&seed=1`);
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => server.close());
