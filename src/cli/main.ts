// The command line. Exit codes: 0, 1 (failed), 2 (usage), 130 (interrupted).

import { libraryVersion } from "../version.ts";
import { compareHelp, runCompare } from "./compare.ts";
import { fitHelp, runFit } from "./fit.ts";
import { infoHelp, runInfo } from "./info.ts";
import { runSample, sampleHelp } from "./sample.ts";
import { runSearch, searchHelp } from "./search.ts";
import { interrupted, UsageError } from "./usage.ts";

interface Command {
  help: string;
  run(argv: readonly string[], signal: AbortSignal): Promise<void>;
}

const commands: Record<string, Command> = {
  sample: { help: sampleHelp, run: runSample },
  search: { help: searchHelp, run: runSearch },
  fit: { help: fitHelp, run: runFit },
  compare: { help: compareHelp, run: runCompare },
  info: { help: infoHelp, run: runInfo },
};

function help(): string {
  const lines = Object.values(commands).map((command) => `  ${command.help.split("\n")[0]}`);
  return `dc-solver ${libraryVersion}\n\n${lines.join("\n")}\n\ndc-solver COMMAND --help lists a command's options`;
}

async function main([name, ...argv]: string[]): Promise<number> {
  if (name === "--help" || name === "-h") return print(help());
  if (name === "--version") return print(libraryVersion);
  const command = Object.hasOwn(commands, name ?? "") ? commands[name ?? ""] : undefined;
  if (command === undefined) {
    const problem = name === undefined ? "expected a command" : `unknown command "${name}"`;
    return complain(2, `${problem}; commands: ${Object.keys(commands).join(", ")}. Try dc-solver --help`);
  }
  const controller = new AbortController();
  // Once: without a listener the second Ctrl-C ends the process at once, even in the middle of a model call.
  process.once("SIGINT", () => controller.abort());
  try {
    await command.run(argv, controller.signal);
    return 0;
  } catch (error) {
    if (controller.signal.aborted) return complain(interrupted, "interrupted");
    const text = error instanceof Error ? error.message : String(error);
    if (error instanceof UsageError) return complain(2, `${text}\nTry dc-solver ${name} --help`);
    return complain(1, text);
  }
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function complain(code: number, text: string): number {
  process.stderr.write(`dc-solver: ${text}\n`);
  return code;
}

// A reader that has seen enough (| head) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? 0 : complain(1, `stdout: ${error.message}`)),
);
// Progress that no one can read ends nothing.
process.stderr.on("error", () => {});
process.exitCode = await main(process.argv.slice(2));
