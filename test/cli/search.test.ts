import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { searchRatios } from "../../src/compensation/ratio-search.ts";
import { ratioSearchFromJSON } from "../../src/compensation/search-json.ts";
import { loadModel } from "../../src/onnx/load-model.ts";
import { type Ended, type Start, start } from "../support/cli.ts";
import { ort } from "../support/networks.ts";
import { tinyFolder, tinyNetwork, writeFiles } from "../support/tiny-model.ts";

const work = mkdtempSync(join(tmpdir(), "dc-solver-search-"));
const at = (name: string): string => join(work, name);
const json = (name: string) => JSON.parse(readFileSync(at(name), "utf8"));
afterAll(() => rmSync(work, { recursive: true, force: true }));
beforeAll(() => void writeFiles(at("model"), tinyFolder()));

const small = ["--model", "model", "--points", "3", "--holdout", "4", "--reference-steps", "20", "--guidance", "2"];
const search = (args: readonly string[], o: Partial<Start> = {}): Promise<Ended> =>
  start(["search", ...small, ...args], { cwd: work, ...o });
const run = (args: readonly string[]): Promise<Ended> => start(args, { cwd: work });

// So many evaluations in the later steps that the signal comes before their end.
const slow = ["--steps", "12", "--tolerance", "1e-12", "--max-evaluations", "60"];

/** Starts a slow search that is stopped with Ctrl-C when its second step is finished, and returns how it ended. */
function stopped(out: string): Promise<Ended> {
  let sent = false;
  return search([...slow, "--out", out], {
    onStderr(all, kill) {
      if (!sent && /^step 2/m.test(all)) {
        sent = true;
        kill("SIGINT");
      }
    },
  });
}

describe("search", () => {
  let first: Ended;
  beforeAll(async () => {
    first = await search(["--seed", "7"]);
  });

  test("writes what the library finds for these seeds and labels, with the network's hash", async () => {
    expect(first.code).toBe(0);
    const model = await loadModel({ ort, folder: at("model") });
    const found = await searchRatios<readonly number[]>({
      plan: model.plan({ steps: 5, ratios: "off" }),
      denoiser: model.denoiser,
      shape: [3, 1, 2, 2],
      seed: [7, 8, 9],
      condition: [0, 1, 0],
      unconditional: [-1, -1, -1],
      guidanceScale: 2,
      reference: { steps: 20 },
      holdout: {
        seed: [10, 11, 12, 13],
        condition: [1, 0, 1, 0],
        unconditional: [-1, -1, -1, -1],
        shape: [4, 1, 2, 2],
      },
    });
    const expected = {
      ...JSON.parse(JSON.stringify(found)),
      settings: { ...JSON.parse(JSON.stringify(found.settings)), model: model.hash() },
      classes: [0, 1, 0],
      holdout: { seeds: [10, 11, 12, 13], classes: [1, 0, 1, 0] },
    };
    expect(json("ratios.json")).toEqual(expected);
    expect(ratioSearchFromJSON(json("ratios.json")).ratios).toEqual(found.ratios);
    await model.dispose();
  });

  test("says what was found, how good it is and what it cost", () => {
    const { ratios, nfe, holdoutMse, holdoutMseWithout } = json("ratios.json");
    expect(first.stdout).toMatch(/^unipc, order 2, 5 steps, guidance 2: ratios in ratios\.json\nstep {3}ratio/);
    for (const [k, ratio] of ratios.entries()) expect(first.stdout).toContain(`   ${k + 1}  ${ratio.toFixed(4)} `);
    expect(first.stdout).toMatch(/final state, 3 points: \d\.\d+e[+-]\d+, without \d\.\d+e[+-]\d+: \d\.\d{3} times\n/);
    const verdict = holdoutMse < holdoutMseWithout ? "" : "; the ratios do not help there";
    expect(first.stdout).toMatch(new RegExp(`held out, 4 points: .* times${verdict}\n`));
    expect(first.stdout).toContain(`model calls: ${nfe.reference} for the reference, ${nfe.search} for the search\n`);
    expect(nfe.reference).toBe(40);
  });

  test("shows on stderr each tenth with the time left, and each step; and leaves nothing but the result", () => {
    const lines = first.stderr.trim().split("\n");
    expect(lines[0]).toMatch(/^\d+ %, reference, \d+ s left$/);
    expect(lines.filter((line) => line.startsWith("step "))).toHaveLength(5);
    expect(lines.at(-1)).toBe("100 %, judging, 0 s left");
    expect(readdirSync(work).sort()).toEqual(["model", "ratios.json"]);
  });

  test("overwrites a result with --force only", async () => {
    const before = readFileSync(at("ratios.json"), "utf8");
    const refused = await search([]);
    expect(refused.stderr).toBe('dc-solver: --out: "ratios.json" is there already; --force overwrites it\n');
    expect(refused.code).toBe(1);
    expect(readFileSync(at("ratios.json"), "utf8")).toBe(before);
    const { code, stdout } = await search(["--force", "--seed", "8", "--holdout", "0", "--json"]);
    expect(code).toBe(0);
    expect(json("ratios.json")).toMatchObject({ seeds: [8, 9, 10], finished: true });
    expect(json("ratios.json").holdoutMse).toBeUndefined();
    expect(JSON.parse(stdout)).toEqual({ out: "ratios.json", ...json("ratios.json") });
  });

  test("hands its options to the library", async () => {
    const args = ["--solver", "dpmpp", "--order", "3", "--dc-order", "1", "--steps", "4", "--bounds", "0.9,1.1"];
    const { code } = await search([
      ...args,
      "--objective",
      "predicted",
      "--reference-solver",
      "unipc",
      "--out",
      "o.json",
    ]);
    expect(code).toBe(0);
    const { ratios, dcOrder, settings, nfe } = json("o.json");
    expect(settings).toMatchObject({ solver: "dpmpp", order: 3, spacing: "time_uniform" });
    expect([ratios.length, dcOrder, nfe.reference]).toEqual([4, 1, 40]);
    expect(ratios.every((r: number) => r >= 0.9 && r <= 1.1)).toBe(true);
  });

  test("takes samplers of other programs by their names there", async () => {
    const { code, stderr } = await search(["--solver", "DPM++ 2M Karras", "--holdout", "0", "--out", "named.json"]);
    expect(code, stderr).toBe(0);
    expect(json("named.json").settings).toMatchObject({ solver: "dpmpp", order: 2, spacing: "karras" });
  });
});

