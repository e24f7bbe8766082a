// Euler's method for dy/dr = ε with y = x/alpha, r = sigma/alpha, and the churn of Karras et al. 2022 (arXiv 2206.00364, algorithm 2):
// before a step, noise is added that takes r to r·(1 + γ), γ = min(amount/steps, √2 − 1). Without churn it is DDIM.
import * as check from "../check.ts";
import type { Churn } from "../plan/plan.ts";
import type { Term } from "../plan/tracer.ts";
import { wasm } from "../wasm/module.ts";
import { defineSolver, firstOrder, type GridPoint, levelAt } from "./solver.ts";

const kinds = ["epsilon", "sample", "v_prediction"] as const;

/** Returns `value` if it is a churn, with `amount` 0 where it says none. @param unseen what `unseen` may be, if anything */
export function checkChurn(name: string, value: unknown, unseen: readonly (typeof kinds)[number][] = []): Churn {
  const factors = ["amount", "from", "to", "noise"];
  const given = check.options<Churn>(name, value, unseen.length > 0 ? [...factors, "unseen"] : factors);
  for (const [key, entry] of Object.entries(given)) {
    if (entry === undefined) continue;
    if (key === "unseen") check.oneOf(`${name}.unseen`, entry, unseen);
    else check.notNegative(`${name}.${key}`, entry);
  }
  return { ...given, amount: given.amount ?? 0 };
}

export const euler = defineSolver<{ churn: Churn }>({
  name: "euler",
  aliases: ["edm_euler"],
  about: "Euler with churn (Karras et al. 2022, arXiv 2206.00364, algorithm 2 without its second-order part)",
  multistep: false,
  options: {
    churn: {
      default: { amount: 0 },
      check: (name, v) => checkChurn(name, v, kinds),
      about: "{ amount, from, to, noise }: S_churn, S_tmin, S_tmax, S_noise",
    },
  },
  observedOrder: ({ churn }) => (churn.amount === 0 ? 1 : undefined),

  build(trace, { schedule, points, predict }, { churn }) {
    const { from = 0, to = Infinity, noise = 1, unseen } = churn;
    const gamma = Math.min(churn.amount / (points.length - 1), Math.sqrt(2) - 1);
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      const r = s.sigma / s.alpha;
      if (!(gamma > 0 && r >= from && r <= to && r < Infinity)) {
        x = trace.endStep(trace.combine(firstOrder(s, t, x, trace.evaluate(x, s.t), predict)));
        continue;
      }
      if (unseen !== undefined) {
        const m = trace.evaluate(x, s.t);
        const high = r * (1 + gamma);
        const { skip, raised, ratio } = reading(unseen, r, high, schedule.sigmaData);
        // y_t = a·ŷ + (1 − a)·x̂₀ with ŷ = y + fresh·z and x̂₀ = raised·ŷ + ratio·(x₀ − skip·y)
        const a = t.sigma / t.alpha / high;
        const onRaised = a + (1 - a) * raised;
        const onData = (1 - a) * ratio;
        const fresh = noise * Math.sqrt(high * high - r * r);
        const terms: Term[] = [
          [(t.alpha * (onRaised - onData * skip)) / s.alpha, x],
          [t.alpha * onData, m.denoised],
          [t.alpha * onRaised * fresh, trace.draw()],
        ];
        x = trace.endStep(trace.combine(terms), { consistent: false });
        continue;
      }
      // Where the schedule has no such level, its time is the last one that it has.
      const h = levelAt(schedule, schedule.time(s.lambda - wasm().log(1 + gamma)));
      const high = h.sigma / h.alpha;
      const raised = trace.combine([
        [h.alpha / s.alpha, x],
        [h.alpha * noise * Math.sqrt(Math.max(0, high * high - r * r)), trace.draw()],
      ]);
      const update = trace.combine(firstOrder(h, t, raised, trace.evaluate(raised, h.t), predict));
      x = trace.endStep(update, noise === 1 ? {} : { consistent: false });
    }
  },
});

/** Returns how x₀ = skip·y + out·o reads at r, and with the same output o at the raised level: raised·ŷ + ratio·(x₀ − skip·y). */
function reading(kind: (typeof kinds)[number], r: number, high: number, sigmaData: number | undefined) {
  if (sigmaData !== undefined) {
    const square = sigmaData * sigmaData;
    const [low, up] = [r * r + square, high * high + square];
    return { skip: square / low, raised: square / up, ratio: (high / r) * Math.sqrt(low / up) };
  }
  switch (kind) {
    case "epsilon":
      return { skip: 1, raised: 1, ratio: high / r };
    case "sample":
      return { skip: 0, raised: 0, ratio: 1 };
    case "v_prediction": {
      const skip = 1 / (r * r + 1);
      return { skip, raised: skip, ratio: 1 };
    }
  }
}
