// The Node command, as a user starts it.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode } from "fast-png";
import { expect, it, onTestFinished } from "vitest";
import { repository } from "../support/networks.ts";
import { modelFolder, picture, pixelError, reference, runNamed } from "./text-to-image-support.ts";

const command = fileURLToPath(repository("examples/text-to-image/node.js"));
const input = fileURLToPath(repository(`test/fixtures/tiny-sd/${reference.inputPicture.file}`));

/** Runs the command in an empty folder; `interrupt` is a text on stderr upon which it gets SIGINT. */
async function start(args: string[], interrupt?: string) {
  const folder = mkdtempSync(join(tmpdir(), "dc-solver-text-to-image-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const child = spawn(process.execPath, [command, ...args], { cwd: folder });
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    said.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    said.err += chunk;
    if (interrupt !== undefined && said.err.includes(interrupt)) child.kill("SIGINT");
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  return { code, ...said, folder, files: readdirSync(folder).sort() };
}

const png = (path: string) => new Uint8Array(decode(readFileSync(path)).data);

it("writes the picture of a run of the reference", async () => {
  const run = runNamed("ddim-guided");
  const args = ["--model", modelFolder, "--prompt", run.prompt as string, "--scheduler", run.scheduler];
  const { code, err, files, folder } = await start([...args, "--steps", "10", "--seed", "1234", "--preview", "4"]);
  expect({ code, files }).toEqual({ code: 0, files: ["picture.png"] });
  expect(err).toMatch(/denoise: run 10 of 10/);
  expect(
    pixelError(png(join(folder, "picture.png")), picture(run.pictures[0]?.file as string).data),
  ).toBeLessThanOrEqual(1);
});

it("writes one picture for each prompt, from an image, with arguments of the scheduler, one graph in memory at a time", async () => {
  const { code, files, folder } = await start(
    `--model ${modelFolder} --prompt boat --prompt city --negative blurry --image ${input} --strength 0.5 --steps 4 --seed 1,2 --out two.png
     --scheduler DDIMScheduler --set prediction_type=v_prediction --set steps_offset=0 --eta 0.5 --low-memory`.split(
      /\s+/,
    ),
  );
  expect({ code, files }).toEqual({ code: 0, files: ["two-0.png", "two-1.png"] });
  expect(png(join(folder, "two-0.png"))).not.toEqual(png(join(folder, "two-1.png")));
});

it("says what went wrong, by exit code and in one line", async () => {
  const nothing = await start([]);
  expect(nothing).toMatchObject({ code: 2, err: "--model and --prompt are needed; see --help\n" });
  expect(await start(["--nonsense"])).toMatchObject({ code: 2 });
  const steps = await start(["--model", modelFolder, "--prompt", "a", "--steps", "many"]);
  expect(steps).toMatchObject({ code: 2, err: '--steps: expected a number, got "many"\n' });
  const missing = await start(["--model", "nowhere", "--prompt", "a"]);
  expect(missing.code).toBe(1);
  expect(missing.err).toMatch(/^"model_index.json": cannot be read: ENOENT[^\n]*\n$/);
  const wrong = await start(["--model", modelFolder, "--prompt", "a", "--width", "30"]);
  expect(wrong).toMatchObject({ code: 1, err: '"width": expected a multiple of 4, got 30\n', files: [] });
  const plain = ["--model", modelFolder, "--prompt", "a"];
  const folder = await start([...plain, "--out", "nowhere/picture.png"]);
  expect(folder).toMatchObject({ code: 2, err: '--out: there is no folder "nowhere"\n' });
  expect(await start([...plain, "--out", "."])).toMatchObject({
    code: 2,
    err: '--out: expected a file, got the folder "."\n',
  });
  const image = await start([...plain, "--image", command]);
  expect(image).toMatchObject({ code: 1, err: `"${command}": wrong PNG signature\n` });
  expect((await start(["--help"])).out).toMatch(/--low-memory/);
});

it("ends at once when it is interrupted, without a picture", async () => {
  const args = ["--model", modelFolder, "--prompt", "a", "--scheduler", "DDIMScheduler", "--steps", "500"];
  const { code, files } = await start(args, "denoise: run 3");
  expect({ code, files }).toEqual({ code: 130, files: [] });
});
