// Child processes that end: within their time, and with this process.
import { spawn } from "node:child_process";

const running = new Set();

/** Ends a child and all that it started. */
export function kill(child) {
  running.delete(child);
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

process.on("exit", () => running.forEach(kill));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** Returns a child in a process group of its own. */
export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options, detached: true });
  running.add(child);
  return child;
}

/** Returns all that a stream of a child says; it is whole once the child has closed. */
function collect(stream) {
  const chunks = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

/** Returns what a command printed; a failure says what it wrote on stderr. */
export function run(command, args, { seconds = 120, ...options } = {}) {
  const child = start(command, args, options);
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const name = [command.split("/").at(-1), ...args].join(" ");
  return new Promise((resolve, reject) => {
    const fail = (reason) => reject(new Error(`${name}: ${reason}\n${(stderr() || stdout()).trim().slice(-2000)}`));
    const timer = setTimeout(() => {
      fail(`ran longer than ${seconds} s`);
      kill(child);
    }, 1000 * seconds);
    child.on("error", (error) => {
      clearTimeout(timer);
      running.delete(child);
      fail(error.message);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      kill(child);
      if (code === 0) resolve(stdout());
      else fail(signal ?? `exit code ${code}`);
    });
  });
}

/** Returns what a promise gives, or fails after some seconds. */
export async function within(seconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: took longer than ${seconds} s`)), 1000 * seconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
