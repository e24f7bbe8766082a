// The bundled command line as a user starts it; `npm run build` first.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text as readText } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { decode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planFromJSON } from "../../src/plan/json.ts";

const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "dc-solver-cli-"));
const at = (name: string): string => join(work, name);

beforeAll(() => {
  if (!existsSync(cli)) throw new Error("dist/cli.js is missing: run npm run build first");
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Starts the command line; `onStderr` is called as text comes. */
function start(args: readonly string[], onStderr?: (kill: () => void) => void, file = cli): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], { cwd: work });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (bytes) => {
      stdout += bytes;
    });
    child.stderr.on("data", (bytes) => {
      stderr += bytes;
      onStderr?.(() => child.kill("SIGINT"));
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

test("the build leaves a program that npx can start a second time", () => {
  expect(statSync(cli).mode & 0o100).toBe(0o100);
});

describe("a command line that is wrong ends with 2 and says what is right", () => {
  test.each<[string[], RegExp]>([
    [[], /expected a command; commands: sample, search, fit, compare, info/],
    [["smaple"], /unknown command "smaple"; commands: sample, search, fit, compare, info/],
    [["sample", "--step", "5"], /'--step'[\s\S]*Options: --model, --solver, --steps/],
    [["sample", "--steps", "0"], /--steps: expected an integer ≥ 1, got "0"/],
    [["sample", "--steps", "5.5"], /--steps: expected an integer ≥ 1, got "5.5"/],
    [["sample", "--count", "many"], /--count: expected an integer ≥ 1, got "many"/],
    [["sample", "--count", "1000000000000"], /--count: expected at most \d+, got 1000000000000/],
    [["sample", "--seed", ""], /--seed: expected an integer ≥ 0, got ""/],
    [["sample", "--guidance", "strong"], /--guidance: expected a number, got "strong"/],
    [["sample", "--class", "ten"], /--class/],
    [["sample", "--class", "10"], /--class: expected all or 0 to 9, got 10/],
    [["sample", "--provider", "cuda"], /--provider: expected wasm or webgpu, got "cuda"/],
    [
      ["sample", "--solver", "oiler"],
      /--solver: expected the name of a sampler, such as .*, got "oiler"; this library's own solvers: unipc, dpmpp, /,
    ],
    [
      ["sample", "--solver", "DPM fast"],
      /--solver: .*, got "DPM fast"; not supported: diffusers has no such scheduler/,
    ],
    [
      ["sample", "--solver", "Euler Beta"],
      /--solver: .*, got "Euler Beta"; not supported: createPlan has no such spacing/,
    ],
    [["sample", "extra"], /extra/],
    [["info", "--solver", "oiler"], /--solver: expected the name of a sampler, .*got "oiler"/],
    [["info", "--count", "3"], /'--count'/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await start(args);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
  });
});

describe("what cannot be done ends with 1", () => {
  test.each<[string, string[], RegExp]>([
    [
      "a folder for --out that does not exist",
      ["--out", "no/such/folder/a.png"],
      /--out: the folder "no\/such\/folder" does not exist/,
    ],
    ["an --out that is a folder", ["--out", "."], /is a folder/],
    ["a model that is not there", ["--model", "nowhere"], /"model_index.json": cannot be read/],
    ["ratios that are not there", ["--ratios", "none.json"], /--ratios: "none.json"/],
    ["WebGPU where there is none", ["--provider", "webgpu"], /no WebGPU/],
  ])("%s", async (_, args, message) => {
    const { code, stdout, stderr } = await start(["sample", ...args]);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([1, ""]);
    // Nothing was sampled before.
    expect(stderr).not.toMatch(/model calls/);
    expect(existsSync(at("samples.png"))).toBe(false);
  });

  test("without onnxruntime-web the message is the install command", async () => {
    mkdirSync(at("alone"));
    copyFileSync(cli, at("alone/cli.mjs"));
    const { code, stderr } = await start(["sample"], undefined, at("alone/cli.mjs"));
    expect(stderr).toMatch(/npm install onnxruntime-web/);
    expect(code).toBe(1);
  });
});

describe("help", () => {
  test.each([
    [["--help"], /sample: draws[\s\S]*search: finds[\s\S]*fit: fits[\s\S]*info: runtime/],
    [["sample", "--help"], /--solver "DPM\+\+ 2M Karras"[\s\S]*--guidance W[\s\S]*\(7\.5\)/],
    [["info", "--help"], /--json/],
    [["--version"], /^\d+\.\d+\.\d+\n$/],
  ])("%j is on stdout and ends with 0", async (args, text) => {
    const { code, stdout, stderr } = await start(args);
    expect(stdout).toMatch(text);
    expect([code, stderr]).toEqual([0, ""]);
  });
});

describe("sample", () => {
  test("writes ten digits, says in one line what it cost, and shows progress on stderr", async () => {
    const { code, stdout, stderr } = await start(["sample"]);
    expect(stderr.trim().split("\n")).toEqual([1, 2, 3, 4, 5].map((k) => `${k}/5 model calls`));
    expect(stdout).toMatch(
      /^unipc: nfe 5, \d+\.\d+ s in the model, \d+\.\d+ s in the solver; 10 samples in samples\.png\n$/,
    );
    expect(code).toBe(0);
    const picture = decode(readFileSync(at("samples.png")));
    expect([picture.width, picture.height, picture.channels, picture.depth]).toEqual([280, 28, 1, 8]);
    expect(readdirSync(work).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("says all of it as JSON, and draws the same picture from the same seed", async () => {
    const args = ["sample", "--steps", "3", "--count", "12", "--guidance", "1", "--seed", "7", "--json"];
    const [first, second] = [await start([...args, "--out", "a.png"]), await start([...args, "--out", "b.png"])];
    const result = JSON.parse(first.stdout);
    const classes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1];
    expect(result).toMatchObject({ solver: "unipc", steps: 3, nfe: 3, guidance: 1, seed: 7, classes, out: "a.png" });
    expect([result.width, result.height]).toEqual([280, 56]);
    expect(result.modelSeconds).toBeGreaterThan(0);
    expect(result.solverSeconds).toBeGreaterThan(0);
    expect(second.code).toBe(0);
    expect(readFileSync(at("b.png")).equals(readFileSync(at("a.png")))).toBe(true);
    const { data, width } = decode(readFileSync(at("a.png")));
    // The last eight places of the second row are empty.
    expect(data.subarray(40 * width + 56, 41 * width).every((v) => v === 0)).toBe(true);
  });

  test("takes samplers of other programs by their names there", async () => {
    const args = ["sample", "--steps", "3", "--count", "1", "--json", "--out"];
    const named = await start([...args, "named.png", "--solver", "dpm++ 2m Karras"]);
    expect(named.code, named.stderr).toBe(0);
    expect(JSON.parse(named.stdout)).toMatchObject({ solver: "dpm++ 2m Karras", nfe: 3, ratios: null });
    const plain = await start([...args, "plain.png", "--solver", "dpmpp"]);
    expect(plain.code, plain.stderr).toBe(0);
    // Other times than the solver's own.
    expect(readFileSync(at("named.png")).equals(readFileSync(at("plain.png")))).toBe(false);
  });

  test("takes ratios from a file", async () => {
    writeFileSync(at("ratios.json"), "[1, 1, 0.9]");
    const args = ["sample", "--steps", "3", "--count", "1", "--class", "4", "--ratios", "ratios.json", "--json"];
    expect(JSON.parse((await start(args)).stdout)).toMatchObject({ ratios: [1, 1, 0.9], classes: [4] });
    writeFileSync(at("ratios.json"), "\uFEFF[1, 1, 0.9]\r\n");
    expect(JSON.parse((await start(args)).stdout)).toMatchObject({ ratios: [1, 1, 0.9] });
    writeFileSync(at("ratios.json"), '{"ratios": "all"}');
    expect((await start(args)).stderr).toMatch(/--ratios: "ratios.json": "kind": expected "dc-solver\/ratios" or/);
  });

  const quick = ["sample", "--steps", "1", "--count", "1", "--guidance", "1", "--out"];

  test.skipIf(process.platform === "win32")(
    "writes through links and into pipes, which stay what they are",
    async () => {
      writeFileSync(at("target.png"), "before");
      symlinkSync("target.png", at("link.png"));
      expect((await start([...quick, "link.png"])).code).toBe(0);
      expect(readlinkSync(at("link.png"))).toBe("target.png");
      expect(decode(readFileSync(at("target.png"))).width).toBe(28);
      execFileSync("mkfifo", [at("pipe")]);
      const [{ code }, bytes] = await Promise.all([start([...quick, "pipe"]), readFile(at("pipe"))]);
      expect(code).toBe(0);
      expect(bytes).toEqual(readFileSync(at("target.png")));
      expect(lstatSync(at("pipe")).isFIFO()).toBe(true);
    },
  );

  test("goes on where no one reads its progress", async () => {
    const child = spawn(process.execPath, [cli, ...quick, "unseen.png"], { cwd: work });
    child.stderr.destroy();
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(existsSync(at("unseen.png"))).toBe(true);
  });

  test.skipIf(!existsSync("/dev/full"))("says why its result cannot be printed", async () => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [cli, "--version"], { stdio: ["ignore", full, "pipe"] });
    closeSync(full);
    const [text] = await Promise.all([readText(child.stderr as Readable), once(child, "exit")]);
    expect(text).toMatch(/dc-solver: stdout: ENOSPC/);
    expect(child.exitCode).toBe(1);
  });

  test("Ctrl-C ends it with 130 and leaves no file", async () => {
    const args = ["sample", "--steps", "900", "--count", "1", "--out", "never.png"];
    let killed = false;
    const { code, stdout, stderr } = await start(args, (kill) => {
      if (!killed) kill();
      killed = true;
    });
    expect(stderr).toMatch(/interrupted/);
    expect(stderr).not.toMatch(/900\/900/);
    expect([code, stdout]).toEqual([130, ""]);
    expect(readdirSync(work).filter((name) => name.startsWith("never"))).toEqual([]);
  });
});

describe("info", () => {
  test("says what there is, with the coefficients of a plan", async () => {
    const { code, stdout } = await start(["info", "--solver", "ddim", "--steps", "2"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/SIMD yes/);
    expect(stdout).toMatch(/onnxruntime-web 1\.\d+\.\d+, providers wasm/);
    expect(stdout).toMatch(/parameters: 1045953/);
    expect(stdout).toMatch(/license: MIT/);
    expect(stdout).toMatch(/plan: ddim, 2 steps, 2 model calls/);
    expect(stdout).toMatch(
      /step 1: t 0\.5005 → 0\.001\n {4}v\d+ = x₀ by the network at v\d+, told 499\.\d+\n {4}v\d+ = \d\.\d+ v\d+/,
    );
  });

  test("--json holds a plan that loads", async () => {
    const { stdout } = await start(["info", "--json", "--steps", "4"]);
    const { plan, model, webAssembly } = JSON.parse(stdout);
    expect(planFromJSON(plan).nfe).toBe(4);
    expect(model).toMatchObject({ shape: [1, 28, 28], labels: 10, prediction: "v_prediction" });
    expect(webAssembly.simd).toBe(true);
  });
});
