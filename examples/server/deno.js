// The handler on Deno.serve. Run it: deno run --unstable-no-legacy-abort --allow-net --allow-read examples/server/deno.js [port]
import * as ort from "onnxruntime-web";
import { createBatcher } from "./batcher.js";
import { loadDigits } from "./digits.js";
import { createHandler } from "./handler.js";

ort.env.wasm.numThreads = 1;
const model = await loadDigits({ ort, folder: new URL("../../models/digits/", import.meta.url) });
const batcher = createBatcher({ network: model });
const handler = createHandler({ model, batcher });
const onListen = ({ hostname, port }) => console.log(`http://${hostname}:${port}/sample?class=3&steps=5&guidance=7.5`);
const options = { hostname: "127.0.0.1", port: Number(Deno.args[0] ?? 8080), onListen };
const server = Deno.serve(options, (request) => handler(request));
Deno.addSignalListener("SIGTERM", async () => {
  await batcher.close();
  await server.shutdown();
  Deno.exit();
});
