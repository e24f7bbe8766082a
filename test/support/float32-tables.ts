// The discrete schedule as the UniPC repository holds it: times and log alphas of the table as float32 tensors, also where the state is
// float64. Its published trajectories are met at 1e-12 with these tables and at 1e-6 to 1e-9 with exact ones; those of the DC-Solver
// repository, whose tables are float64, the other way round.
import type { NoiseSchedule } from "../../src/index.ts";

export function float32Tables(rule: "linear" | "scaled_linear", betaStart: number, betaEnd: number): NoiseSchedule {
  const count = 1000;
  const root = rule === "scaled_linear" ? Math.sqrt : (x: number) => x;
  const times: number[] = [];
  const logs: number[] = [];
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const value = root(betaStart) + ((root(betaEnd) - root(betaStart)) * i) / (count - 1);
    sum += Math.log1p(-(rule === "scaled_linear" ? value * value : value)) / 2;
    times.push(Math.fround((i + 1) / count));
    logs.push(Math.fround(sum));
  }
  const interpolate = (x: number, xs: number[], ys: number[], reached: (node: number) => boolean) => {
    let n = 0;
    while (n < count - 2 && reached(xs[n + 1] as number)) n++;
    const [x0, x1, y0, y1] = [xs[n], xs[n + 1], ys[n], ys[n + 1]] as [number, number, number, number];
    return y0 + ((x - x0) * (y1 - y0)) / (x1 - x0);
  };
  const logAlpha = (t: number) => interpolate(t, times, logs, (node) => node <= t);
  return {
    kind: "float32 tables",
    tMin: 1 / count,
    tMax: 1,
    alpha: (t) => Math.exp(logAlpha(t)),
    sigma: (t) => Math.sqrt(-Math.expm1(2 * logAlpha(t))),
    lambda: (t) => logAlpha(t) - Math.log(-Math.expm1(2 * logAlpha(t))) / 2,
    time(lambda) {
      const log = -(Math.max(0, -2 * lambda) + Math.log1p(Math.exp(-Math.abs(2 * lambda)))) / 2;
      return interpolate(log, logs, times, (node) => node >= log);
    },
    modelTime: (t) => t * count - 1,
  };
}
