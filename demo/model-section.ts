// The visitor's own network: a folder chosen or dropped, or a URL. A bad one is refused, and the one before stays.
import { byId, messageOf, say } from "./dom.ts";
import type { Source } from "./protocol.ts";
import type { Store } from "./store.ts";

const status = byId("model-status");
const failure = byId("model-error");
const drop = byId("drop");
const back = byId<HTMLButtonElement>("bundled");

type Files = Map<string, File>;

/** Returns the files by their paths in the folder that holds model_index.json, or in the topmost one. */
function rooted(files: Files): Files {
  const index = [...files.keys()]
    .filter((path) => /(^|\/)model_index\.json$/.test(path))
    .sort((a, b) => a.length - b.length)[0];
  const root =
    index === undefined ? /^[^/]*\//.exec([...files.keys()][0] ?? "")?.[0] : index.slice(0, -"model_index.json".length);
  const inside = [...files].filter(([path]) => path.startsWith(root ?? ""));
  return new Map(inside.map(([path, file]) => [path.slice((root ?? "").length), file]));
}

async function walk(entry: FileSystemEntry, files: Files): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    files.set(entry.fullPath.replace(/^\//, ""), file);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives a hundred at a time, and an empty list at the end.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) return;
    for (const each of entries) await walk(each, files);
  }
}

function refuse(message: string): void {
  say(failure, message);
  // On a phone its place is below the keyboard.
  failure.scrollIntoView({ block: "nearest" });
}

/** Returns what may help where a server gave no answer that a page may read; browsers do not say why. */
function remedy(message: string): string {
  if (/HTTP \d|: "/.test(message) || !/cannot be read/.test(message)) return "";
  const secure = location.protocol === "https:" ? ", and be on https as this page is" : "";
  return ` – the server may be out of reach; one of another origin has to allow this page (access-control-allow-origin)${secure}`;
}

/** Starts the section; `onModel` hears of every network that was taken, `onNone` why the page begins without one. */
export function startModel(
  store: Store,
  onModel: () => void,
  onNone: (message: string) => void,
): { load(source: Source, name: string): Promise<void> } {
  let last: AbortController | undefined;
  async function load(source: Source, name: string): Promise<void> {
    // The worker has to hear of it too: else the slower of two networks would be the one that draws.
    last?.abort();
    last = new AbortController();
    const { signal } = last;
    say(failure, undefined);
    status.textContent = `Loading ${name}…`;
    try {
      const model = await store.client.run("load", source, { signal });
      performance.mark("network");
      const own = source.kind !== "bundled";
      back.disabled = !own;
      // Those of an address are for the network that the page begins with.
      if (store.model !== undefined) store.forget();
      store.take(model, own);
      const labels = model.labels === 0 ? "no classes" : `${model.labels} classes`;
      const text = `Network: ${name}, ${model.shape.join(" × ")}, ${labels}, hash ${model.hash}.`;
      byId("model-line").textContent = text;
      status.textContent = own ? `${name} is loaded.` : "";
      onModel();
    } catch (error) {
      if (signal.aborted) return;
      status.textContent = store.model === undefined ? "" : "Refused; the network before stays.";
      if (store.model === undefined) byId("model-line").textContent = "The network could not be loaded.";
      if (store.model === undefined && source.kind === "bundled") onNone(messageOf(error));
      else refuse(messageOf(error) + (source.kind === "url" ? remedy(messageOf(error)) : ""));
    }
  }
  const loadFiles = (files: Files) => {
    const name = [...files.keys()][0]?.split("/")[0] ?? "";
    if (files.size > 0) void load({ kind: "files", files: rooted(files) }, `the folder ${name}`);
  };

  const input = byId<HTMLInputElement>("folder");
  input.addEventListener("change", () => {
    loadFiles(new Map([...(input.files ?? [])].map((file) => [file.webkitRelativePath || file.name, file])));
    // So that the same folder, mended, can be chosen again.
    input.value = "";
  });
  // Beside the zone too: a browser would leave the page for the file.
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
  for (const type of ["dragover", "drop"] as const) {
    document.addEventListener(type, (event) => hasFiles(event) && event.preventDefault());
  }
  document.addEventListener("dragover", (event) => hasFiles(event) && drop.classList.add("over"));
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && drop.classList.remove("over"));
  document.addEventListener("drop", async (event) => {
    drop.classList.remove("over");
    const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry());
    const files: Files = new Map();
    try {
      for (const entry of entries) if (entry !== null) await walk(entry, files);
      loadFiles(files);
    } catch (error) {
      say(failure, messageOf(error));
    }
  });
  byId("url-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const url = byId<HTMLInputElement>("url").value.trim();
    if (!/^https?:/i.test(url)) {
      refuse(`"URL": expected one that begins with https:// or http://, got ${url}`);
      return;
    }
    void load({ kind: "url", url }, url);
  });
  back.addEventListener("click", () => void load({ kind: "bundled" }, "digits"));
  return { load };
}
