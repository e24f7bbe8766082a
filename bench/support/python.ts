// A Python process that takes turns with this one; what it runs and how it answers is in bench/steps-diffusers.py.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Contender } from "./measure.ts";

interface Hello {
  readonly python: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly missing: Readonly<Record<string, string>>;
}

export class Python {
  readonly hello: Hello;
  private readonly child: ChildProcess;
  private readonly answers: AsyncIterator<string>;

  private constructor(child: ChildProcess, answers: AsyncIterator<string>, hello: Hello) {
    this.child = child;
    this.answers = answers;
    this.hello = hello;
  }

  /** Starts an interpreter with a script and its first line of input; returns why not, if it does not answer. */
  static async start(interpreter: string, script: string, first: unknown): Promise<Python | string> {
    const child = spawn(interpreter, [script], { stdio: ["pipe", "pipe", "pipe"] });
    const errors: string[] = [];
    child.stderr.on("data", (text) => errors.push(String(text)));
    child.stdin.on("error", () => {});
    const failed = new Promise<string>((resolve) => child.on("error", (error) => resolve(error.message)));
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stdin.write(`${JSON.stringify(first)}\n`);
    const line = await Promise.race([answers.next(), failed]);
    if (typeof line === "string") return line;
    if (line.done) return `it ended at once: ${errors.join("").trim().split("\n").at(-1)}`;
    return new Python(child, answers, JSON.parse(line.value));
  }

  contender(name: string, floats: number): Contender {
    return async (calls) => {
      this.child.stdin?.write(`run ${name} ${calls} ${floats}\n`);
      const { value, done } = await this.answers.next();
      if (done || !Number.isFinite(Number(value))) throw new Error(`${name} in Python: ${value ?? "it ended"}`);
      return Number(value);
    };
  }

  stop(): void {
    this.child.stdin?.end();
  }
}
