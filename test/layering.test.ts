// What the design says about the sources as texts: which way imports go, and what may compute a number.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Bottom to top. Those of one line are entries beside each other, and do not import each other. */
const layers: readonly (readonly string[])[] = [
  ["wasm"],
  ["check.ts", "version.ts"],
  ["diffusion"],
  ["plan"],
  ["solvers"],
  ["denoisers"],
  ["sampling"],
  ["compensation"],
  ["diffusers", "onnx", "workerd", "webgpu", "index.ts"],
  ["cli"],
];
const partOf = (path: string) => path.split("/")[0] as string;
const level = (path: string) => layers.findIndex((parts) => parts.includes(partOf(path)));

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".ts"))
  // Generated: the module's bytes.
  .filter((path) => path !== "wasm/bytes.ts")
  .map((path) => ({ path, text: readFileSync(join(root, "src", path), "utf8") }));

/** Returns a source without comments and without the text of its strings; what is in `${…}` stays. */
function code(text: string): string {
  const parts = /\/\/.*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return text.replace(parts, (part) =>
    part.startsWith("`") ? `(${[...part.matchAll(/\$\{([^}]*)\}/g)].map((match) => match[1]).join(", ")})` : '""',
  );
}

/** Returns what a source imports, types too: its relative specifiers as paths in src, the others as they are. */
function imports({ path, text }: { path: string; text: string }): { inside: string[]; outside: string[] } {
  const specifiers = [
    ...text.matchAll(
      /(?:^|[\s;])(?:import|export)\b[^"';]*?from\s*"([^"]+)"|import\(\s*"([^"]+)"\s*\)|^import\s+"([^"]+)"/gm,
    ),
  ].map((match) => (match[1] ?? match[2] ?? match[3]) as string);
  const inside = specifiers
    .filter((s) => s.startsWith("."))
    .map((s) => relative(join(root, "src"), join(root, "src", dirname(path), s)).replaceAll("\\", "/"));
  return { inside, outside: specifiers.filter((s) => !s.startsWith(".")) };
}

describe("imports in src", () => {
  it("are found: the registry's, with types, and a dynamic one", () => {
    const found = imports({
      path: "a/b.ts",
      text: 'import * as c from "./c.ts";\nimport type { D } from "../d.ts";\nexport { type E, e } from "../e/f.ts";\nimport "g";\nconst h = await import("./h.ts");\n',
    });
    expect(found).toEqual({ inside: ["a/c.ts", "d.ts", "e/f.ts", "a/h.ts"], outside: ["g"] });
    const registry = sources.find(({ path }) => path === "solvers/index.ts");
    expect(imports(registry as { path: string; text: string }).inside).toContain("plan/plan.ts");
  });

  it("only name parts that the list of layers has", () => {
    expect(sources.map(({ path }) => path).filter((path) => level(path) === -1)).toEqual([]);
  });

  it("go upward only", () => {
    const wrong = sources.flatMap((source) =>
      imports(source)
        .inside.filter((to) => partOf(to) !== partOf(source.path) && level(to) >= level(source.path))
        .map((to) => `${source.path} imports ${to}`),
    );
    expect(wrong).toEqual([]);
  });

  it("name no package and no module of a runtime, but for the command line", () => {
    const wrong = sources
      .filter(({ path }) => partOf(path) !== "cli")
      .flatMap((source) => imports(source).outside.map((to) => `${source.path} imports ${to}`));
    expect(wrong).toEqual([]);
  });

  it("never go round in a circle", () => {
    const next = new Map(sources.map((source) => [source.path, imports(source).inside]));
    const done = new Set<string>();
    const visit = (path: string, way: readonly string[]): void => {
      if (way.includes(path)) throw new Error(`${[...way, path].join(" → ")}`);
      if (done.has(path)) return;
      for (const to of next.get(path) ?? []) visit(to, [...way, path]);
      done.add(path);
    };
    for (const { path } of sources) visit(path, []);
    expect(done.size).toBeGreaterThanOrEqual(sources.length);
  });
});

describe("arithmetic in src", () => {
  const host = sources
    .filter(({ path }) => partOf(path) !== "cli")
    .map(({ path, text }) => ({ path, code: code(text) }));
  // What IEEE 754 or the language defines to the last bit. exp, log, pow, sin and their kin have other bits in other engines.
  const exact = ["PI", "abs", "ceil", "floor", "fround", "imul", "max", "min", "round", "sign", "sqrt", "trunc"];

  it("is recognised beside comments and texts", () => {
    expect(code('a(); // Math.exp\n/* Math.log */ b("Math.sin", `Math.cos $' + "{Math.tan(1)}`)")).toBe(
      'a(); ""\n"" b("", (Math.tan(1)))',
    );
  });

  it("uses of Math only what has the same bits everywhere", () => {
    const used = host.flatMap(({ path, code }) =>
      [...code.matchAll(/\bMath\b(?:\.(\w+))?/g)].map((match) => ({ path, name: match[1] })),
    );
    expect(used.length).toBeGreaterThan(10);
    expect(used.filter(({ name }) => name === undefined || !exact.includes(name))).toEqual([]);
  });

  it("raises nothing to a power but integers as they are written", () => {
    const powers = host.flatMap(({ path, code }) =>
      [...code.matchAll(/.*\*\*.*/g)].map((match) => ({ path, line: match[0] })),
    );
    const rest = ({ line }: { line: string }) => line.replace(/\b\d+ \*\* -?\d+\b/g, "").includes("**");
    expect(powers.length).toBeGreaterThan(0);
    expect(powers.filter(rest)).toEqual([]);
  });

  it("takes no random number and no clock", () => {
    const wrong = host.filter(({ code }) => /\b(Date|performance|crypto)\b/.test(code)).map(({ path }) => path);
    expect(wrong).toEqual([]);
  });
});

describe("WebAssembly", () => {
  it("is named in src/wasm only, and where it is another library's: src/workerd", () => {
    const named = sources
      .filter(({ path }) => !path.startsWith("workerd/"))
      .filter(({ text }) => /\bWebAssembly\b/.test(code(text)))
      .map(({ path }) => path);
    expect(named).toContain("wasm/module.ts");
    expect(named.filter((path) => partOf(path) !== "wasm")).toEqual([]);
  });

  it("is compiled without managed objects, a runtime or an import", () => {
    const path = join(root, "build/dc-solver.wat");
    if (!existsSync(path)) throw new Error("build/dc-solver.wat is missing: run node tools/build.mjs wasm first");
    const text = readFileSync(path, "utf8");
    expect(text).toMatch(/\(export "exec"/);
    expect(text).not.toMatch(/~lib\/rt/);
    expect(text).not.toMatch(/\(import /);
    const module = new WebAssembly.Module(readFileSync(join(root, "build/dc-solver.wasm")));
    expect(WebAssembly.Module.imports(module)).toEqual([]);
  });
});

it("no file of src is longer than 300 lines", () => {
  const long = sources.map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }));
  expect(long.filter(({ lines }) => lines > 300)).toEqual([]);
});
