// A search under way: how far it is, and what is kept of it should it stop.
import { readFile } from "node:fs/promises";
import type { RatioSearchEvent } from "../compensation/ratio-search.ts";
import type { Plan } from "../plan/plan.ts";
import { writeJson } from "./files.ts";
import { type LongProgress, startLongProgress } from "./progress.ts";
import { parseJson } from "./ratios.ts";

/** Returns the name of the file with the finished steps of a search whose result goes to `out`. */
export function partialOf(out: string): string {
  return `${out}.partial`;
}

/** The file of finished steps. The library knows all that they depend on but the network; its hash is added. */
export class Partial {
  /** Finished steps in the file. */
  steps = 0;
  readonly path: string;

  constructor(
    out: string,
    private readonly about: { readonly model: string; readonly classes: readonly number[] },
  ) {
    this.path = partialOf(out);
  }

  /** Returns what the file holds, for the library to judge. */
  async read(): Promise<unknown> {
    try {
      const json = parseJson(await readFile(this.path, "utf8")) as { model?: unknown; found?: unknown } | null;
      if (json?.model !== this.about.model) {
        throw new Error(`made with another network: want ${this.about.model}, got ${json?.model}`);
      }
      this.steps = Array.isArray(json.found) ? json.found.length : 0;
      return json;
    } catch (cause) {
      return this.refuse(cause);
    }
  }

  /** Throws what is wrong with the file. */
  refuse(cause: unknown): never {
    throw new Error(`--resume: "${this.path}": ${cause instanceof Error ? cause.message : cause}`, { cause });
  }

  /** Keeps the finished steps, if the file does not hold them already. */
  keep({ step, progress }: RatioSearchEvent): void {
    if (step < this.steps) return;
    writeJson(this.path, { ...(progress as object), ...this.about });
    this.steps = step + 1;
  }
}

/** What a search will do. */
export interface Task {
  readonly plan: Plan;
  readonly referenceCalls: number;
  readonly points: number;
  readonly holdout: number;
  readonly maxEvaluations: number;
  readonly objective: "corrected" | "predicted";
  /** Steps that only have to be replayed. */
  readonly replayed: number;
}

/** Progress of a search, measured in samples through the network: a call with a larger batch takes longer. */
export class Work {
  private done = 0;
  private steps = 0;
  /** What is done, at most, after the reference and after each step. */
  private readonly marks: number[];
  private readonly progress: LongProgress;

  constructor(private readonly task: Task) {
    const { plan, referenceCalls, points, holdout, objective } = task;
    let sum = referenceCalls * points;
    this.marks = [sum, ...plan.steps.map((_, k) => (sum += mostCalls(task, k) * points))];
    const judged = objective === "predicted" ? 2 : 1;
    sum += judged * plan.nfe * points + holdout * (referenceCalls + 2 * plan.nfe);
    this.progress = startLongProgress(sum, this.phase());
  }

  /** Counts a model call. */
  called(batch: number): void {
    this.done += batch;
    this.progress.update(this.done, this.phase());
  }

  /** Takes a step for finished. */
  found({ step, ratio, loss, lossWithout, nfe }: RatioSearchEvent): void {
    const calls = `${nfe} model call${nfe === 1 ? "" : "s"}`;
    this.progress.note(
      `step ${step + 1}: ratio ${ratio.toFixed(4)}, loss ${loss.toExponential(3)} (${lossWithout.toExponential(3)} without), ${calls}`,
    );
    this.steps = step + 1;
    this.done = this.marks[this.steps] as number;
    this.progress.update(this.done, this.phase());
  }

  stop(): void {
    this.progress.stop();
  }

  private phase(): string {
    const { length } = this.task.plan.steps;
    if (this.done < (this.marks[0] as number)) return "reference";
    return this.steps < length ? `step ${this.steps + 1} of ${length}` : "judging";
  }
}

/** Returns the most model calls that step k can take. */
function mostCalls({ plan, objective, maxEvaluations, replayed }: Task, k: number): number {
  const step = plan.steps[k] as Plan["steps"][number];
  const calls = step.operations.filter((o) => o.kind === "evaluate");
  // Only a call at the end of the step, the corrector's, sees the ratio.
  const corrected = calls.some((call) => call.t === step.end.t);
  const searched = corrected && objective === "corrected" && k >= (plan.options.dcOrder ?? 2) && k >= replayed;
  return calls.length + (searched ? maxEvaluations - 1 : 0);
}
