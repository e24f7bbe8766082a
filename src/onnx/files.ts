// A model folder's files, from a file system, from HTTP, or from wherever the caller's function takes them.
import { isTypedArray, show, wrongType } from "../check.ts";

/** Where a model folder is: a path, a URL, or a function that returns the bytes of `path` inside it. */
export type Folder = string | URL | ((path: string) => Promise<Uint8Array>);

/** Returns the bytes of a file of the folder; every failure names the file. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

type Files = {
  readFile(path: string | URL): Promise<Uint8Array>;
  readdir(path: string | URL): Promise<string[]>;
};

async function fileSystem(): Promise<Files | undefined> {
  const { process, Deno, Bun } = globalThis as { process?: NodeJS.Process; Deno?: unknown; Bun?: unknown };
  if (process?.versions?.node === undefined && Deno === undefined && Bun === undefined) return undefined;
  // Node ≥ 20.16. Bundlers for browsers see neither this nor the import below.
  const builtin = process?.getBuiltinModule?.("node:fs/promises") as Files | undefined;
  if (builtin !== undefined) return builtin;
  const name = ["node:fs", "promises"].join("/");
  return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as Files;
}

async function download(url: string | URL): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) {
    const text = `${url}: HTTP ${response.status} ${response.statusText}`.trimEnd();
    throw Object.assign(new Error(text), { code: response.status });
  }
  return new Uint8Array(await response.arrayBuffer());
}

function inside(folder: URL, path: string): URL {
  const base = new URL(folder);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const url = new URL(path, base);
  url.search = base.search;
  return url;
}

/** Returns where a file of a folder is, and what reads it there: a file system, or none for a download. */
async function locate(folder: string | URL, path: string): Promise<{ full: string | URL; files: Files | undefined }> {
  const remote = typeof folder === "string" && /^[a-z][a-z\d+.-]+:\/\//i.test(folder);
  const place = remote ? new URL(folder) : folder;
  if (place instanceof URL && place.protocol !== "file:") return { full: inside(place, path), files: undefined };
  const full = place instanceof URL ? inside(place, path) : `${place.replace(/[\\/]+$/, "")}/${path}`;
  // In a browser a path is relative to the page.
  return { full, files: await fileSystem() };
}

async function readFrom(folder: Folder, path: string): Promise<unknown> {
  if (typeof folder === "function") return folder(path);
  const { full, files } = await locate(folder, path);
  return files === undefined ? download(full) : files.readFile(full);
}

// What file systems say, and servers: some answer 403 for what is not there.
const missing: readonly unknown[] = ["ENOENT", "ENOTDIR", 403, 404, 410];

function isMissing(error: unknown): boolean {
  return missing.includes(((error as Error).cause as { code?: unknown } | undefined)?.code);
}

/** Returns the bytes of a file that need not be there. A function says so by rejecting, or by giving nothing. */
export async function readIfThere(folder: Folder, path: string): Promise<Uint8Array | undefined> {
  if (typeof folder === "function") {
    const give = async () => folder(path);
    const bytes = await give().catch(() => undefined);
    return bytes === undefined ? undefined : reader(async () => bytes)(path);
  }
  try {
    return await reader(folder)(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Returns the names in a folder of the folder, in order; none if it is not there, or where folders cannot be listed. */
export async function listNames(folder: Folder, path: string): Promise<string[]> {
  if (typeof folder === "function") return [];
  const { full, files } = await locate(folder, path);
  if (files === undefined) return [];
  try {
    return (await files.readdir(full)).sort();
  } catch (cause) {
    const error = new Error(`"${path}": cannot be read: ${(cause as Error).message}`, { cause });
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Returns the reader of a model folder. */
export function reader(folder: Folder): ReadFile {
  const known = typeof folder === "string" || typeof folder === "function" || folder instanceof URL;
  if (!known) wrongType("folder", "a path, a URL or a function", folder);
  if (folder === "") throw new RangeError('"folder": expected a path, a URL or a function, got ""');
  return async (path) => {
    let bytes: unknown;
    try {
      bytes = await readFrom(folder, path);
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`"${path}": cannot be read: ${detail}`, { cause });
    }
    if (!isTypedArray(bytes, "Uint8Array")) {
      throw new TypeError(`"${path}": expected the file's bytes as a Uint8Array, got ${show(bytes)}`);
    }
    if (bytes.length === 0) throw new RangeError(`"${path}": the file is empty`);
    return bytes;
  };
}

/** Returns the JSON object in a file of the folder. */
export async function readObject(read: ReadFile, path: string): Promise<Record<string, unknown>> {
  return parseObject(path, await read(path));
}

/** Returns the JSON object that a file holds; every failure names the file. */
export function parseObject(path: string, bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new SyntaxError(`"${path}": not JSON, or cut off: ${detail}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`"${path}": expected a JSON object, got ${show(value)}`);
  }
  return value as Record<string, unknown>;
}