describe("an interrupted search", () => {
  test("ends with 130, keeps the finished steps, and goes on to the same ratios", async () => {
    const { code, stdout, stderr } = await stopped("a.json");
    expect([code, stdout]).toEqual([130, ""]);
    const kept = /"a\.json\.partial" holds (\d+) of 12 steps; go on with --resume\ndc-solver: interrupted\n$/.exec(
      stderr,
    );
    expect(existsSync(at("a.json"))).toBe(false);
    expect(json("a.json.partial")).toMatchObject({ finished: false, classes: [0, 1, 0] });
    expect(json("a.json.partial").found).toHaveLength(Number(kept?.[1]));

    const anew = await search([...slow, "--out", "a.json"]);
    expect(anew.stderr).toMatch(/"a\.json\.partial" holds a search that stopped; go on with --resume, or start anew/);
    const resumed = await search([...slow, "--out", "a.json", "--resume"]);
    expect(resumed.stderr).toMatch(/step 1: .*, 2 model calls\nstep 2: .*, 1 model call\n/);
    expect(resumed.code).toBe(0);
    expect(existsSync(at("a.json.partial"))).toBe(false);
    await search([...slow, "--out", "b.json"]);
    const { nfe: _, ...whole } = json("b.json");
    expect(json("a.json")).toMatchObject(whole);
  });

  test("is not resumed as another one", async () => {
    expect((await stopped("c.json")).code).toBe(130);
    const before = readFileSync(at("c.json.partial"), "utf8");
    const resume = async (...args: string[]) => {
      const { code, stderr } = await search([...slow, "--out", "c.json", "--resume", ...args]);
      expect(code).toBe(1);
      expect(readFileSync(at("c.json.partial"), "utf8")).toBe(before);
      return stderr;
    };
    for (const args of [
      ["--steps", "6"],
      ["--guidance", "3"],
      ["--seed", "1"],
      ["--points", "4"],
      ["--reference-steps", "40"],
      ["--bounds", "0.5,2"],
      ["--order", "3"],
    ]) {
      expect(await resume(...args)).toMatch(
        /--resume: "c\.json\.partial": "resume": expected a search of the same setting/,
      );
    }
    writeFiles(at("other"), tinyFolder(tinyNetwork(Array.from({ length: 12 }, (_, i) => i / 20))));
    expect(await resume("--model", "other")).toMatch(
      /"c\.json\.partial": made with another network: want [0-9a-f]{16}, got/,
    );
    writeFileSync(at("d.json.partial"), before.slice(0, 200));
    expect((await search(["--out", "d.json", "--resume"])).stderr).toMatch(/"d\.json\.partial": not JSON, or cut off/);
    expect((await search(["--out", "e.json", "--resume"])).stderr).toMatch(
      /"e\.json\.partial" is not there; start without/,
    );
  });
});

