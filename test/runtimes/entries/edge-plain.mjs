// An edge worker whose bundler does not know the condition `workerd`: it has the build that compiles from bytes, which is forbidden.
import * as library from "dc-solver";
import module from "dc-solver/dc-solver.wasm";
import { scenario } from "../scenario.mjs";
import { refusals } from "./refusals.mjs";

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
