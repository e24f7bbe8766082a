// The page's end of the worker: jobs as promises, and AbortSignals that reach over.
import type { FromWorker, Jobs, Kind, ToWorker } from "./protocol.ts";

interface Waiting {
  readonly onEvent: (event: never) => void;
  readonly resolve: (output: never) => void;
  readonly reject: (error: unknown) => void;
}

export class Client {
  private last = 0;
  private readonly waiting = new Map<number, Waiting>();
  private dead: Error | undefined;

  constructor(private readonly worker: Worker) {
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => this.hear(data));
    // In the place of what listened before the page did.
    worker.onerror = (event) => {
      event.preventDefault();
      this.dead = new Error(`The worker has stopped (${event.message || "it did not load"}). Reload the page.`);
      for (const { reject } of this.waiting.values()) reject(this.dead);
      this.waiting.clear();
    };
  }

  /** Returns a job's output. An abort rejects with the signal's reason at once; the worker stops before its next model call. */
  async run<K extends Kind>(
    kind: K,
    input: Jobs[K]["input"],
    { signal, onEvent }: { signal?: AbortSignal; onEvent?: (event: Jobs[K]["event"]) => void } = {},
  ): Promise<Jobs[K]["output"]> {
    if (this.dead !== undefined) throw this.dead;
    signal?.throwIfAborted();
    const id = ++this.last;
    const abort = () => {
      this.tell({ id, kind: "abort" });
      this.waiting.get(id)?.reject(signal?.reason);
      this.waiting.delete(id);
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await new Promise<Jobs[K]["output"]>((resolve, reject) => {
        this.waiting.set(id, { onEvent: onEvent ?? (() => {}), resolve, reject });
        this.tell({ id, kind, input });
      });
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  private tell(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private hear(message: FromWorker): void {
    const job = this.waiting.get(message.id);
    if (job === undefined) return;
    if ("event" in message) {
      job.onEvent(message.event as never);
      return;
    }
    this.waiting.delete(message.id);
    if ("output" in message) {
      job.resolve(message.output as never);
      return;
    }
    const { name, message: text } = message.failure;
    job.reject(Object.assign(new Error(text), { name }));
  }
}
