// @ts-check
// The handler on node:http.
import { createServer } from "node:http";
import { Readable } from "node:stream";

/**
 * Returns the address of a server, and `close`, which ends it: no new connections, answers for all that wait, then the end.
 * @param {object} options
 * @param {ReturnType<typeof import("./handler.js").createHandler>} options.handler
 * @param {ReturnType<typeof import("./batcher.js").createBatcher>} options.batcher
 * @param {number} [options.port] default: any that is free
 * @param {string} [options.host]
 * @param {number} [options.headersTimeout] milliseconds in which a client sends its headers
 * @param {number} [options.requestTimeout] milliseconds in which a client sends its request, body included
 * @param {number} [options.maxConnections]
 */
export async function listen(options) {
  const { handler, batcher, port = 0, host = "127.0.0.1", maxConnections = 1024 } = options;
  const { headersTimeout = 5_000, requestTimeout = 10_000 } = options;
  const limits = { headersTimeout, requestTimeout, connectionsCheckingInterval: 500, maxHeaderSize: 8192 };
  const server = createServer(limits, async (incoming, outgoing) => {
    const gone = new AbortController();
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) gone.abort();
    });
    outgoing.on("error", () => gone.abort());
    const response = await answer(incoming, gone.signal);
    const body = Buffer.from(await response.arrayBuffer());
    if (outgoing.destroyed) return;
    // What a client did not send in time is not waited for.
    if (!incoming.complete || batcher.closing) outgoing.setHeader("connection", "close");
    outgoing.writeHead(response.status, [...response.headers.entries(), ["content-length", `${body.length}`]].flat());
    // The answers are small: a slow client reads its own from the socket's buffer, and holds up no one.
    outgoing.end(body);
  });

  /**
   * @param {import("node:http").IncomingMessage} incoming
   * @param {AbortSignal} gone
   */
  async function answer(incoming, gone) {
    const { method = "GET", url = "/" } = incoming;
    let request;
    try {
      const headers = Object.entries(incoming.headersDistinct).flatMap(([name, values = []]) =>
        values.map((value) => /** @type {[string, string]} */ ([name, value])),
      );
      const body = method === "GET" || method === "HEAD" ? {} : { body: Readable.toWeb(incoming), duplex: "half" };
      request = new Request(
        new URL(url, "http://localhost"),
        /** @type {RequestInit} */ ({ method, headers, ...body }),
      );
    } catch {
      // An address, a method or headers that no Request can have.
      return Response.json({ error: "bad request" }, { status: 400 });
    }
    return handler(request, gone);
  }

  server.maxConnections = maxConnections;
  await new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(port, host, () => resolve(undefined));
  });
  const { port: bound } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    address: `http://${host}:${bound}`,
    /** @param {number} [grace] milliseconds for clients to read what they are owed */
    async close(grace = 2_000) {
      const ended = new Promise((resolve) => server.close(resolve));
      await batcher.close();
      const timer = setTimeout(() => server.closeAllConnections(), grace);
      server.closeIdleConnections();
      await ended;
      clearTimeout(timer);
    },
  };
}
