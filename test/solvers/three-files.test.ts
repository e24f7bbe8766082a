// A new solver is three files: its own, its entry in the registry, its test. In a copy of the sources, the solver that
// docs/adding-a-solver.md shows is added this way, and everything else must find it.
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const copy = mkdtempSync(join(tmpdir(), "dc-solver-three-files-"));
const read = (path: string) => readFileSync(join(copy, path), "utf8");
const node = (...args: string[]) => promisify(execFile)(process.execPath, args, { cwd: copy });

const ownTest = `
import { describe, expect, it } from "vitest";
import { createPlan, vpLinear } from "../../src/index.ts";

describe("my_euler", () => {
  it("has the coefficients of DDIM", () => {
    for (const predict of ["sample", "epsilon"] as const) {
      const [a, b] = ["my_euler", "ddim"].map((solver) =>
        createPlan({ schedule: vpLinear(), steps: 4, solver, predict }).steps.flatMap((s) =>
          s.operations.flatMap((o) => (o.kind === "combine" ? o.terms.map(([c]) => c) : [])),
        ),
      );
      expect(a).toHaveLength((b as number[]).length);
      for (const [i, c] of (a as number[]).entries()) expect(c).toBeCloseTo((b as number[])[i] as number, 12);
    }
  });
});
`;

beforeAll(() => {
  for (const path of ["src", "tools", "docs", "test/support", "test/solvers/order.test.ts", "package.json"]) {
    cpSync(join(repository, path), join(copy, path), { recursive: true });
  }
  for (const path of ["tsconfig.json", "vitest.config.ts"]) cpSync(join(repository, path), join(copy, path));
  symlinkSync(join(repository, "node_modules"), join(copy, "node_modules"), "junction");

  const shown = /```ts\n(import [\s\S]*?)```/.exec(read("docs/adding-a-solver.md"))?.[1] as string;
  const registry = read("src/solvers/index.ts");
  const listed = registry
    .replace(/^import \{ ddim \}/m, 'import { myEuler } from "./my-euler.ts";\n$&')
    .replace(/(solvers: readonly Solver\[\] = \[)/, "$1myEuler, ");
  expect(listed.length).toBeGreaterThan(registry.length + 40);
  writeFileSync(join(copy, "src/solvers/my-euler.ts"), shown);
  writeFileSync(join(copy, "src/solvers/index.ts"), listed);
  writeFileSync(join(copy, "test/solvers/my-euler.test.ts"), ownTest);
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe("a solver that is added in three files", () => {
  it("passes the type check as the documentation shows it", async () => {
    writeFileSync(
      join(copy, "tsconfig.solvers.json"),
      JSON.stringify({ extends: "./tsconfig.json", include: ["src/solvers"] }),
    );
    await node("node_modules/typescript/bin/tsc", "--noEmit", "--project", "tsconfig.solvers.json");
  });

  it("is known to createPlan, and to its message about unknown names", async () => {
    const bundle = await build({
      ...{ entryPoints: [join(copy, "src/index.ts")], outfile: join(copy, "library.mjs"), bundle: true, format: "esm" },
    });
    expect(bundle.errors).toEqual([]);
    const library = (await import(join(copy, "library.mjs"))) as typeof import("../../src/index.ts");
    const plan = library.createPlan({ schedule: library.flow(), steps: 3, solver: "my_euler" });
    expect(plan.nfe).toBe(3);
    expect(plan.options.solver).toBe("my_euler");
    const compensated = library.compensate(plan, [1, 1, 1.2]);
    expect(JSON.stringify(library.planFromJSON(JSON.stringify(compensated)))).toBe(JSON.stringify(compensated));
    expect(() => library.createPlan({ schedule: library.flow(), steps: 3, solver: "?" })).toThrow(/"my_euler"/);
  });

  it("is run through its own test, and through the order test by its registration alone", async () => {
    const files = ["test/solvers/my-euler.test.ts", "test/solvers/order.test.ts"];
    const report = "report.json";
    await node(
      "node_modules/vitest/vitest.mjs",
      "run",
      ...files,
      "-t",
      "my_euler",
      "--reporter=json",
      `--outputFile=${report}`,
    );
    const { testResults } = JSON.parse(read(report)) as {
      testResults: { assertionResults: { status: string; title: string }[] }[];
    };
    const passed = testResults.flatMap((file) => file.assertionResults.filter(({ status }) => status === "passed"));
    expect(passed.map(({ title }) => title).toSorted()).toEqual([
      "has the coefficients of DDIM",
      'my_euler {"order":1}, on edm',
      'my_euler {"order":1}, on flow',
      'my_euler {"order":1}, on vp-linear',
    ]);
  });

  it("is listed and taken by the command line", async () => {
    await build({
      entryPoints: [join(copy, "src/cli/main.ts")],
      outfile: join(copy, "dist/cli.mjs"),
      ...{ bundle: true, format: "esm", platform: "node", target: "es2022", external: ["onnxruntime-web"] },
      define: { LIBRARY_VERSION: '"0"' },
      banner: { js: 'import { createRequire as r } from "node:module";\nconst require = r(import.meta.url);' },
    });
    const model = join(repository, "models/digits");
    const { stdout } = await node(
      "dist/cli.mjs",
      "info",
      "--model",
      model,
      "--solver",
      "my_euler",
      "--steps",
      "2",
      "--json",
    );
    const info = JSON.parse(stdout) as { solvers: string[]; plan: { options: { solver: string } } };
    expect(info.solvers).toContain("my_euler");
    expect(info.plan.options.solver).toBe("my_euler");
  });

  it("is in the generated documentation", async () => {
    await node("tools/docs.mjs");
    expect(read("docs/solvers.md")).toContain("\n## `my_euler`\n\nEuler's method");
  });
});

it("docs/solvers.md is what `npm run docs` writes", async () => {
  const tool = new URL("../../tools/docs.mjs", import.meta.url).href;
  const { solversPage } = (await import(tool)) as { solversPage(): Promise<string> };
  expect(readFileSync(join(repository, "docs/solvers.md"), "utf8")).toBe(await solversPage());
});
