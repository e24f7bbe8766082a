// What a user pays before the first step: bytes to load, and the time from import to a plan in a fresh process.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { root } from "./report.ts";

/** Bytes of the WebAssembly module, and of its text in a bundle once gzipped, by encoding; undefined where it is not built. */
export function moduleSize(): { bytes: number; hex: number; base64: number } | undefined {
  const file = join(root, "build/dc-solver.wasm");
  if (!existsSync(file)) return undefined;
  const module = readFileSync(file);
  const text = (encoding: "hex" | "base64") => gzipSync(module.toString(encoding), { level: 9 }).length;
  return { bytes: module.length, hex: text("hex"), base64: text("base64") };
}

/** Writes the library as one minified file and returns where, with its size. */
export async function bundleLibrary(): Promise<{ file: string; bytes: number; gzipped: number }> {
  const file = join(root, "build/bench/library.mjs");
  const { outputFiles } = await build({
    entryPoints: [join(root, "src/index.ts")],
    outfile: file,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    legalComments: "none",
    write: false,
  });
  const contents = outputFiles[0]?.contents ?? new Uint8Array();
  mkdirSync(join(root, "build/bench"), { recursive: true });
  writeFileSync(file, contents);
  return { file, bytes: contents.length, gzipped: gzipSync(contents, { level: 9 }).length };
}

/** Milliseconds from before the import of a bundle to after its first plan, in each of several fresh processes. */
export interface Starts {
  readonly passed: readonly number[];
  /** Processor time, which does not count what other programs take. */
  readonly used: readonly number[];
}

export function firstPlan(file: string, processes: number): Starts {
  const script = `
    const [started, used] = [performance.now(), process.cpuUsage()];
    const { createPlan, vpDiscrete } = await import(${JSON.stringify(pathToFileURL(file).href)});
    createPlan({ schedule: vpDiscrete(), steps: 5 });
    const passed = performance.now() - started;
    const { user, system } = process.cpuUsage(used);
    console.log(JSON.stringify([passed, (user + system) / 1000]));`;
  const starts = Array.from({ length: processes }, () => {
    const text = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
    return JSON.parse(text) as [number, number];
  });
  return { passed: starts.map(([passed]) => passed), used: starts.map(([, used]) => used) };
}
