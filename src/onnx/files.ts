// A model folder's files, from a file system, from HTTP, or from wherever the caller's function takes them.
import { show, wrongType } from "../check.ts";

/** Where a model folder is: a path, a URL, or a function that returns the bytes of `path` inside it. */
export type Folder = string | URL | ((path: string) => Promise<Uint8Array>);

/** Returns the bytes of a file of the folder; every failure names the file. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

type Files = { readFile(path: string | URL): Promise<Uint8Array> };

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
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status} ${response.statusText}`.trimEnd());
  return new Uint8Array(await response.arrayBuffer());
}

function inside(folder: URL, path: string): URL {
  const base = new URL(folder);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const url = new URL(path, base);
  url.search = base.search;
  return url;
}

async function readFrom(folder: Folder, path: string): Promise<unknown> {
  if (typeof folder === "function") return folder(path);
  const remote = typeof folder === "string" && /^[a-z][a-z\d+.-]+:\/\//i.test(folder);
  const place = remote ? new URL(folder) : folder;
  if (place instanceof URL && place.protocol !== "file:") return download(inside(place, path));
  const files = await fileSystem();
  const full = place instanceof URL ? inside(place, path) : `${place.replace(/[\\/]+$/, "")}/${path}`;
  // In a browser a path is relative to the page.
  return files === undefined ? download(full) : files.readFile(full);
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
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError(`"${path}": expected the file's bytes as a Uint8Array, got ${show(bytes)}`);
    }
    if (bytes.length === 0) throw new RangeError(`"${path}": the file is empty`);
    return bytes;
  };
}

/** Returns the JSON object in a file of the folder. */
export async function readObject(read: ReadFile, path: string): Promise<Record<string, unknown>> {
  const bytes = await read(path);
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
