// Importing the built entries, in a process of their own that watches what they touch.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Project, packedProject } from "../support/packed.ts";

let project: Project;
beforeAll(() => {
  project = packedProject();
});
afterAll(() => rmSync(project.folder, { recursive: true, force: true }));

// Everything by which a module could start something, replaced by what notes it down.
const watch = `
  const touched = [];
  const note = (holder, name) => {
    const original = holder[name];
    holder[name] = new Proxy(original, {
      apply: (...call) => (touched.push(name), Reflect.apply(...call)),
      construct: (...call) => (touched.push(name), Reflect.construct(...call)),
    });
  };
  for (const name of Object.getOwnPropertyNames(WebAssembly)) {
    if (typeof WebAssembly[name] === "function") note(WebAssembly, name);
  }
  for (const name of ["fetch", "setTimeout", "setInterval", "setImmediate", "queueMicrotask", "atob", "MessageChannel"]) {
    note(globalThis, name);
  }
  const before = Object.getOwnPropertyNames(globalThis);
`;

function outcome(code: string): unknown {
  const options = ["--input-type=module", "--eval", `${watch}\n${code}`];
  return JSON.parse(
    execFileSync(process.execPath, options, { cwd: project.folder, encoding: "utf8", timeout: 30_000 }),
  );
}

it.each(["dc-solver", "dc-solver/onnx", "dc-solver/diffusers", "dc-solver/webgpu", "dc-solver/workerd"])(
  "importing %s starts nothing and leaves nothing",
  (entry) => {
    const seen = outcome(`
    await import(${JSON.stringify(entry)});
    const globals = Object.getOwnPropertyNames(globalThis).filter((name) => !before.includes(name));
    console.log(JSON.stringify({ touched, globals }));
  `);
    expect(seen).toEqual({ touched: [], globals: [] });
  },
);

it("importing works where there is no WebAssembly at all; the first use says so", () => {
  const message = outcome(`
    delete globalThis.WebAssembly;
    const { vpLinear } = await import("dc-solver");
    await import("dc-solver/onnx");
    await import("dc-solver/workerd");
    try {
      vpLinear().alpha(0.5);
    } catch (error) {
      console.log(JSON.stringify(error.message));
    }
  `);
  expect(message).toMatch(/^this runtime does not compile WebAssembly with SIMD from bytes \(.*\); compile .* useWasm/);
});

it("the module is compiled once, at the first use", () => {
  const touched = outcome(`
    const { vpLinear, gaussianNoise } = await import("dc-solver");
    const schedule = vpLinear();
    const made = [...touched];
    schedule.alpha(0.5);
    gaussianNoise(1, [2, 2]);
    console.log(JSON.stringify([made, touched.filter((name) => name === "Module" || name === "compile")]));
  `);
  expect(touched).toEqual([[], ["Module"]]);
});
