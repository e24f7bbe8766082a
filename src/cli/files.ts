// Files that are there whole or not at all.
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Throws unless a file can be put at `path`: its folder is there, and it is not itself a folder. */
export async function checkPlace(option: string, path: string): Promise<void> {
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (!folder?.isDirectory()) throw new Error(`${option}: the folder "${dirname(path)}" does not exist; make it first`);
  const file = await stat(path).catch(() => undefined);
  if (file?.isDirectory()) throw new Error(`${option}: "${path}" is a folder; name a file`);
}

/** Returns whether there is a file at `path`. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** As `checkPlace`; a file that is there may be overwritten with `force` only. */
export async function checkFree(option: string, path: string, force: boolean): Promise<void> {
  await checkPlace(option, path);
  if (!force && (await exists(path))) throw new Error(`${option}: "${path}" is there already; --force overwrites it`);
}

/**
 * Writes a file under another name, waits for the disk, and then renames it, so that nobody ever sees half of it: not after a crash
 * either. It is there when the call returns, without a turn of the event loop.
 */
export function writeWhole(path: string, content: Uint8Array | string): void {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(draft, "w");
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw cause;
  }
}

/** Writes JSON that people can read. */
export function writeJson(path: string, value: unknown): void {
  writeWhole(path, `${JSON.stringify(value, undefined, 2)}\n`);
}
