// The service worker: keeps the files of one version of the page, and only those, for when there is no network.

/** Set by the build: the files of this version, relative to this script, and a name for the version. */
declare const FILES: readonly string[];
declare const VERSION: string;

interface Extendable extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface Fetched extends Extendable {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
const scope = globalThis as unknown as {
  readonly registration: { readonly scope: string };
  addEventListener(type: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetched) => void): void;
};

// An origin may hold several copies of the page, each with caches of its own.
const prefix = `dc-solver-demo ${scope.registration.scope} `;
const name = prefix + VERSION;
const base = scope.registration.scope;
const urls = new Set(FILES.map((file) => new URL(file, base).href));

scope.addEventListener("install", (event) => {
  const fresh = [...urls].map((url) => new Request(url, { cache: "no-cache" }));
  event.waitUntil(caches.open(name).then((cache) => cache.addAll(fresh)));
});

scope.addEventListener("activate", (event) => {
  const remove = async () => {
    const old = (await caches.keys()).filter((key) => key.startsWith(prefix) && key !== name);
    await Promise.all(old.map((key) => caches.delete(key)));
  };
  event.waitUntil(remove());
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  url.hash = "";
  url.search = "";
  if (url.href === new URL("index.html", base).href) url.href = base;
  if (request.method !== "GET" || !urls.has(url.href)) return;
  const answer = async () => {
    const cache = await caches.open(name);
    return (await cache.match(url.href)) ?? fetch(request);
  };
  event.respondWith(answer());
});
