import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fitRatioModel, predictRatios, ratioModelFromJSON } from "../../src/compensation/cpr.ts";
import { searchRatios } from "../../src/compensation/ratio-search.ts";
import { createPlan, mixtureDenoiser, vpLinear } from "../../src/index.ts";
import { type Ended, start } from "../support/cli.ts";

const work = mkdtempSync(join(tmpdir(), "dc-solver-fit-"));
const at = (name: string): string => join(work, name);
const read = (name: string) => JSON.parse(readFileSync(at(name), "utf8"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const schedule = vpLinear();
const denoiser = mixtureDenoiser({ schedule, means: [[1], [-1]], std: [0.3, 0.2], weights: [1, 2] });
const scales = [2, 3, 4];
const counts = [5, 6, 8];
const files = counts.flatMap((steps) => scales.map((w) => `${steps}-${w}.json`));

async function search(file: string, steps: number, guidanceScale: number, options: object = {}): Promise<void> {
  const found = await searchRatios<readonly number[]>({
    plan: createPlan({ schedule, steps, ...options }),
    denoiser,
    shape: [4, 1],
    seed: 0,
    condition: [0, 1, 0, 1],
    unconditional: [-1, -1, -1, -1],
    guidanceScale,
    reference: { steps: 20 },
    maxEvaluations: 3,
  });
  writeFileSync(at(file), JSON.stringify(found));
}
beforeAll(async () => {
  for (const steps of counts) for (const w of scales) await search(`${steps}-${w}.json`, steps, w);
  await search("third.json", 5, 2, { order: 3 });
  await search("linear.json", 5, 2, { dcOrder: 1 });
});

const run = (...args: string[]): Promise<Ended> => start(["fit", ...args], { cwd: work });

describe("fit", () => {
  test("writes the library's model, and says how good it is", async () => {
    const { code, stdout, stderr } = await run(...files);
    expect([code, stderr]).toEqual([0, ""]);
    const observations = files.map(read);
    const model = fitRatioModel(observations);
    expect(read("cpr.json")).toEqual(JSON.parse(JSON.stringify(model)));
    expect(ratioModelFromJSON(read("cpr.json")).rank).toBe(model.rank);
    const distances = observations.flatMap(({ steps, guidanceScale, ratios }) => {
      const predicted = predictRatios(model, { steps, guidanceScale, clamp: false });
      return ratios.slice(2).map((r: number, k: number) => Math.abs(r - (predicted[k + 2] as number)));
    });
    const rms = Math.sqrt(distances.reduce((sum: number, d: number) => sum + d * d, 0) / distances.length);
    expect(stdout).toContain("a model of 9 searches in cpr.json\n");
    expect(stdout).toContain(`rank ${model.rank} of 36`);
    expect(stdout).toContain(`rms ${rms.toExponential(2)}, max ${Math.max(...distances).toExponential(2)} (step `);
    expect(stdout).toContain("range: 5 to 8 steps, guidance 2 to 4\n");
  });

  test("says as JSON what it says, and overwrites with --force only", async () => {
    expect((await run(...files, "--json")).stderr).toBe(
      'dc-solver: --out: "cpr.json" is there already; --force overwrites it\n',
    );
    const { code, stdout } = await run(...files, "--json", "--force", "--degrees", "1,1,1");
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      out: "cpr.json",
      rank: 8,
      unknowns: 8,
      degrees: { step: 1, guidance: 1, steps: 1 },
    });
    expect(files).toContain(result.residuals.at.file);
    expect(result.residuals.max).toBeGreaterThanOrEqual(result.residuals.rms);
    expect(read("cpr.json").coefficients).toEqual(result.coefficients);
  });

  test("says where the files leave the model open", async () => {
    const { stdout } = await run("5-2.json", "--out", "one.json");
    expect(stdout).toMatch(/rank 3 of 36: the files leave the rest open/);
    const { stdout: full } = await run("5-2.json", "--degrees", "2,0,0", "--out", "one.json", "--force");
    expect(full).toMatch(/rank 3 of 3\n/);
  });

  test.each<[string, string[], number, RegExp]>([
    ["no files", [], 2, /expected files that dc-solver search has written, got none/],
    ["degrees that are too few", ["5-2.json", "--degrees", "3,2"], 2, /--degrees: expected 3 numbers/],
    ["half a degree", ["5-2.json", "--degrees", "3,2,0.5"], 2, /--degrees: "degrees\.steps": expected an integer/],
    ["an unknown option", ["5-2.json", "--order", "2"], 2, /'--order'[\s\S]*Options: --out, --degrees, --force/],
    ["a file that is not there", ["none.json"], 1, /"none\.json": ENOENT/],
    [
      "another order",
      ["5-2.json", "third.json"],
      1,
      /"5-2\.json" and "third\.json" differ in "settings\.order": 2 and 3/,
    ],
    [
      "another interpolation",
      ["5-2.json", "linear.json"],
      1,
      /"5-2\.json" and "linear\.json" differ in "dcOrder": 2 and 1/,
    ],
    ["a folder that is not there", ["5-2.json", "--out", "no/cpr.json"], 1, /--out: the folder "no" does not exist/],
    [
      "a model",
      ["5-2.json", "cpr.json"],
      1,
      /"cpr\.json": "kind": expected "dc-solver\/ratios", got "dc-solver\/ratio-model"/,
    ],
  ])("%s: refused", async (_, args, expected, message) => {
    const { code, stdout, stderr } = await run(...args, "--force");
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([expected, ""]);
  });

  test("refuses a file that is cut off by its name", async () => {
    writeFileSync(at("cut.json"), readFileSync(at("5-2.json"), "utf8").slice(0, 100));
    expect((await run("5-2.json", "cut.json", "--force")).stderr).toMatch(/"cut\.json": not JSON, or cut off/);
  });
});
