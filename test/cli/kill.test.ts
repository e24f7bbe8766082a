// A search that is killed, at any moment, leaves whole files or none, and goes on to the bits of one that was left alone.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Start, start } from "../support/cli.ts";
import { randomNumbers } from "../support/problems.ts";
import { tinyFolder, writeFiles } from "../support/tiny-model.ts";

const work = mkdtempSync(join(tmpdir(), "dc-solver-kill-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const at = (name: string): string => join(work, name);

const args = ["--model", "model", "--points", "2", "--holdout", "2", "--reference-steps", "100", "--guidance", "2"];
const search = (out: string, more: readonly string[] = [], o: Partial<Start> = {}) =>
  start(["search", ...args, "--out", out, ...more], { cwd: work, ...o });

let undisturbed: unknown;
/** From the first line on stderr to the end. */
let span: number;

/** Returns what a finished search has found, whatever this run of it cost. */
function found(path: string): unknown {
  const { nfe, ...rest } = JSON.parse(readFileSync(at(path), "utf8"));
  expect(nfe.reference).toBe(200);
  return rest;
}

/** Checks that the files are whole, and returns whether the search came to its end. */
function checkFiles(out: string): boolean {
  const partial = `${out}.partial`;
  if (existsSync(at(partial))) {
    const { finished, found } = JSON.parse(readFileSync(at(partial), "utf8"));
    expect(finished).toBe(false);
    expect(found.length).toBeGreaterThanOrEqual(1);
    expect(found.length).toBeLessThanOrEqual(5);
  }
  if (!existsSync(at(out))) return false;
  expect(found(out)).toEqual(undisturbed);
  return true;
}

const resuming = (out: string) => (existsSync(at(`${out}.partial`)) ? ["--resume"] : []);

async function finish(out: string): Promise<void> {
  const { code, stderr } = await search(out, resuming(out));
  expect(code, stderr).toBe(0);
  expect(found(out)).toEqual(undisturbed);
  expect(existsSync(at(`${out}.partial`))).toBe(false);
}

beforeAll(async () => {
  writeFiles(at("model"), tinyFolder());
  let first = 0;
  const { code } = await search("whole.json", [], { onStderr: () => (first ||= performance.now()) });
  span = performance.now() - first;
  expect(code).toBe(0);
  undisturbed = found("whole.json");
});

test("20 times at a random moment, over and over until it ends", async () => {
  const random = randomNumbers(1);
  let round = 0;
  for (let kills = 0; kills < 20; kills++) {
    const out = `random-${round}.json`;
    let timer: NodeJS.Timeout | undefined;
    const { code, signal } = await search(out, resuming(out), {
      onStderr(_, kill) {
        timer ??= setTimeout(() => kill("SIGKILL"), random() * span);
      },
    });
    clearTimeout(timer);
    expect(code === 0 || signal === "SIGKILL").toBe(true);
    if (checkFiles(out)) round++;
  }
  if (!existsSync(at(`random-${round}.json`))) await finish(`random-${round}.json`);
}, 120_000);

// Before the given call of the file system's, counted from the start of the search; a write gets half of its bytes out first.
const trap = `
const fs = require("node:fs");
let left = Number(process.env.DC_SOLVER_KILL_AT);
for (const name of ["openSync", "writeFileSync", "fsyncSync", "renameSync"]) {
  const original = fs[name];
  fs[name] = (...args) => {
    if (!process.argv.includes("search") || (name === "openSync" && !String(args[0]).endsWith(".tmp")) || left-- > 0) return original(...args);
    if (name === "writeFileSync") original(args[0], args[1].slice(0, args[1].length / 2));
    process.kill(process.pid, "SIGKILL");
    // The signal may take a moment.
    for (;;);
  };
}
require("node:module").syncBuiltinESMExports();
`;

// Each file that is written takes four calls: five for the steps, one for the result.
test.each([0, 1, 2, 3, 8, 9, 10, 11, 20, 21, 22, 23])("before call %i of those that write files", async (call) => {
  writeFileSync(at("trap.cjs"), trap.replace("process.env.DC_SOLVER_KILL_AT", String(call)));
  const out = `call-${call}.json`;
  const { signal, stderr } = await search(out, [], { node: ["--require", at("trap.cjs")] });
  expect(signal, stderr).toBe("SIGKILL");
  expect(checkFiles(out)).toBe(false);
  const steps = existsSync(at(`${out}.partial`))
    ? JSON.parse(readFileSync(at(`${out}.partial`), "utf8")).found.length
    : 0;
  expect(steps).toBe(Math.floor(call / 4));
  await finish(out);
});
