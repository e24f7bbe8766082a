// What is reported of a runtime: the figures, where they come from in an outcome, and how they are written.
import { type Spread, spread } from "../support/measure.ts";
import type { Outcome, Runtime } from "./visit.ts";

export interface Figure {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly says: string;
  readonly of: (outcome: Outcome) => number | undefined;
}

const megabytes = (bytes: number | undefined) => (bytes === undefined ? undefined : bytes / 2 ** 20);

const share: Figure = {
  key: "share",
  title: "solver's share",
  unit: "%",
  says: "the part of that run which is not the network's",
  of: (o) => o.solverShare,
};

export const figures: readonly Figure[] = [
  {
    key: "kernel",
    title: "kernel",
    unit: "µs",
    says: "one call of the module's exec with a combination of four tensors (lin4), 16,384 floats",
    of: (o) => o.kernelMicroseconds,
  },
  {
    key: "step",
    title: "host time of a step",
    unit: "µs",
    says: "a step of UniPC-2 at 784 floats, of 20-step runs whose network answers at once with a prepared array",
    of: (o) => o.stepMicroseconds,
  },
  {
    key: "import",
    title: "import to first plan",
    unit: "ms",
    says: "import of dc-solver to the first plan, in a fresh process",
    of: (o) => o.importMilliseconds,
  },
  {
    key: "run",
    title: "a digit, end to end",
    unit: "ms",
    says: "bundled digits, 5 steps, 1 item, guidance 7.5, ONNX Runtime with one thread, after warm-up",
    of: (o) => o.runMilliseconds,
  },
  share,
  {
    key: "memory",
    title: "memory",
    unit: "MiB",
    says: "resident set after the digits, with ONNX Runtime",
    of: (o) => megabytes(o.memoryAtEnd),
  },
];

export const memoryAtStart: Figure = {
  key: "memoryAtStart",
  title: "memory after the first plan",
  unit: "MiB",
  says: "resident set after the first plan",
  of: (o) => megabytes(o.memoryAtStart),
};

/** A runtime with the outcomes of its rounds; undefined where one failed. */
export interface Row {
  readonly runtime: Runtime;
  readonly hash: string | undefined;
  readonly outcomes: readonly (Outcome | undefined)[];
}

export function samples(figure: Figure, { outcomes }: Row): number[] {
  return outcomes.flatMap((outcome) => (outcome === undefined ? [] : (figure.of(outcome) ?? [])));
}

/** Returns median and quartiles over the rounds; undefined where the runtime does not tell. */
export function result(figure: Figure, row: Row): Spread | undefined {
  const values = samples(figure, row);
  return values.length === 0 ? undefined : spread(values);
}

/** Returns how many times the time of another runtime a figure takes, round by round, which load moves less than times. */
export function relative(figure: Figure, row: Row, base: Row): Spread | undefined {
  const ratios = row.outcomes.flatMap((outcome, i) => {
    const other = base.outcomes[i];
    const [ours, theirs] = [outcome && figure.of(outcome), other && figure.of(other)];
    return ours === undefined || theirs === undefined ? [] : ours / theirs;
  });
  return ratios.length === 0 ? undefined : spread(ratios);
}

/** Returns the clock's step as the outcomes tell it, in milliseconds. */
export function clock({ outcomes }: Row): number | undefined {
  const steps = outcomes.flatMap((outcome) => outcome?.clockMilliseconds ?? []);
  return steps.length === 0 ? undefined : spread(steps).median;
}

/** Returns what is particular to a runtime's figures. */
export function remarks(rows: readonly Row[]): string[] {
  return rows.flatMap((row) => {
    const { name } = row.runtime;
    const of = (figure: Figure) => samples(figure, row).length > 0;
    const lines: string[] = [];
    const tick = clock(row);
    if (tick === undefined) lines.push("its clock stands still while code runs: no times");
    else if (tick >= 0.01)
      lines.push(`its clock ticks every ${Number(tick.toPrecision(2))} ms; turns are 100 ticks and longer`);
    if (name === "workerd") {
      lines.push(
        "import to first plan is without reading and parsing, which are over before a request, and as coarse as the clock",
      );
    }
    if (name === "Chromium") {
      lines.push(
        "the library comes over HTTP from this machine; memory is the JavaScript heap alone, without WebAssembly's",
      );
    }
    if (tick !== undefined && !of(share)) lines.push("its clock is too coarse for the solver's share");
    if (!of(memoryAtStart)) lines.push("does not tell its memory");
    const failed = row.outcomes.filter((outcome) => outcome === undefined).length;
    if (failed > 0) lines.push(`failed in ${failed} of ${row.outcomes.length} rounds`);
    return lines.length === 0 ? [] : `${name}: ${lines.join("; ")}.`;
  });
}
