// Writes docs/schedulers.md from the scheduler classes and their recorded runs: part of `npm run docs`.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const support = join(root, "test/support");
const bundle = await build({
  entryPoints: [join(support, "schedulers-page.ts")],
  bundle: true,
  format: "esm",
  platform: "node",
  write: false,
  logLevel: "warning",
  // The runs are read from beside the source.
  define: { "import.meta.url": JSON.stringify(pathToFileURL(join(support, "schedulers-page.ts")).href) },
});
const text = Buffer.from(bundle.outputFiles[0].contents).toString("base64");
const { schedulersPage } = await import(`data:text/javascript;base64,${text}`);
writeFileSync(join(root, "docs/schedulers.md"), await schedulersPage());
