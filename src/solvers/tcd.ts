// Trajectory consistency sampling (Zheng et al. 2024, arXiv 2402.19159, algorithm 4): each step goes along the trajectory to an
// earlier time, a share gamma of the way further than its end, and back by fresh noise. gamma 0 is DDIM.
import * as check from "../check.ts";
import { defineSolver, firstOrder, type GridPoint, levelAt } from "./solver.ts";

interface TcdOptions {
  gamma: number;
  through: { readonly times: readonly number[] } | null;
}

export const tcd = defineSolver<TcdOptions>({
  name: "tcd",
  aliases: [],
  about: "trajectory consistency sampling with a share gamma of fresh noise (Zheng et al. 2024, arXiv 2402.19159)",
  multistep: true,
  options: {
    gamma: {
      default: 0.3,
      check: check.share,
      about: "how much further each step goes before noise is added, 0 to 1: to (1 − gamma)·t",
    },
    through: { default: null, check: checkTimes, about: "null, or the times to which steps go first" },
  },
  observedOrder: ({ gamma }) => (gamma === 0 ? 1 : undefined),

  build(trace, { points, arrival, schedule, predict }, { gamma, through }) {
    const last = points.length - 2;
    let x = trace.start();
    for (let k = 0; k <= last; k++) {
      const [s, t] = [points[k] as GridPoint, arrival(k)];
      const m = trace.evaluate(x, s.t);
      // The last step ends where the trajectory takes it.
      if (gamma === 0 || k === last) {
        x = trace.endStep(trace.combine(firstOrder(s, t, x, m, predict)));
        continue;
      }
      const time = through?.times[k] ?? Math.max(schedule.tMin, (1 - gamma) * t.t);
      const far = levelAt(schedule, time);
      const kept = (t.alpha * far.sigma) / far.alpha;
      const fresh = Math.sqrt(Math.max(0, t.sigma * t.sigma - kept * kept));
      x = trace.endStep(trace.combine([...firstOrder(s, t, x, m, predict, kept), [fresh, trace.draw()]]));
    }
  },
});

function checkTimes(name: string, value: unknown, steps: number): TcdOptions["through"] {
  if (value === null) return null;
  const { times } = check.options<{ times: number[] }>(name, value, ["times"]);
  const list = Array.from(check.numbers(`${name}.times`, times));
  if (list.length !== steps) check.wrongValue(`${name}.times`, `${steps} times, one for each step`, times);
  list.forEach((t, i) => {
    check.finite(`${name}.times[${i}]`, t);
  });
  return { times: list };
}
