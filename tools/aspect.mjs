// Runs the AssemblyScript unit tests. as-pect resolves configuration entries against the file's own folder,
// so the configuration is copied to build/ with its paths moved up one level.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { asp } from "@as-pect/cli";

const base = JSON.parse(readFileSync(new URL("../as-pect.asconfig.json", import.meta.url), "utf8"));
base.entries = base.entries.map((entry) => `../${entry}`);
mkdirSync(new URL("../build/", import.meta.url), { recursive: true });
writeFileSync(new URL("../build/as-pect.asconfig.json", import.meta.url), JSON.stringify(base));
await asp([process.argv[0], process.argv[1], "--as-config", "./build/as-pect.asconfig.json", ...process.argv.slice(2)]);
