// @ts-check
// From a Request to a Response, by web standards alone: the same in Node, Deno and Bun.
import { Refused } from "./batcher.js";
import { check, HttpError, readBody, readQuery, refuse } from "./settings.js";

/**
 * @typedef {import("./batcher.js").Network & {
 *   shape: number[],
 *   labels: number,
 *   plan(options: { steps: number, guidanceScale: number, solver?: string, order?: number }): import("dc-solver").Plan,
 * }} Model
 */

/**
 * Returns the handler of `GET /sample?class=3&steps=5`, `POST /sample` and `GET /healthz`. It never rejects.
 * @param {object} options
 * @param {Model} options.model
 * @param {ReturnType<typeof import("./batcher.js").createBatcher>} options.batcher
 * @param {number} [options.timeLimit] milliseconds from a request to its answer, its body included
 * @param {number} [options.bodyLimit] bytes
 * @param {number} [options.maxSteps]
 * @param {(error: unknown) => void} [options.report] hears of failures that are not the client's
 */
export function createHandler(options) {
  const { model, batcher, timeLimit = 30_000, bodyLimit = 65_536, maxSteps = 100, report = console.error } = options;

  // A plan is plain data, and the same for all who ask for the same steps: the newest ones are kept.
  /** @type {Map<string, ReturnType<Model["plan"]>>} */
  const plans = new Map();

  /** @param {Parameters<Model["plan"]>[0]} wanted */
  function planFor(wanted) {
    const key = JSON.stringify(wanted);
    const plan = plans.get(key) ?? model.plan(wanted);
    plans.delete(key);
    plans.set(key, plan);
    if (plans.size > 100) plans.delete(/** @type {string} */ (plans.keys().next().value));
    return plan;
  }

  /**
   * @param {Request} request
   * @param {AbortSignal} signal
   */
  async function sample(request, signal) {
    const { searchParams } = new URL(request.url);
    // No work for one that is refused anyway.
    if (batcher.closing) throw new Refused("closing");
    const wishes = request.method === "POST" ? await readBody(request, bodyLimit, signal) : readQuery(searchParams);
    const { labels, seed, guidanceScale, plan, respond } = check(wishes, { labels: model.labels, maxSteps });
    const shape = [labels.length, ...model.shape];
    let answer;
    try {
      answer = batcher.submit({ plan: planFor(plan), shape, labels, seed, guidanceScale }, signal);
    } catch (error) {
      // The library's own words for a value that is wrong.
      const wrong = error instanceof TypeError || error instanceof RangeError;
      throw wrong ? new HttpError(400, error.message) : error;
    }
    return respond(await answer);
  }

  function health() {
    const stalled = batcher.inCall > timeLimit;
    const status = batcher.closing ? "closing" : stalled ? "stalled" : "ok";
    return Response.json(
      { status, requests: batcher.requests, ...batcher.done },
      { status: status === "ok" ? 200 : 503 },
    );
  }

  /** @param {unknown} error */
  function explain(error) {
    if (error instanceof HttpError) return error;
    if (error instanceof Refused) {
      if (error.why === "closing") return new HttpError(503, error.message, { connection: "close" });
      const seconds = Math.min(Math.max(Math.ceil(batcher.secondsLeft), 1), 60);
      return new HttpError(429, error.message, { "retry-after": `${seconds}` });
    }
    if (error instanceof DOMException && error.name === "TimeoutError") return new HttpError(504, error.message);
    // No one hears it; the status is for logs.
    if (error instanceof DOMException && error.name === "AbortError") return new HttpError(499, "the client has gone");
    report(error);
    return new HttpError(500, "sampling failed");
  }

  /**
   * @param {Request} request
   * @param {AbortSignal} [gone] aborts when the client has gone
   */
  return async function handle(request, gone = request.signal) {
    const { pathname } = new URL(request.url);
    const methods = new Map([
      ["/sample", ["GET", "POST"]],
      ["/healthz", ["GET"]],
    ]).get(pathname);
    if (methods === undefined) return refuse(new HttpError(404, "there are /sample and /healthz"));
    if (!methods.includes(request.method)) {
      return refuse(new HttpError(405, `expected ${methods.join(" or ")}`, { allow: methods.join(", ") }));
    }
    if (pathname === "/healthz") return health();
    const end = new AbortController();
    const late = () => end.abort(new DOMException(`not done within ${timeLimit} ms`, "TimeoutError"));
    const cut = () => end.abort(new DOMException("the client has gone", "AbortError"));
    const timer = setTimeout(late, timeLimit);
    gone.addEventListener("abort", cut, { once: true });
    if (gone.aborted) cut();
    try {
      return await sample(request, end.signal);
    } catch (error) {
      return refuse(explain(error));
    } finally {
      clearTimeout(timer);
      gone.removeEventListener("abort", cut);
    }
  };
}
