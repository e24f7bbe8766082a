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
    const next = { ...this.setting, ...patch };
    const isNew = next.ratios !== this.setting.ratios;
    const fits = typeof next.ratios === "string" || isNew || this.isFor(next, this.setting);
    this.setting = fits ? next : { ...next, ratios: "auto" };
    this.remember();
    history.replaceState(undefined, "", `#${toHash(this.setting)}`);
    this.tell();
  }

  take(model: ModelInfo, own: boolean): void {
    this.model = model;
    this.own = own;
    const { label } = this.setting;
    const patch: Partial<Setting> = {};
    if (label !== "all" && label >= model.labels) Object.assign(patch, { label: "all" });
    if (model.labels === 0) Object.assign(patch, { guidance: 1 });
    this.change(patch);
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
