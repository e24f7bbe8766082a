// Heun's method along alpha and sigma themselves, dx = x₀·d alpha + ε·d sigma: on a rectified flow, whose alpha and sigma are straight
// lines, it is Heun's for dx/dt = v (Lipman et al. 2023, arXiv 2210.02747). It starts without signal; a step that ends without noise
// stays Euler's. Churn as diffusers' FlowMatchHeun has it: noise after the call, which is taken at the raised level with its slope
// lowered, and a draw in both halves of a step, of which the second is for nothing.
import type { Point } from "../diffusion/prediction.ts";
import type { Churn } from "../plan/plan.ts";
import type { Term, Trace, Value } from "../plan/tracer.ts";
import { checkChurn } from "./euler.ts";
import { defineSolver, type GridPoint } from "./solver.ts";

export const flowHeun = defineSolver<{ churn: Churn }>({
  name: "flow_heun",
  aliases: [],
  about: "Heun along alpha and sigma, second order, two model calls a step (Lipman et al. 2023, arXiv 2210.02747)",
  multistep: false,
  options: {
    churn: {
      default: { amount: 0 },
      check: (name, v) => checkChurn(name, v),
      about: "{ amount, from, to, noise } as FlowMatchHeun has them",
    },
  },
  observedOrder: ({ churn }) => (churn.amount === 0 ? 2 : undefined),

  build(trace, { points }, { churn }) {
    const { from = 0, to = Infinity, noise = 1 } = churn;
    const most = Math.min(churn.amount / (points.length - 1), Math.sqrt(2) - 1);
    let x = trace.start();
    for (let k = 0; k < points.length - 1; k++) {
      const [s, t] = [points[k] as GridPoint, points[k + 1] as GridPoint];
      const gamma = s.sigma >= from && s.sigma <= to ? most : 0;
      const high = s.sigma * (1 + gamma);
      // What is left to go from the raised sigma, as a share of the step.
      const left = t.sigma === s.sigma ? 1 : (t.sigma - high) / (t.sigma - s.sigma);
      const m = call(trace, x, s);
      const slope = (share: number, p: GridPoint, y: Value, m: Value) => increment(share, s, t, p, y, m);
      let base: Term[] = [[1, x]];
      if (gamma > 0) base = [...base, [noise * Math.sqrt(high * high - s.sigma * s.sigma), trace.draw()]];
      const first = left * (s.sigma / high);
      const guess = trace.combine([...base, ...slope(first, s, x, m)]);
      const claims = gamma > 0 ? { consistent: false as const } : {};
      if (t.sigma === 0) {
        x = trace.endStep(guess, claims);
        continue;
      }
      const n = call(trace, guess, t);
      if (gamma > 0) trace.draw();
      const halves = [...slope(first / 2, s, x, m), ...slope(left / 2, t, guess, n)];
      x = trace.endStep(trace.combine([...base, ...halves]), claims);
    }
  },
});

/** Whether a level's outputs are held as ε: x₀ divided by a small sigma, or ε by a small alpha, has not the digits of float32. */
const holdsNoise = ({ alpha, sigma }: Point) => alpha > sigma;

const call = (trace: Trace, x: Value, p: GridPoint) => trace.evaluate(x, p.t, holdsNoise(p) ? "epsilon" : "sample");

/** Returns a share of x₀·Δalpha + ε·Δsigma over a step s → t, with the output m of a call at state y and level p. */
function increment(share: number, s: Point, t: Point, p: Point, y: Value, m: Value): Term[] {
  const [onData, onNoise] = [share * (t.alpha - s.alpha), share * (t.sigma - s.sigma)];
  return holdsNoise(p)
    ? [
        [onData / p.alpha, y],
        [onNoise - (onData * p.sigma) / p.alpha, m],
      ]
    : [
        [onNoise / p.sigma, y],
        [onData - (onNoise * p.alpha) / p.sigma, m],
      ];
}
