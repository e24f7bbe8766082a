// Files that are there whole or not at all.
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Throws unless a file can be put at `path`: its folder is there and may be written to, and it is not itself a folder. */
export async function checkPlace(option: string, path: string): Promise<void> {
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (!folder?.isDirectory()) throw new Error(`${option}: the folder "${dirname(path)}" does not exist; make it first`);
  const file = await stat(path).catch(() => undefined);
  if (file?.isDirectory()) throw new Error(`${option}: "${path}" is a folder; name a file`);
  const place = file === undefined ? dirname(path) : file.isFile() ? dirname(realpathSync(path)) : path;
  await access(place, constants.W_OK).catch((cause) => {
    throw new Error(`${option}: "${place}" cannot be written to`, { cause });
  });
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
 * either. It is there when the call returns, without a turn of the event loop. A link stays one, and so does what is no file: a
 * pipe or a device, which is written to as it is.
 */
export function writeWhole(path: string, content: Uint8Array | string): void {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile()) {
    writeFileSync(path, content);
    return;
  }
  const target = there === undefined ? path : realpathSync(path);
  const draft = `${target}.${process.pid}.tmp`;
  try {
    const file = openSync(draft, "w");
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, target);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw cause;
  }
}

/** Writes JSON that people can read. */
export function writeJson(path: string, value: unknown): void {
  writeWhole(path, `${JSON.stringify(value, undefined, 2)}\n`);
}
