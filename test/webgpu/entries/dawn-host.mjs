// Node and Bun: as Deno, with WebGPU from Dawn.
import "./dawn.mjs";

await import("./host.mjs");
