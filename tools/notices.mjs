// THIRD-PARTY-NOTICES: the licences of everything that ends up inside the package without being ours.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Returns the folder of the package that a bundled file belongs to; undefined for our own files. */
function packageFolder(file) {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];
}

function notice(folder, why) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  if (files.length === 0) throw new Error(`${name} is bundled, but has no licence file`);
  const texts = files.sort().map((file) => readFileSync(join(folder, file), "utf8").trim());
  return [`${name} ${version} (${license}), ${why}`, ...texts].join("\n\n");
}

/** Returns the text of the notices for bundles, an object of their esbuild metafiles by file. */
export function notices(metafiles) {
  const bundles = new Map();
  for (const [file, { inputs }] of Object.entries(metafiles)) {
    for (const folder of new Set(Object.keys(inputs).map(packageFolder))) {
      if (folder !== undefined) bundles.set(folder, [...(bundles.get(folder) ?? []), file]);
    }
  }
  const folders = [...bundles.keys()].sort();
  const bundled = folders.map((folder) => notice(folder, `in ${bundles.get(folder).join(" and ")}`));
  // Its exp, log, pow, sin and cos are compiled into the module.
  const compiled = notice("node_modules/assemblyscript", "its mathematics in the WebAssembly module");
  const line = "─".repeat(80);
  return `dc-solver contains parts of the following software.\n\n${[...bundled, compiled].map((text) => `${line}\n${text}\n`).join("\n")}`;
}
