// What every part of the page needs of the document.

/** Returns the element of an id, which the page has. */
export function byId<E extends Element = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as unknown as E;
}

/** Returns a new element with properties and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Shows a message in an element kept for it, or hides the element. */
export function say(place: HTMLElement, message: string | undefined): void {
  place.textContent = message ?? "";
  place.hidden = message === undefined;
}

/** Shows a command that breaks between its options only, and not at their hyphens. */
export function showCommand(place: HTMLElement, command: string): void {
  const parts = command.split(/ (?=--)/).map((part) => element("span", { className: "word" }, part));
  place.replaceChildren(...parts.flatMap((part, i) => (i === 0 ? [part] : [" ", part])));
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns a number with three digits that count. */
export function short(value: number): string {
  if (value === 0) return "0";
  return Math.abs(value) < 1e-3 ? value.toExponential(2).replace("-", "−") : value.toPrecision(3);
}

export function milliseconds(value: number): string {
  if (value >= 1000) return `${(value / 1000).toFixed(2)} s`;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}

/** Something that runs until it ends or is aborted: one at a time, with its buttons and its error. */
export class Task {
  private controller: AbortController | undefined;

  constructor(
    private readonly parts: {
      readonly abort: HTMLButtonElement;
      readonly error: HTMLElement;
      readonly aborted: () => void;
    },
  ) {
    parts.abort.addEventListener("click", () => {
      this.stop();
      parts.aborted();
    });
  }

  /** Runs work; a run that is under way is aborted, silently. */
  async run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    this.parts.abort.disabled = false;
    say(this.parts.error, undefined);
    try {
      await work(controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) {
        this.parts.aborted();
        say(this.parts.error, messageOf(error));
      }
    } finally {
      if (this.controller === controller) this.end();
    }
  }

  /** Aborts what is under way. */
  stop(): void {
    this.controller?.abort();
    this.end();
  }

  get isRunning(): boolean {
    return this.controller !== undefined;
  }

  private end(): void {
    this.controller = undefined;
    const { abort } = this.parts;
    const hadFocus = document.activeElement === abort;
    abort.disabled = true;
    // A disabled button drops the focus to the body, and the keyboard's place with it.
    if (hadFocus) (abort.previousElementSibling as HTMLElement | null)?.focus();
  }
}
