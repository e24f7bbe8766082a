// Grids for networks that are told an integer: each time is moved to the training step that the network would hear.
import type { NoiseSchedule } from "./built-in.ts";

/** Returns the number of training steps M of a discrete schedule: its tMin is the first of them, 1/M. */
export function trainStepsOf(schedule: NoiseSchedule): number {
  return Math.round(1 / schedule.tMin);
}

/** Returns the nearest integer, the even one of two that are equally near. */
export function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

function snap(grid: ArrayLike<number>, trainSteps: number): number[] {
  return Array.from(grid, (t) => (roundHalfEven(t * trainSteps - 1) + 1) / trainSteps);
}

/** Returns the first k with times k and k + 1 on one training step, −1 if there is none. */
function collision(times: readonly number[]): number {
  return times.findIndex((t, k) => k > 0 && t === times[k - 1]) - 1;
}

/**
 * Returns the grid on the training steps, t := (roundHalfEven(t·M − 1) + 1)/M, so that the network is told the noise level it sees.
 * `make(steps)` is the rule that the grid comes from, if there is one.
 * @throws RangeError if two times fall on one training step, with the largest number of steps for which the rule works.
 */
export function snapGrid(
  grid: ArrayLike<number>,
  trainSteps: number,
  make?: (steps: number) => ArrayLike<number>,
): Float64Array {
  const times = snap(grid, trainSteps);
  const k = collision(times);
  if (k < 0) return Float64Array.from(times);
  if (make === undefined) {
    throw new RangeError(
      `"grid[${k + 1}]": expected times on different training steps (the network takes integers), got ${grid[k]} and ${grid[k + 1]}, both on step ${Math.round((times[k] ?? 0) * trainSteps) - 1}`,
    );
  }
  const asked = grid.length - 1;
  let most = Math.min(asked, trainSteps) - 1;
  while (most > 0 && collision(snap(make(most), trainSteps)) >= 0) most--;
  throw new RangeError(
    `"steps": expected at most ${most} with this spacing (the network takes integer timesteps, one for each time), got ${asked}`,
  );
}