describe("a command line that is wrong ends with 2 before any model call", () => {
  test.each<[string[], RegExp]>([
    [["--steps", "0"], /--steps: expected an integer ≥ 1/],
    [["--points", "0"], /--points: expected an integer ≥ 1/],
    [["--holdout", "some"], /--holdout: expected an integer ≥ 0, got "some"/],
    [["--objective", "best"], /--objective: expected corrected or predicted, got "best"/],
    [["--reference-steps", "4"], /--reference-steps: expected an integer ≥ 5, got "4"/],
    [["--reference-solver", "oiler"], /"solver": expected one of/],
    [["--solver", "oiler"], /--solver: expected the name of a sampler, .*got "oiler"/],
    [["--bounds", "0.5"], /--bounds: expected 2 numbers separated by commas, got "0.5"/],
    [["--bounds", "1.1,2"], /"bounds": expected an interval around 1/],
    [["--tolerance", "0"], /"tolerance": expected a finite number > 0, got 0/],
    [["--max-evaluations", "65"], /"maxEvaluations": expected an integer from 1 to 64, got 65/],
    [["--holdout", "9007199254740991"], /--holdout: expected at most \d+, got 9007199254740991/],
    [["--seed", "9007199254740991"], /"(holdout\.)?seed\[\d+\]": expected an integer from 0 to 2\^53 − 1/],
    [["--dc-order", "9"], /"plan\.options\.dcOrder": expected an integer from 1 to 8, got 9/],
    [["--order", "2", "--solver", "ddim"], /"order": expected 1, got 2/],
    [["--ratios", "off"], /'--ratios'[\s\S]*Options: --model/],
    [["--out", ""], /--out: expected a file name/],
    [["--provider", "cuda"], /--provider: expected wasm or webgpu, got "cuda"/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await search([...args, ...(args[0] === "--out" ? [] : ["--out", "never.json"])]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/left/);
    expect([code, stdout]).toEqual([2, ""]);
  });

  test("--help lists the options with their defaults", async () => {
    const { code, stdout } = await run(["search", "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/--reference-steps N [^\n]*\(200\)/);
  });
});

describe("sample --ratios FILE", () => {
  const sample = (...args: string[]) =>
    run(["sample", "--model", "model", "--guidance", "2", "--json", "--out", "s.png", ...args]);
  beforeAll(async () => {
    expect((await search(["--out", "five.json"])).code).toBe(0);
  });

  test("takes the ratios of a search for this setting", async () => {
    const { stdout } = await sample("--ratios", "five.json");
    expect(JSON.parse(stdout).ratios).toEqual(json("five.json").ratios);
  });

  test("takes the prediction of a model, as JSON or .npy, inside its range", async () => {
    const fit = await run(["fit", "five.json", "--degrees", "1,0,0", "--out", "model.json"]);
    expect(fit.code).toBe(0);
    const { ratios } = JSON.parse((await sample("--ratios", "model.json")).stdout);
    expect(ratios.slice(0, 2)).toEqual([1, 1]);
    expect(ratios).toHaveLength(5);
    expect((await sample("--ratios", "model.json", "--steps", "6")).stderr).toMatch(
      /--ratios: "model\.json": "steps": expected 5 to 5, the range of the model, got 6/,
    );
    const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (36,), }\n";
    const numbers = new Float64Array(36);
    numbers[8] = 0.75;
    const bytes = Buffer.concat([
      Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length, 0]),
      Buffer.from(header),
      Buffer.from(numbers.buffer),
    ]);
    writeFileSync(at("published.npy"), bytes);
    const { stdout } = await sample("--ratios", "published.npy");
    expect(JSON.parse(stdout).ratios).toEqual([1, 1, 0.75, 0.75, 0.75]);
    writeFileSync(at("short.npy"), bytes.subarray(0, 100));
    expect((await sample("--ratios", "short.npy")).stderr).toMatch(/--ratios: "short\.npy": "bytes": expected/);
  });

  test("refuses ratios of another setting by its name", async () => {
    const refused = async (pattern: RegExp, ...args: string[]) => {
      const { code, stderr } = await sample("--ratios", "five.json", ...args);
      expect(stderr).toMatch(pattern);
      expect(code).toBe(1);
    };
    const made = '--ratios: "five\\.json": made for another setting, ';
    await refused(new RegExp(`${made}"steps": want 6, got 5`), "--steps", "6");
    await refused(new RegExp(`${made}"guidanceScale": want 3, got 2`), "--guidance", "3");
    await refused(new RegExp(`${made}"settings\\.solver": want "dpmpp", got "unipc"`), "--solver", "dpmpp");
    writeFiles(at("third"), tinyFolder(tinyNetwork(Array.from({ length: 12 }, (_, i) => i / 30))));
    await refused(new RegExp(`${made}"settings\\.model": want "[0-9a-f]{16}", got`), "--model", "third");
    const change = (settings: object) => {
      const file = json("five.json");
      writeFileSync(at("changed.json"), JSON.stringify({ ...file, settings: { ...file.settings, ...settings } }));
      return sample("--ratios", "changed.json");
    };
    expect((await change({ spacing: "logSNR" })).stderr).toMatch(
      /"settings\.spacing": want "time_uniform", got "logSNR"/,
    );
    expect((await change({ order: 3 })).stderr).toMatch(/"settings\.order": want 2, got 3/);
    const { options } = json("five.json").settings;
    expect((await change({ options: { ...options, variant: "bh1" } })).stderr).toMatch(
      /"settings\.options\.variant": want "bh2", got "bh1"/,
    );
  });

  test("refuses files that hold no ratios", async () => {
    writeFileSync(at("cut.json"), readFileSync(at("five.json"), "utf8").slice(0, 300));
    expect((await sample("--ratios", "cut.json")).stderr).toMatch(/--ratios: "cut\.json": not JSON, or cut off/);
    expect((await stopped("f.json")).code).toBe(130);
    expect((await sample("--ratios", "f.json.partial")).stderr).toMatch(
      /expected a finished search, got one that stopped/,
    );
  });
});

