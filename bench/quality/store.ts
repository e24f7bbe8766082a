// What is finished, line by line, so that a run that was stopped goes on where it was.
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Results by key, in memory and in a file of one JSON text a line. */
export class Store {
  private readonly known = new Map<string, unknown>();
  private readonly file: string;

  /** @param identity all that results depend on; a file of another identity is started anew */
  constructor(file: string, identity: unknown) {
    this.file = file;
    const first = JSON.stringify({ identity });
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    const complete = lines.slice(0, -1);
    if (complete[0] === first) {
      for (const line of complete.slice(1)) {
        const { key, value } = JSON.parse(line) as { key: string; value: unknown };
        this.known.set(key, value);
      }
      // A line that was cut off is dropped.
      if (lines.at(-1) !== "") writeFileSync(file, `${complete.join("\n")}\n`);
      return;
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${first}\n`);
  }

  get size(): number {
    return this.known.size;
  }

  has(key: string): boolean {
    return this.known.has(key);
  }

  /** Returns the result under the key, from the file or by work. */
  async once<T>(key: string, work: () => T | Promise<T>): Promise<T> {
    if (this.known.has(key)) return this.known.get(key) as T;
    const value = await work();
    this.known.set(key, value);
    appendFileSync(this.file, `${JSON.stringify({ key, value })}\n`);
    return value;
  }

  remove(): void {
    rmSync(this.file, { force: true });
  }
}
