// @ts-check
// Many sampling runs, one network: whatever their plans, steps, seeds and guidance, their model calls share batches. Each run has the
// bits that it has alone, provided that the network computes an item without regard to the rest of its batch.
import { startSampling } from "dc-solver";

/**
 * @typedef {object} Batch
 * @property {Float32Array} x the items, one after the other
 * @property {number[]} shape [items, ...shape of one]
 * @property {number[]} times what the network is told of the time, for each item
 * @property {number[]} labels for each item; −1 is no label
 *
 * @typedef {object} Network
 * @property {import("dc-solver").PredictionType} prediction
 * @property {(batch: Batch) => Promise<Float32Array>} call
 *
 * @typedef {object} Settings of one request
 * @property {import("dc-solver").Plan} plan
 * @property {number[]} shape [items, ...shape of one]
 * @property {number[]} labels for each item; −1 is no label
 * @property {number | number[]} [seed]
 * @property {number} [guidanceScale]
 *
 * @typedef {object} Job
 * @property {import("dc-solver").SamplingRun<number[]>} run
 * @property {number} left items that the network is still to compute for it
 * @property {(result: import("dc-solver").SampleResult) => void} finish
 * @property {(reason: unknown) => void} fail
 */

/** Why a request was not taken: there are too many (`full`), or the server is about to end (`closing`). */
export class Refused extends Error {
  /** @param {"full" | "closing"} why */
  constructor(why) {
    super(why === "full" ? "too many requests are waiting" : "the server is closing");
    this.why = why;
  }
}

// Between two calls connections are served, also where the network blocks this thread and then answers at once. A timeout waits a
// millisecond longer, so it is for runtimes that have nothing better.
const turn = () => new Promise((resolve) => (globalThis.setImmediate ?? setTimeout)(resolve));

/**
 * Returns what takes requests. One call of the network runs at a time, with at most `maxItems` items; a guided sample is two. Requests
 * are served in their order: the oldest is in every call until it is done, the room that is left goes to the next ones.
 * @param {{ network: Network, maxItems?: number, maxRequests?: number }} options
 */
export function createBatcher({ network, maxItems = 32, maxRequests = 256 }) {
  /** @type {Set<Job>} Oldest first. */
  const jobs = new Set();
  let working = false;
  let closing = false;
  /** @type {(() => void)[]} */
  const drained = [];
  /** @type {number | undefined} When the call under way began. */
  let callBegan;
  let millisecondsPerItem = 0;
  const done = { calls: 0, items: 0 };

  /**
   * Returns the sample. An aborted request gives its place up at once, wherever it is.
   * @param {Settings} settings
   * @param {AbortSignal} [signal]
   * @throws at once: Refused; TypeError or RangeError for settings that are wrong. Rejects: `signal.reason`; what the network throws.
   * @returns {Promise<import("dc-solver").SampleResult>}
   */
  function submit({ plan, shape, labels, seed = 0, guidanceScale = 1 }, signal) {
    signal?.throwIfAborted();
    if (closing) throw new Refused("closing");
    if (jobs.size >= maxRequests) throw new Refused("full");
    const [items = 0] = shape;
    const most = Math.floor(maxItems / 2);
    if (items > most) throw new RangeError(`"class": expected at most ${most} labels, got ${items}`);
    const unconditional = labels.map(() => -1);
    const { prediction } = network;
    const run = startSampling({ plan, prediction, shape, seed, condition: labels, unconditional, guidanceScale });
    return new Promise((resolve, reject) => {
      const end = () => {
        signal?.removeEventListener("abort", abort);
        run.dispose();
        jobs.delete(job);
        if (jobs.size === 0) for (const resolveDrained of drained.splice(0)) resolveDrained();
      };
      /** @type {Job} */
      const job = {
        run,
        left: plan.nfe * items * (guidanceScale === 1 ? 1 : 2),
        finish(result) {
          end();
          resolve(result);
        },
        fail(reason) {
          end();
          reject(reason);
        },
      };
      const abort = () => job.fail(signal?.reason);
      signal?.addEventListener("abort", abort, { once: true });
      jobs.add(job);
      if (!working) work();
    });
  }

  async function work() {
    working = true;
    for (;;) {
      await turn();
      if (jobs.size === 0) break;
      await callOnce(pick());
    }
    working = false;
  }

  /** Returns the oldest jobs that fit into one call, with what they ask. */
  function pick() {
    const picked = [];
    let room = maxItems;
    for (const job of jobs) {
      const { requests } = job.run;
      const items = requests.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
      if (items > room) continue;
      room -= items;
      picked.push({ job, requests });
      if (room === 0) break;
    }
    return picked;
  }

  /** @param {ReturnType<typeof pick>} picked */
  async function callOnce(picked) {
    const asked = picked.flatMap(({ requests }) => requests);
    const counts = asked.map(({ shape }) => shape[0] ?? 0);
    const items = counts.reduce((a, b) => a + b);
    const x = new Float32Array(asked.reduce((sum, request) => sum + request.x.length, 0));
    let at = 0;
    for (const request of asked) {
      x.set(request.x, at);
      at += request.x.length;
    }
    /** @type {Float32Array} */
    let output;
    callBegan = performance.now();
    try {
      output = await network.call({
        x,
        shape: [items, ...(asked[0]?.shape.slice(1) ?? [])],
        times: asked.flatMap(({ modelTime }, i) => Array(counts[i]).fill(modelTime)),
        labels: asked.flatMap(({ condition = [] }) => condition),
      });
      if (output.length !== x.length) throw new Error(`the network gave ${output.length} numbers for ${x.length}`);
    } catch (error) {
      // Those of this call fail. The others have their turn: what failed may have been one item, or one moment.
      for (const { job } of picked) job.fail(error);
      return;
    } finally {
      const perItem = (performance.now() - callBegan) / items;
      millisecondsPerItem = done.calls === 0 ? perItem : 0.8 * millisecondsPerItem + 0.2 * perItem;
      callBegan = undefined;
      done.calls++;
      done.items += items;
    }
    at = 0;
    for (const { job, requests } of picked) {
      const outputs = requests.map((request) => {
        at += request.x.length;
        return output.subarray(at - request.x.length, at);
      });
      // It may have been aborted while the network worked.
      if (!jobs.has(job)) continue;
      try {
        job.run.answer(outputs);
      } catch (error) {
        job.fail(error);
        continue;
      }
      job.left -= requests.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
      if (job.run.result !== undefined) job.finish(job.run.result);
    }
  }

  return {
    submit,
    /** Takes no further requests, and returns when those that wait have been answered. */
    close() {
      closing = true;
      return /** @type {Promise<void>} */ (
        new Promise((resolve) => {
          if (jobs.size === 0) resolve();
          else drained.push(resolve);
        })
      );
    },
    get closing() {
      return closing;
    },
    /** Requests that have a place. */
    get requests() {
      return jobs.size;
    },
    /** Calls of the network so far, and items in them. */
    get done() {
      return { ...done };
    },
    /** Milliseconds since the call under way began, 0 if there is none. */
    get inCall() {
      return callBegan === undefined ? 0 : performance.now() - callBegan;
    },
    /** About how many seconds of work wait. */
    get secondsLeft() {
      let items = 0;
      for (const job of jobs) items += job.left;
      return (items * millisecondsPerItem) / 1000;
    },
  };
}
