// The bundled command line as a user starts it; `npm run build` first.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Start {
  /** Where it runs. */
  cwd: string;
  /** Options of Node itself. */
  node?: readonly string[];
  /** Called as text comes on stderr, with all that has come. */
  onStderr?(all: string, kill: (signal: NodeJS.Signals) => void): void;
}

/** Starts the command line and returns what it did, when it has ended. */
export function start(args: readonly string[], { cwd, node = [], onStderr }: Start): Promise<Ended> {
  if (!existsSync(cli)) throw new Error("dist/cli.js is missing: run npm run build first");
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...node, cli, ...args], { cwd });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (bytes) => {
      stdout += bytes;
    });
    child.stderr.on("data", (bytes) => {
      stderr += bytes;
      onStderr?.(stderr, (signal) => child.kill(signal));
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
