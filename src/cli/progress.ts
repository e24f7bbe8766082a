// Progress on stderr: a bar on a terminal, plain lines otherwise.
import { SingleBar } from "cli-progress";

/** Counts what is done; `stop` leaves the terminal tidy. */
export interface Progress {
  update(done: number): void;
  stop(): void;
}

/** Returns the progress display of `total` units named `unit`. */
export function startProgress(total: number, unit: string): Progress {
  const { stderr } = process;
  if (stderr.isTTY) {
    const format = `{bar} {value}/{total} ${unit}`;
    const bar = new SingleBar({
      format,
      stream: stderr,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      hideCursor: true,
    });
    bar.start(total, 0);
    return bar;
  }
  const every = Math.ceil(total / 10);
  return {
    update(done) {
      if (done % every === 0 || done === total) stderr.write(`${done}/${total} ${unit}\n`);
    },
    stop() {},
  };
}
