// Node, Deno and Bun: the package by its name, the model folder by its file URL.
import * as core from "dc-solver";
import * as diffusers from "dc-solver/diffusers";
import { loadModel } from "dc-solver/onnx";
import * as ort from "onnxruntime-web";
import { scenario } from "../scenario.mjs";

const library = { ...core, ...diffusers };

const folder = new URL("./models/digits/", import.meta.resolve("dc-solver/package.json"));
console.log(JSON.stringify(await scenario(library, { loadModel, ort, folder })));
