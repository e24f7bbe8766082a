import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { scheduleToJSON } from "../../src/diffusion/schedule.ts";
import { loadModel } from "../../src/onnx/load-model.ts";
import { ort, repository } from "../support/networks.ts";

const paths = ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"] as const;
const folder = repository("models/digits/");
const texts = Object.fromEntries(
  await Promise.all(paths.map(async (path) => [path, await readFile(new URL(path, folder), "utf8")] as const)),
) as Record<(typeof paths)[number], string>;

// A session that takes whatever shape the configuration names: the files are under test, not the network.
const anyNetwork = {
  Tensor: ort.Tensor,
  InferenceSession: {
    create: async () => ({
      inputNames: ["sample", "timestep", "class_labels"],
      outputNames: ["out_sample"],
      run: () => Promise.reject(new Error("never run")),
      release: async () => {},
    }),
  },
};

/** What a loaded folder means: all that a wrong file could change silently. */
async function meaning(files: Record<string, string>): Promise<string> {
  const model = await loadModel({
    ort: anyNetwork,
    folder: async (path) => {
      const text = files[path];
      if (text !== undefined) return new TextEncoder().encode(text);
      if (path.startsWith("ratios/")) throw new Error("no such file");
      return new Uint8Array(4);
    },
  });
  const { shape, labels, denoiser, schedule } = model;
  return JSON.stringify({ shape, labels, prediction: denoiser.prediction, schedule: scheduleToJSON(schedule) });
}

const junk = fc.oneof(
  fc.constantFrom(null, true, "", "epsilon", "linear", "__proto__", [], {}, [null, null], 0, -1, 1e308, 0.5, 28, "28"),
  fc.jsonValue({ maxDepth: 2 }),
);

it("a changed configuration is refused by the file's name, or means exactly what it says", {
  timeout: 60_000,
}, async () => {
  let refused = 0;
  let read = 0;
  const whole = await meaning(texts);
  const key = fc.oneof(
    fc.constantFrom(...paths.flatMap((path) => Object.keys(JSON.parse(texts[path]) as object))),
    fc.constantFrom(
      "__proto__",
      "constructor",
      "trained_betas",
      "rescale_betas_zero_snr",
      "variance_type",
      "use_flow_sigmas",
    ),
    fc.string({ maxLength: 8 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), key, junk, async (path, name, value) => {
      const json = JSON.parse(texts[path]) as Record<string, unknown>;
      Object.defineProperty(json, name, { value, enumerable: true, configurable: true, writable: true });
      try {
        const found = await meaning({ ...texts, [path]: JSON.stringify(json) });
        read++;
        // What the loader does not read cannot change the meaning; what it reads must come back as it was written.
        if (found === whole) return;
        const said = JSON.parse(found) as {
          shape: unknown[];
          labels: number;
          prediction: unknown;
          schedule: Record<string, unknown>;
        };
        const flat = JSON.stringify([value, Number(value) - 1, said.schedule.betas]);
        const changed = JSON.stringify([said.shape, said.labels, said.prediction, said.schedule]);
        expect(
          [...changed.matchAll(/[\d.e+-]+|"[a-z_]+"/g)].some(([token]) => flat.includes(token) || value === null),
        ).toBe(true);
      } catch (error) {
        if (!(error instanceof Error) || error.name === "AssertionError") throw error;
        expect(error.message).toContain(path);
        refused++;
      }
    }),
    { numRuns: 800 },
  );
  expect(refused).toBeGreaterThan(100);
  expect(read).toBeGreaterThan(100);
});

it("a truncated or garbled file is refused by its name", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.nat(), fc.string({ maxLength: 3 }), async (path, at, noise) => {
      const text = texts[path].trimEnd();
      const garbled = text.slice(0, at % text.length) + noise;
      fc.pre(!parses(garbled)); // A brace of the noise may close what was cut.
      await expect(meaning({ ...texts, [path]: garbled })).rejects.toThrow(path);
    }),
    { numRuns: 300 },
  );
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
