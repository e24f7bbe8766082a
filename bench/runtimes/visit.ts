// The runtimes of test/runtimes, as far as this machine has them, and a user's project with the packed tarball that they run.
import { cpSync, existsSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../support/report.ts";

/** What one process measured; a figure that its runtime cannot tell is absent. */
export interface Outcome {
  readonly clockMilliseconds: number | null;
  readonly importMilliseconds?: number;
  readonly kernelMicroseconds?: number;
  readonly stepMicroseconds?: number;
  readonly runMilliseconds?: number;
  readonly solverShare?: number;
  readonly memoryAtStart?: number;
  readonly memoryAtEnd?: number;
}

export interface Runtime {
  readonly name: string;
  readonly version: string;
  /** Returns the hash of the test scenario's bits. */
  hash(): Promise<string>;
  measure(): Promise<Outcome>;
}

/** As test/runtimes has them. */
interface TestRuntime {
  readonly name: string;
  version(): Promise<string | undefined>;
  run(project: { folder: string }): Promise<unknown>;
}

/** Imported where they lie, not bundled: they know their place by it. */
const load = (file: string) => import(pathToFileURL(join(root, "test/runtimes", file)).href);

/** Packs the library and installs it in a folder with the entries of this benchmark in place of the test's. */
async function makeProject(): Promise<string> {
  const { makeConsumer } = await load("support/consumer.mjs");
  const folder: string = await makeConsumer();
  for (const name of ["onnxruntime-web", "onnxruntime-common"]) {
    const link = join(folder, "node_modules", name);
    if (existsSync(link)) continue;
    // The test's runtimes are not installed; the development dependency is the same.
    rmSync(link, { force: true });
    symlinkSync(realpathSync(join(root, "node_modules", name)), link);
  }
  const own = join(root, "bench/runtimes");
  cpSync(join(own, "entries"), join(folder, "entries"), { recursive: true });
  cpSync(join(own, "measure.mjs"), join(folder, "measure.mjs"));
  return folder;
}

/** Returns the runtimes that start, and why the others do not. */
export async function findRuntimes(): Promise<{ found: Runtime[]; missing: [string, string][] }> {
  const { hosts } = (await load("hosts.mjs")) as { hosts: TestRuntime[] };
  const { pages } = (await load("browser.mjs")) as { pages: TestRuntime[] };
  const { workers } = (await load("edge.mjs")) as { workers: TestRuntime[] };
  const folder = await makeProject();
  const visit = (runtime: TestRuntime, hashing: boolean) => {
    writeFileSync(join(folder, "entries/settings.mjs"), `export const hashing = ${hashing};\n`);
    return runtime.run({ folder });
  };
  const found: Runtime[] = [];
  const missing: [string, string][] = [];
  for (const runtime of [...hosts, pages[0], workers[0]]) {
    if (runtime === undefined) continue;
    const name = runtime.name.replace(/,.*/, "");
    try {
      const version = await runtime.version();
      if (version === undefined) throw new Error("it tells no version");
      found.push({
        name,
        version,
        hash: async () => ((await visit(runtime, true)) as { hash: string }).hash,
        measure: async () => (await visit(runtime, false)) as Outcome,
      });
    } catch (error) {
      missing.push([name, why(error)]);
    }
  }
  return { found, missing };
}

/** Returns the first line of what went wrong. */
export function why(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0] ?? "";
}
