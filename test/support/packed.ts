// The package as npm packs it, in a user's project of its own; `npm run build` first.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Returns what npm prints. A development dependency brings an old npm of its own, and npm's scripts find that one first. */
function npm(args: readonly string[]): string {
  const path = process.env.npm_execpath;
  const [command, first] = path === undefined ? ["npm", []] : [process.execPath, [path]];
  return execFileSync(command, [...first, ...args], { cwd: root, encoding: "utf8" });
}

/** A project in a temporary folder whose node_modules hold the unpacked tarball. */
export interface Project {
  folder: string;
  tarball: string;
  /** Where the package is. */
  installed: string;
}

/** Returns a project with the package, and with links to further packages of this checkout. */
export function packedProject(links: readonly string[] = []): Project {
  if (!existsSync(join(root, "dist/index.js"))) throw new Error("dist is missing: run npm run build first");
  const folder = mkdtempSync(join(tmpdir(), "dc-solver-package-"));
  const tarball = join(folder, npm(["pack", "--silent", "--ignore-scripts", "--pack-destination", folder]).trim());
  const modules = join(folder, "node_modules");
  const installed = join(modules, "dc-solver");
  mkdirSync(modules);
  execFileSync("tar", ["-xzf", tarball, "-C", modules]);
  renameSync(join(modules, "package"), installed);
  for (const name of links) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  return { folder, tarball, installed };
}

/** Returns the path of a command of this checkout's dependencies. */
export const command = (name: string): string => join(root, "node_modules/.bin", name);
