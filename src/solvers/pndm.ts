// PNDM (Liu et al. 2022, arXiv 2202.09778): DDIM's step (equation 9) with a mean of several outputs in the place of ε, weighted as
// Adams and Bashforth do for equal steps, whatever the steps are: the observed order is at most 2. `start` says where the first ones
// come from: nowhere ("none", IPNDM of k-diffusion's predecessor v-diffusion), a first step taken twice ("repeat", PLMS of Stable
// Diffusion), or three Runge-Kutta steps ("runge_kutta", equation 13, the paper's own).
import * as check from "../check.ts";
import type { Point } from "../diffusion/prediction.ts";
import type { PndmDepartures } from "../plan/plan.ts";
import type { Prediction, Term, Value } from "../plan/tracer.ts";
import { defineSolver, firstOrder, type GridPoint, levelAt } from "./solver.ts";

interface PndmOptions {
  order: number;
  start: "none" | "repeat" | "runge_kutta";
  departures: PndmDepartures | null;
}

/** Adams and Bashforth's weights, newest first. */
const weights = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]] as const;

export const pndm = defineSolver<PndmOptions>({
  name: "pndm",
  aliases: ["plms"],
  about: "PNDM: linear multistep on DDIM's step, orders 1 to 4 (Liu et al. 2022, arXiv 2202.09778)",
  multistep: false,
  options: {
    order: { default: 4, check: (name, v) => check.integer(name, v, 1, 4), about: "most outputs in a step, 1 to 4" },
    start: {
      default: "repeat",
      check: (name, v) => check.oneOf(name, v, ["none", "repeat", "runge_kutta"]),
      about: "first steps: of lower order, the first one twice, or three of Runge-Kutta with four calls each",
    },
    departures: { default: null, check: checkDepartures, about: "where diffusers does otherwise, or null" },
  },
  observedOrder: ({ order }) => Math.min(order, 2),

  build(trace, { points, arrival, schedule, lowerOrderFinal }, { order, start, departures }) {
    const { velocity = false, blind = false, stride, second, half } = departures ?? {};
    const history: Value[] = []; // newest first
    const last = points.length - 2;
    const level = (t: number) => levelAt(schedule, t);
    let x = trace.start();
    for (let k = 0; k <= last; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      const base = x;
      /** Returns what is averaged of a call at state y. */
      const call = (y: Value, { t, alpha, sigma }: Point): Value & { m: Prediction } => {
        // ε itself where it is known: worked out of x₀ it would lose what float32 has no room for.
        const m = trace.evaluate(y, t, alpha === 0 ? "sample" : "epsilon");
        const noise: Value = alpha === 0 ? trace.combine([[1 / sigma, y]]) : m;
        if (!velocity) return { id: noise.id, m };
        const v = trace.combine([
          [alpha, noise],
          [-sigma, m.denoised],
        ]);
        return { id: v.id, m };
      };
      /** Returns the state at `to` of the step's first state, as if that were at `from`, by the weighted mean of outputs. */
      const transfer = (from: Point, to: Point, w: readonly number[], outputs: readonly Value[]): Value => {
        const onNoise = to.sigma - (to.alpha * from.sigma) / from.alpha;
        const scale = velocity ? from.alpha * onNoise : onNoise;
        return trace.combine([
          [to.alpha / from.alpha + (velocity ? from.sigma * onNoise : 0), base],
          ...w.map((w, i): Term => [w * scale, outputs[i] as Value]),
        ]);
      };
      const first = call(x, s);
      history.unshift(first);
      let consistent = !velocity;
      if (s.alpha === 0) {
        x = trace.combine(blind ? [[t.sigma / s.sigma, x]] : firstOrder(s, t, x, first.m));
        consistent &&= !blind;
      } else if (start === "runge_kutta" && k < Math.min(3, last)) {
        const late = level(half === undefined ? (s.t + t.t) / 2 : t.t + half);
        const early = half === undefined ? late : level(s.t - half);
        consistent &&= early.alpha === late.alpha;
        const middle = call(transfer(s, early, [1], [first]), late);
        const third = call(transfer(s, late, [1], [middle]), late);
        const fourth = call(transfer(s, t, [1], [third]), t);
        x = transfer(s, t, [1 / 6, 1 / 3, 1 / 3, 1 / 6], [first, middle, third, fourth]);
      } else if (start === "repeat" && k === 0 && (last > 0 || second !== undefined)) {
        const end = second === undefined ? t : level(second);
        consistent &&= second === undefined;
        const again = call(transfer(s, arrival(0), [1], [first]), end);
        x = transfer(stride === undefined ? s : level(end.t + stride), end, [1 / 2, 1 / 2], [first, again]);
      } else {
        const count = Math.min(order, history.length, lowerOrderFinal ? last + 1 - k : order);
        x = transfer(s, arrival(k), weights[count - 1] as readonly number[], history);
      }
      trace.endStep(x, consistent ? {} : { consistent: false });
    }
  },
});

function checkDepartures(name: string, value: unknown): PndmDepartures | null {
  if (value === null) return null;
  const given = check.options<PndmDepartures>(name, value, ["velocity", "blind", "stride", "second", "half"]);
  for (const [key, entry] of Object.entries(given)) {
    if (entry === undefined) continue;
    if (key === "velocity" || key === "blind") check.boolean(`${name}.${key}`, entry);
    else check.notNegative(`${name}.${key}`, entry);
  }
  return given;
}
