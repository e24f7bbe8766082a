// What the parts of the page share: the setting, the network, the ratios that were found. Whoever changes it tells the others.
import type { Client } from "./client.ts";
import type { ModelInfo } from "./protocol.ts";
import { fromHash, type Setting, toHash } from "./setting.ts";

/** Ratios and what they were searched for. */
export interface Searched extends Pick<Setting, "solver" | "steps" | "guidance"> {
  readonly ratios: readonly number[];
}

export class Store {
  setting: Setting;
  model: ModelInfo | undefined;
  /** Whether the network is the visitor's. */
  own = false;
  searched: Searched | undefined;
  private readonly listeners: ((changed: Setting) => void)[] = [];
  private later: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly client: Client) {
    this.setting = fromHash(location.hash);
    this.remember();
    window.addEventListener("hashchange", () => {
      // The link to the pictures is no setting.
      if (location.hash.includes("=")) this.change(fromHash(location.hash));
    });
  }

  /** Calls back after every change of setting, network or ratios. */
  listen(listener: (changed: Setting) => void): void {
    this.listeners.push(listener);
  }

  change(patch: Partial<Setting>): void {
    const next = this.known({ ...this.setting, ...patch });
    const isNew = next.ratios !== this.setting.ratios;
    const fits = typeof next.ratios === "string" || isNew || this.isFor(next, this.setting);
    this.setting = fits ? next : { ...next, ratios: "auto" };
    this.remember();
    this.address();
    this.tell();
  }

  take(model: ModelInfo, own: boolean): void {
    this.model = model;
    this.own = own;
    this.change({});
  }

  /** Drops ratios of another network. */
  forget(): void {
    this.searched = undefined;
    if (typeof this.setting.ratios !== "string") this.setting = { ...this.setting, ratios: "auto" };
  }

  found(searched: Searched): void {
    this.searched = searched;
    this.tell();
  }

  /** Returns the ratios that were searched for the setting, if there are any. */
  get fitting(): readonly number[] | undefined {
    return this.searched !== undefined && this.isFor(this.setting, this.searched) ? this.searched.ratios : undefined;
  }

  /** Returns a setting that the network knows: with a label that it has, and no guidance where it has none. */
  private known(setting: Setting): Setting {
    if (this.model === undefined) return setting;
    const { labels } = this.model;
    const label = setting.label !== "all" && setting.label >= labels ? "all" : setting.label;
    return { ...setting, label, guidance: labels === 0 ? 1 : setting.guidance };
  }

  /** Puts the setting into the page's address. */
  private address(): void {
    clearTimeout(this.later);
    const hash = `#${toHash(this.setting)}`;
    if (hash === location.hash) return;
    try {
      history.replaceState(undefined, "", hash);
    } catch {
      // Safari throws after a hundred changes in ten seconds, as a slider makes them.
      this.later = setTimeout(() => this.address(), 1000);
    }
  }

  /** Ratios that came with an address are as good as found. */
  private remember(): void {
    const { ratios, solver, steps, guidance } = this.setting;
    if (typeof ratios !== "string") this.searched = { ratios, solver, steps, guidance };
  }

  private isFor(a: Omit<Searched, "ratios">, b: Omit<Searched, "ratios">): boolean {
    return a.solver === b.solver && a.steps === b.steps && a.guidance === b.guidance;
  }

  private tell(): void {
    for (const listener of this.listeners) listener(this.setting);
  }
}
