// What the page is held against: run by the build, in Node, with the same ONNX Runtime.
import * as ort from "onnxruntime-web";
import { sample } from "../src/index.ts";
import { loadModel } from "../src/onnx/index.ts";
import { hashOf, type ServerBits, solverBits } from "./bits.ts";
import { inputsOf, planOf } from "./inputs.ts";
import { defaults } from "./setting.ts";

ort.env.wasm.numThreads = 1;

/** Returns the hashes of this runtime. */
export async function serverBits(folder: string): Promise<ServerBits> {
  const model = await loadModel({ ort, folder });
  const plan = planOf(model, defaults);
  const { data } = await sample({ ...inputsOf(model, defaults), plan, denoiser: model.denoiser });
  await model.dispose();
  return { runtime: `Node ${process.versions.node.split(".")[0]}`, solver: await solverBits(), pictures: hashOf(data) };
}
