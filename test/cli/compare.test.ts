// The page of `dc-solver compare`, made as users make it: by the bundled command line in a process of its own.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { meanEstimate, ratioEstimate, squaredErrors } from "../../src/cli/compare/statistics.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const cli = join(root, "dist/cli.js");
const work = mkdtempSync(join(tmpdir(), "dc-solver-compare-"));
const at = (name: string): string => join(work, name);

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

function start(args: readonly string[], onStderr?: (kill: () => void) => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, "compare", ...args], { cwd: work });
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

interface Estimate {
  value: number;
  low: number;
  high: number;
}

interface Cell {
  guidance: number;
  solver: string;
  steps: number;
  nfe: number | null;
  ratios: number[] | null;
  error: Estimate | null;
  errors: number[] | null;
  gain: Estimate | null;
  note?: string;
}

const small = ["--count", "2", "--guidance", "1", "--reference-steps", "8"];

beforeAll(() => {
  if (!existsSync(cli)) throw new Error("dist/cli.js is missing: run npm run build first");
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe("a comparison", () => {
  let page = "";
  let cells: Cell[] = [];
  let settings: Record<string, string> = {};

  beforeAll(async () => {
    // A name that would break out of the page if it were put there as it is.
    const model = `digits <i>&"`;
    cpSync(join(root, "models/digits"), at(model), { recursive: true });
    rmSync(join(at(model), "ratios"), { recursive: true, force: true });
    writeFileSync(at("ratios.json"), "[1, 1, 0.9, 1.1]");
    const solvers = "ddim,unipc,dc,unipc@3";
    const options = ["--steps", "4,3", "--solvers", solvers, ...small, "--ratios", "ratios.json", "--model", model];
    const { code, stdout, stderr } = await start([...options, "--out", "a.html", "--json"]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/100 %/);
    expect(stderr).not.toMatch(/warn/i);
    page = readFileSync(at("a.html"), "utf8");
    ({ cells, settings } = JSON.parse(stdout));
  }, 60_000);

  test("says the numbers as JSON, for each solver at each number of calls", () => {
    const names = cells.map(({ solver, steps }) => `${solver} ${steps}`);
    const [three, four] = [3, 4].map((n) => [`ddim ${n}`, `unipc ${n}`, `dc ${n}`, `unipc@3 ${n}`]);
    expect(names).toEqual([...(three as string[]), ...(four as string[])]);
    for (const { error, errors, nfe, steps, note } of cells) {
      if (note !== undefined) continue;
      expect(nfe).toBe(steps);
      expect(errors).toHaveLength(2);
      expect(error).toEqual(meanEstimate(errors as number[]));
      expect(error?.value).toBeGreaterThan(0);
    }
    const [at3, at4] = cells.filter((cell) => cell.solver === "dc");
    expect(at3).toMatchObject({ note: "no ratios for this setting", error: null, ratios: null });
    expect(at4).toMatchObject({ ratios: [1, 1, 0.9, 1.1] });
    const plain = cells.find((cell) => cell.solver === "unipc" && cell.steps === 4);
    expect(at4?.gain).toEqual(ratioEstimate(at4?.errors as number[], plain?.errors as number[]));
    expect(settings).toMatchObject({
      Reference: "UniPC of order 3 with 8 steps, uniform in log-SNR",
      Seeds: "0 to 1",
      Guidance: "1",
    });
  });

  test("has the same numbers in the page's tables", () => {
    const rows = [...page.matchAll(/<th scope="row">([^<]*)<\/th><td class="error"><data value="([^"]*)">/g)];
    const measured = cells.filter((cell) => cell.error !== null);
    expect(rows.map((row) => [row[1], Number(row[2])])).toEqual(measured.map((c) => [c.solver, c.error?.value]));
    expect(page).toMatch(/<th scope="row">dc<\/th><td colspan="3" class="note">no ratios for this setting/);
    expect(page).toMatch(/<caption id="[^"]+">Guidance 1 \(off\)<\/caption>/);
  });

  test("needs no network and no JavaScript", () => {
    expect(page).not.toMatch(/<script|<link|@import|\son\w+=/i);
    const addresses = [...page.matchAll(/(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]{0,40})/gi)].map((m) => m[1]);
    expect(addresses.length).toBeGreaterThan(0);
    expect(addresses.filter((address) => !address?.startsWith("data:image/png;base64,"))).toEqual([]);
  });

  test("is one for light and dark, for phones, for paper and for readers of alternatives", () => {
    expect(page).toMatch(/<html lang="en">/);
    expect(page).toMatch(/<meta name="viewport" content="width=device-width/);
    expect(page).toMatch(/@media \(prefers-color-scheme: dark\)/);
    expect(page).toMatch(/@media print/);
    // One chart of errors and one of ratios; their colours are the page's.
    const charts = [...page.matchAll(/<svg[^>]*>/g)].map((match) => match[0]);
    expect(charts).toHaveLength(2);
    for (const chart of charts) expect(chart).toMatch(/role="img" aria-label="[^"]+"/);
    expect(page).toMatch(/stroke="var\(--series-0\)"/);
    expect(page).not.toMatch(/(?:fill|stroke)="(?:#000|black|white|#fff)"/);
    expect(page).not.toMatch(/<img(?![^>]*alt="[^"]+")/);
  });

  test("shows the pictures beside the reference", () => {
    const strips = [...page.matchAll(/<span>([^<]*)<\/span><img src="data:image\/png;base64,([^"]*)"/g)];
    const of3 = ["reference", "ddim", "unipc", "unipc@3"];
    expect(strips.map((strip) => strip[1])).toEqual([...of3, "reference", "ddim", "unipc", "dc", "unipc@3"]);
    for (const strip of strips) {
      const { width, height } = decode(Buffer.from(strip[2] as string, "base64"));
      expect([width, height]).toEqual([56, 28]);
    }
  });

  test("escapes what comes from outside", () => {
    expect(page).toMatch(/<h1>Solvers on digits &lt;i&gt;&amp;&quot;<\/h1>/);
    expect(page).not.toMatch(/<i>/);
  });

  test("takes samplers of other programs by their names there, and says what they are", async () => {
    const names = "DPM++ 2M Karras,sample_dpmpp_2m,dpmpp";
    const args = ["--steps", "3", "--solvers", names, ...small, "--out", "named.html", "--json"];
    const { code, stdout, stderr } = await start(args);
    expect(code, stderr).toBe(0);
    const named = JSON.parse(stdout) as { settings: Record<string, string>; cells: Cell[] };
    const is = "DPM++ 2M Karras: dpmpp of order 2, spacing karras; sample_dpmpp_2m: dpmpp of order 2; dpmpp";
    expect(named.settings.Solvers).toBe(is);
    expect(named.cells.map(({ solver }) => solver)).toEqual(names.split(","));
    const [karras, uniform, own] = named.cells.map(({ errors }) => errors);
    expect(uniform).toEqual(own);
    expect(karras).not.toEqual(own);
  });

  test("keeps a page that is there, but for --force", async () => {
    const args = ["--steps", "3", "--solvers", "unipc", "--count", "1", "--guidance", "1", "--reference-steps", "4"];
    const { code, stderr } = await start([...args, "--out", "a.html"]);
    expect(stderr).toMatch(/--out: "a.html" is there already; --force overwrites it/);
    expect([code, readFileSync(at("a.html"), "utf8") === page]).toEqual([1, true]);
    const forced = await start([...args, "--out", "a.html", "--force"]);
    expect(forced.stdout).toMatch(/^guidance 1, 3 steps, unipc: \d[\s\S]*the page is a\.html\n$/);
    expect([forced.code, readFileSync(at("a.html"), "utf8") === page]).toEqual([0, false]);
    expect(readdirSync(work).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("what is wrong ends with 2 and says what is right", () => {
  test.each<[string[], RegExp]>([
    [["--solvers", "ddim,oiler"], /--solvers: expected[\s\S]*got "oiler"; this library's own solvers: .*; dc is UniPC/],
    [["--solvers", "ddim,DPM adaptive"], /--solvers: .*got "DPM adaptive"; not supported: it chooses each step/],
    [["--solvers", "unipc@0"], /--solvers: expected an integer ≥ 1, got "0"/],
    [["--solvers", "ddim@2"], /"order"/],
    [["--solvers", "ddim,ddim"], /--solvers: ddim is there twice/],
    [["--steps", "5,,6"], /--steps: expected an integer ≥ 1, got ""/],
    [["--steps", "5,4.5"], /--steps: expected an integer ≥ 1, got "4.5"/],
    [["--steps", "50"], /--reference-steps: expected an integer ≥ 51, got "40"/],
    [["--guidance", "1,strong"], /--guidance: expected a number, got "strong"/],
    [["--count", "0"], /--count: expected an integer ≥ 1, got "0"/],
    [["--seed", "-1"], /--seed/],
    [["--ratios", "off"], /--ratios: expected auto or a file/],
    [["--provider", "cuda"], /--provider: expected wasm or webgpu/],
    [["--outs", "a"], /'--outs'[\s\S]*Options: --model/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await start(args);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
  });
});

describe("what cannot be done ends with 1", () => {
  test.each<[string, string[], RegExp]>([
    ["a folder that is not there", ["--out", "no/such/a.html"], /--out: the folder "no\/such" does not exist/],
    ["a model that is not there", ["--model", "nowhere"], /"model_index.json": cannot be read/],
    ["ratios that are not there", ["--ratios", "none.json"], /--ratios: "none.json"/],
    ["ratios of no use", ["--ratios", "three.json", "--steps", "5"], /--ratios: fits no setting/],
  ])("%s", async (_, args, message) => {
    writeFileSync(at("three.json"), "[1, 1, 0.9]");
    const { code, stdout, stderr } = await start([...args]);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([1, ""]);
    expect(existsSync(at("report.html"))).toBe(false);
  });
});

test("Ctrl-C ends it with 130 and leaves no file", async () => {
  mkdirSync(at("interrupted"));
  let killed = false;
  const few = ["--count", "1", "--guidance", "1", "--solvers", "unipc"];
  const args = ["--steps", "100", "--reference-steps", "101", ...few, "--out", "interrupted/a.html"];
  const { code, stdout, stderr } = await start(args, (kill) => {
    if (!killed) kill();
    killed = true;
  });
  expect(stderr).toMatch(/interrupted/);
  expect([code, stdout]).toEqual([130, ""]);
  expect(readdirSync(at("interrupted"))).toEqual([]);
});

test("--help names solvers, the reference and the default page", async () => {
  const { code, stdout, stderr } = await start(["--help"]);
  expect(stdout).toMatch(/unipc@3[\s\S]*dc@3[\s\S]*UniPC of order 3[\s\S]*\(40\)[\s\S]*\(report\.html\)/);
  expect([code, stderr]).toEqual([0, ""]);
});

test("other commands do not load the charts", () => {
  const text = readFileSync(cli, "utf8");
  expect(text).toMatch(/import\("\.\/cli-plot\.js"\)/);
  expect(text).not.toMatch(/vega/i);
  expect(existsSync(join(root, "dist/cli-plot.js"))).toBe(true);
});

describe("intervals", () => {
  test("are the same each time, hold the mean, and shrink to it where all seeds agree", () => {
    const values = Array.from({ length: 40 }, (_, i) => ((i * 37) % 40) + 1);
    const estimate = meanEstimate(values);
    expect(estimate).toEqual(meanEstimate(values));
    expect(estimate.value).toBeCloseTo(20.5, 12);
    expect(meanEstimate([3, 3, 3])).toEqual({ value: 3, low: 3, high: 3 });
    expect(ratioEstimate(values, values)).toEqual({ value: 1, low: 1, high: 1 });
    expect(ratioEstimate([1, 2, 3], [2, 4, 6])).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
  });

  test("are as wide as the standard error says", () => {
    // Of 1 … 40 the standard deviation is √((40² − 1)/12) = 11.54; of a mean of 40 of them 1.825, ±1.96 of that is 3.58. Two thousand
    // resamples place a quantile of the 2.5 % tail to about ±0.05 standard deviations (√(p(1 − p)/2000)/density), and a mean of 40
    // is nearly normal: 10 % covers both.
    const { low, high } = meanEstimate(Array.from({ length: 40 }, (_, i) => i + 1));
    expect((high - low) / 2).toBeGreaterThan(3.58 * 0.9);
    expect((high - low) / 2).toBeLessThan(3.58 * 1.1);
  });

  test("errors are mean squares of each item", () => {
    const data = Float32Array.of(1, 2, 3, 4);
    expect(squaredErrors(data, Float32Array.of(0, 0, 3, 2), 2)).toEqual([2.5, 2]);
  });
});
