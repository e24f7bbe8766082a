// Node, Deno and Bun: programs that run a file.
import { join } from "node:path";
import { modules } from "./support/consumer.mjs";
import { run } from "./support/processes.mjs";

const entry = "entries/host.mjs";

/** Returns a runtime that runs the entry and prints the outcome. */
function host(name, command, options = []) {
  return {
    name,
    async version() {
      const version = /\d+\.\d+\.\d+/.exec(await run(command, ["--version"]))?.[0];
      const major = /\d+$/.exec(name)?.[0];
      if (major !== undefined && !version.startsWith(`${major}.`)) throw new Error(`expected ${name}, got ${version}`);
      return version;
    },
    async run({ folder }) {
      return JSON.parse(await run(command, [...options, entry], { cwd: folder }));
    },
  };
}

const binary = (path) => join(modules, path);

export const hosts = [
  // The others are held against it, so it comes first: the Node that runs this.
  host("Node 20", process.execPath),
  host("Node 22", binary("node-22/bin/node")),
  host("Node 24", binary("node-24/bin/node")),
  host("Deno", binary(".bin/deno"), ["run", "--cached-only", "--no-prompt", "--allow-read"]),
  // Without the option it installs what it does not find.
  host("Bun", binary(".bin/bun"), ["--no-install"]),
];
