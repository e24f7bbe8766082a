// Errors of pictures against a reference, and what finitely many seeds say about their mean.

/** A number with its 95 % bootstrap interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const resamples = 2000;

/** Returns the mean squared difference of each of `count` items of equal length. */
export function squaredErrors(data: Float32Array, reference: Float32Array, count: number): number[] {
  const length = data.length / count;
  return Array.from({ length: count }, (_, item) => {
    let sum = 0;
    for (let i = item * length; i < (item + 1) * length; i++) {
      const d = (data[i] as number) - (reference[i] as number);
      sum += d * d;
    }
    return sum / length;
  });
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

/** Returns the mean with the percentile interval of its resamples; they are the same for every list of one length. */
export function meanEstimate(values: readonly number[]): Estimate {
  return bootstrap(values.length, (draw) => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[draw(i)] as number;
    return sum / values.length;
  });
}

/** Returns mean(a) / mean(b), where a[i] and b[i] belong together and are drawn together. */
export function ratioEstimate(a: readonly number[], b: readonly number[]): Estimate {
  return bootstrap(a.length, (draw) => {
    let [above, below] = [0, 0];
    for (let i = 0; i < a.length; i++) {
      const from = draw(i);
      above += a[from] as number;
      below += b[from] as number;
    }
    return above / below;
  });
}

function bootstrap(count: number, statistic: (draw: (i: number) => number) => number): Estimate {
  const value = statistic((i) => i);
  const drawn = Float64Array.from({ length: resamples }, (_, resample) =>
    statistic((i) => Math.floor((hash(resample * count + i) / 2 ** 32) * count)),
  ).sort();
  return { value, low: quantile(drawn, 0.025), high: quantile(drawn, 0.975) };
}

/** Returns the q-quantile of sorted numbers, linearly interpolated. */
function quantile(sorted: Float64Array, q: number): number {
  const position = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(position)] as number, sorted[Math.ceil(position)] as number];
  return low === high ? low : low + (position - Math.floor(position)) * (high - low);
}

/** Returns 32 bits that look random and are a bijection of the argument's (lowbias32 of C. Wellons' hash-prospector, 2018). */
function hash(n: number): number {
  let x = (n + 0x9e3779b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
