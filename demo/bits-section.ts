// Hashes of this browser's bits beside those of the machine that built the page, and how to get them anywhere else.
import type { ServerBits } from "./bits.ts";
import { byId, messageOf, showCommand } from "./dom.ts";
import type { Pictures } from "./protocol.ts";
import { defaults, hashProgram, type Setting, sampleCommand, toHash } from "./setting.ts";
import type { Store } from "./store.ts";

/** Set by the build. */
declare const SERVER_BITS: ServerBits;

function fill(id: string, here: string, server: string | undefined): void {
  const [own, other, verdict] = byId(id).querySelectorAll("td");
  if (own === undefined || other === undefined || verdict === undefined) return;
  own.textContent = here;
  other.textContent = server ?? "–";
  own.dataset.title = "here";
  other.dataset.title = SERVER_BITS.runtime;
  const same = here === server;
  verdict.className = same ? "same" : "other";
  verdict.textContent = server === undefined ? "" : same ? "the same" : "not the same";
}

export function startBits(store: Store): {
  check(): Promise<void>;
  wait(): void;
  show(pictures: Pictures, setting: Setting): void;
} {
  byId("bits-server").textContent = `${SERVER_BITS.runtime}, when the page was built`;
  const describe = () => {
    const { setting, own, model } = store;
    showCommand(byId("sample-command"), sampleCommand(setting, own));
    byId("hash-program").textContent = hashProgram(setting, model?.labels ?? 10, own);
    byId("ratios-file").hidden = typeof setting.ratios === "string";
    byId("ratios-list").textContent = JSON.stringify(setting.ratios);
  };
  store.listen(describe);
  describe();
  return {
    async check() {
      const here = await store.client.run("bits", undefined).catch(messageOf);
      fill("bits-solver", here, SERVER_BITS.solver);
    },
    wait: () => {
      fill("bits-pictures", "…", undefined);
    },
    show({ hash }, setting) {
      const known = !store.own && toHash(setting) === toHash(defaults);
      fill("bits-pictures", hash, known ? SERVER_BITS.pictures : undefined);
      const verdict = byId("bits-pictures").querySelector("td:last-child");
      if (!known && verdict !== null) verdict.textContent = "run the program below";
      if (!known && verdict !== null) verdict.className = "note";
    },
  };
}
