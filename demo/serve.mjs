// Serves build/demo on this machine. `node demo/serve.mjs [port]`, default 8080.
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const types = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Returns a static server of a folder below the path `base`, and its address; `more` are headers of every answer. */
export async function serve(folder, { port = 0, base = "/", more = {} } = {}) {
  const server = createServer(async ({ url, headers, method }, response) => {
    try {
      const path = normalize(decodeURIComponent(new URL(url, "http://localhost").pathname));
      if (!path.startsWith(base) || !["GET", "HEAD"].includes(method)) throw new Error("not here");
      const inside = path.slice(base.length);
      const file = inside === "" || inside.endsWith("/") ? `${inside}index.html` : inside;
      const { size, mtimeMs } = await stat(join(folder, file));
      const etag = `"${size.toString(36)}-${mtimeMs.toString(36)}"`;
      const known = headers["if-none-match"] === etag;
      const bytes = known ? undefined : await readFile(join(folder, file));
      const type = types[extname(file)] ?? "application/octet-stream";
      response.writeHead(known ? 304 : 200, { "content-type": type, "cache-control": "no-cache", etag, ...more });
      response.end(method === "HEAD" ? undefined : bytes);
    } catch {
      response.writeHead(404, { "content-type": "text/plain", ...more }).end("There is no such file.\n");
    }
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { address: `http://127.0.0.1:${server.address().port}${base}`, close };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "build/demo");
  try {
    const { address } = await serve(folder, { port: Number(process.argv[2] ?? 8080) });
    console.log(`${address} – end with Ctrl-C`);
  } catch (error) {
    console.error(`cannot serve: ${error.message}; another port: npm run demo -- 8081`);
    process.exitCode = 1;
  }
}