describe("ratios in the model folder", () => {
  test("are taken by sample where they fit, and shown by info", async () => {
    writeFiles(at("with"), {
      ...tinyFolder(),
      "ratios/index.json": JSON.stringify({ kind: "dc-solver/ratio-index", version: 1, files: ["five.json"] }),
      "ratios/five.json": readFileSync(at("five.json"), "utf8"),
    });
    const ratios = async (...args: string[]) =>
      JSON.parse((await run(["sample", "--model", "with", "--json", "--out", "w.png", ...args])).stdout).ratios;
    expect(await ratios("--guidance", "2")).toEqual(json("five.json").ratios);
    expect(await ratios("--guidance", "2", "--ratios", "off")).toBeNull();
    expect(await ratios("--guidance", "3")).toBeNull();
    const text = async (...args: string[]) =>
      (await run(["sample", "--model", "with", "--guidance", "2", "--out", "w.png", ...args])).stdout;
    expect(await text()).toMatch(/^unipc with compensation: nfe 5, /);
    expect(await text("--ratios", "off")).toMatch(/^unipc: nfe 5, /);
    const { stdout } = await run(["info", "--model", "with"]);
    expect(stdout).toMatch(
      / {2}ratios\/five\.json: search for 5 steps, guidance 2, unipc order 2, held-out error \d\.\d{3} times that without\n/,
    );
    expect((await run(["info", "--model", "model"])).stdout).toMatch(/ {2}ratios: none\n/);
  });
});
