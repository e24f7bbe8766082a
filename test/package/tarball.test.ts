// What npm would publish: right for every resolver, small, and without anything that runs by itself.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command, type Project, packedProject } from "../support/packed.ts";

let project: Project;
let manifest: Record<string, unknown>;
beforeAll(() => {
  project = packedProject();
  manifest = JSON.parse(readFileSync(join(project.installed, "package.json"), "utf8"));
});
afterAll(() => rmSync(project.folder, { recursive: true, force: true }));

/** Returns an app that is this code, bundled and minified; and which files it is made of. */
async function bundle(code: string, conditions: string[] = []): Promise<{ text: string; metafile: Metafile }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: project.folder },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    conditions,
    loader: { ".wasm": "empty" },
    write: false,
    metafile: true,
    logLevel: "error",
  });
  return { text: (outputFiles[0] as { text: string }).text, metafile };
}

describe("resolvers", () => {
  it("publint finds nothing to say, not even a suggestion", async () => {
    const { messages, pkg } = await publint({ pkgDir: project.installed, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it("every entry has types that are those of its code, for nodenext and for bundlers", () => {
    const check = () =>
      execFileSync(command("attw"), [project.tarball, "--profile", "esm-only", "--format", "ascii", "--no-color"], {
        encoding: "utf8",
        stdio: "pipe",
      });
    expect(check).not.toThrow();
  });

  it("types come first, the default last", () => {
    for (const [entry, target] of Object.entries(manifest.exports as Record<string, string | object>)) {
      if (entry === "./package.json") continue;
      const conditions = Object.keys(target);
      expect([entry, conditions[0], conditions.at(-1)]).toEqual([entry, "types", "default"]);
    }
  });
});

describe("size", () => {
  it("the module has at most 60 KB", () => {
    expect(statSync(join(project.installed, "dist/dc-solver.wasm")).size).toBeLessThanOrEqual(60_000);
  });

  it("all of dc-solver, bundled, minified and gzipped, has at most 60 KB", async () => {
    const { text } = await bundle('export * from "dc-solver";');
    expect(gzipSync(text, { level: 9 }).length).toBeLessThanOrEqual(60_000);
  });

  // 4.0 MB of it are the digits network.
  it("the tarball has at most 5 MB", () => {
    expect(statSync(project.tarball).size).toBeLessThanOrEqual(5_000_000);
  });
});

describe("dependencies", () => {
  it("there are none; ONNX Runtime is an optional peer", () => {
    expect(manifest.dependencies).toBeUndefined();
    expect(Object.keys(manifest.peerDependencies as object)).toEqual(["onnxruntime-web"]);
    expect(manifest.peerDependenciesMeta).toEqual({ "onnxruntime-web": { optional: true } });
  });

  it.each([
    ["dc-solver", []],
    ["dc-solver/onnx", []],
    ["dc-solver/diffusers", []],
    ["dc-solver/webgpu", []],
    ["dc-solver/workerd", []],
    ["dc-solver", ["workerd"]],
    ["dc-solver/onnx", ["workerd"]],
    ["dc-solver/diffusers", ["workerd"]],
  ])("%s imports nothing but the package's own files, conditions %j", async (entry, conditions) => {
    // An import that esbuild does not resolve is an error; what it resolved is listed.
    const { metafile } = await bundle(`export * from "${entry}";`, conditions);
    const paths = Object.keys(metafile.inputs).filter((path) => path !== "<stdin>");
    expect(paths.length).toBeGreaterThan(0);
    expect(paths.filter((path) => !path.includes("node_modules/dc-solver/dist/"))).toEqual([]);
    const outside = Object.values(metafile.inputs).flatMap(({ imports }) => imports.filter((i) => i.external));
    expect(outside).toEqual([]);
    expect(paths.some((path) => path.endsWith("/dc-solver.wasm"))).toBe(
      conditions.length > 0 && entry !== "dc-solver/workerd",
    );
  });
});

describe("what an app does not use", () => {
  it("is dropped where it imports one name", async () => {
    const all = (await bundle('export * from "dc-solver";')).text;
    const one = (await bundle('import { gaussianNoise } from "dc-solver"; globalThis.noise = gaussianNoise;')).text;
    // The module's text, which both hold.
    const module = (text: string) => /"0061736d[0-9a-f]+"/.exec(text)?.[0].length ?? Number.NaN;
    expect(module(one)).toBe(module(all));
    expect(one.length - module(one)).toBeLessThan((all.length - module(all)) / 10);
    // A solver, a spacing, an option: nothing of plans is left.
    expect(all).toMatch(/unipc.*time_quadratic|time_quadratic.*unipc/s);
    expect(one).not.toMatch(/unipc|time_quadratic|lowerOrderFinal/);
  });

  it("is dropped whole where it imports no name", async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: 'import "dc-solver"; import "dc-solver/onnx"; import "dc-solver/diffusers";',
        resolveDir: project.folder,
      },
      bundle: true,
      format: "esm",
      write: false,
      logLevel: "silent",
    });
    expect(outputFiles[0]?.text.trim()).toBe("");
  });
});
