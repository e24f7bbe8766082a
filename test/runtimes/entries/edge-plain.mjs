// An edge worker whose bundler does not know the condition `workerd`: it has the build that compiles from bytes, which is forbidden.
import * as core from "dc-solver";
import module from "dc-solver/dc-solver.wasm";
import * as diffusers from "dc-solver/diffusers";
import { scenario } from "../scenario.mjs";
import { refusals } from "./refusals.mjs";

const library = { ...core, ...diffusers };

let refused;

export default {
  async fetch() {
    try {
      refused ??= refusals(library);
      library.useWasm(module);
      return Response.json({ ...(await scenario(library)), refused });
    } catch (error) {
      return Response.json({ error: error.stack });
    }
  },
};
