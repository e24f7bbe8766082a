// Progress on stderr: a bar on a terminal, plain lines otherwise.
import { SingleBar } from "cli-progress";

/** Counts what is done; `stop` leaves the terminal tidy. */
export interface Progress {
  update(done: number): void;
  stop(): void;
}

/** Progress of work in phases whose units are not worth showing: parts of the whole, and the time left. */
export interface LongProgress {
  update(done: number, phase: string): void;
  /** A line of its own, where there is no bar. */
  note(line: string): void;
  stop(): void;
}

function startBar(format: string, total: number, payload: Record<string, string>): SingleBar {
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    hideCursor: true,
  });
  bar.start(total, 0, payload);
  return bar;
}

/** Returns a function that says whether `done` has passed a tenth of the total that it had not passed before. */
function tenths(total: number): (done: number) => boolean {
  const every = Math.ceil(total / 10);
  let passed = 0;
  return (done) => {
    const now = done >= total ? Infinity : Math.floor(done / every);
    const news = now > passed;
    passed = Math.max(now, passed);
    return news;
  };
}

/** Returns the progress display of `total` units named `unit`. */
export function startProgress(total: number, unit: string): Progress {
  const { stderr } = process;
  if (stderr.isTTY) return startBar(`{bar} {value}/{total} ${unit}`, total, {});
  const isNews = tenths(total);
  return {
    update(done) {
      if (isNews(done)) stderr.write(`${done}/${total} ${unit}\n`);
    },
    stop() {},
  };
}

/** Returns the progress display of long work, `total` in units of equal time. */
export function startLongProgress(total: number, phase: string): LongProgress {
  const { stderr } = process;
  const started = performance.now();
  const left = (done: number) => {
    const seconds = (performance.now() - started) / 1000;
    // The first calls of a network are slow and say little about the others.
    return seconds < 1 && done < total / 10 ? "?" : clock((seconds / Math.max(done, 1)) * (total - done));
  };
  if (stderr.isTTY) {
    const bar = startBar("{bar} {percentage} %, {phase}, {left} left", total, { phase, left: "?" });
    return {
      update: (done, phase) => bar.update(done, { phase, left: left(done) }),
      note() {},
      stop: () => bar.stop(),
    };
  }
  const isNews = tenths(total);
  return {
    update(done, phase) {
      if (isNews(done)) stderr.write(`${Math.round((100 * done) / total)} %, ${phase}, ${left(done)} left\n`);
    },
    note: (line) => void stderr.write(`${line}\n`),
    stop() {},
  };
}

/** Returns seconds as 42 s, 3 min 20 s or 1 h 5 min. */
function clock(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  return s < 3600
    ? `${Math.floor(s / 60)} min ${s % 60} s`
    : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}
