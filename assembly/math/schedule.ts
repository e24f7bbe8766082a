// Noise schedules as functions of time and of lambda = ln(alpha/sigma), half the logarithm of the signal-to-noise ratio.
// Variance preserving ones (alpha² + sigma² = 1) go through log alpha: near the data 1 − alpha² cancels and expm1 does not.
// An end with alpha = 0 or sigma = 0 has lambda = ∓Infinity, and the inverses map ∓Infinity back to it exactly.
// Errors are those of Math (below 1 ulp a call) unless a line says more.

/** Returns alpha. */
export function vpAlpha(logAlpha: f64): f64 {
  return Math.exp(logAlpha);
}

/** Returns sigma = sqrt(1 − alpha²); +0 where alpha is 1. */
export function vpSigma(logAlpha: f64): f64 {
  return Math.sqrt(vpVariance(logAlpha));
}

/** Returns lambda = log alpha − log sigma. */
export function vpLambda(logAlpha: f64): f64 {
  return logAlpha - 0.5 * Math.log(vpVariance(logAlpha));
}

/** Returns log alpha at a lambda: −½ softplus(−2 lambda). */
export function vpLogAlpha(lambda: f64): f64 {
  return 0.0 - 0.5 * softplus(-2.0 * lambda);
}

/** Returns 1 − alpha²; "0 − x" and not "−x", which would make −0 of 0. */
function vpVariance(logAlpha: f64): f64 {
  return 0.0 - Math.expm1(2.0 * logAlpha);
}

/** Returns ln(1 + e^a), which neither overflows nor cancels in this form. */
function softplus(a: f64): f64 {
  return Math.max(a, 0.0) + Math.log1p(Math.exp(-Math.abs(a)));
}

/** Returns log alpha = −(beta1 − beta0) t²/4 − beta0 t/2, the integral of beta(t) = beta0 + (beta1 − beta0) t over −2. */
export function linearLogAlpha(t: f64, beta0: f64, beta1: f64): f64 {
  // A constant beta would give 0 · Infinity.
  if (t === Infinity) return -Infinity;
  return -0.25 * t * ((beta1 - beta0) * t + 2.0 * beta0);
}

/** Returns the time t ≥ 0 at which the linear schedule has this lambda; the root is written without cancellation, beta0 = beta1 included. */
export function linearTime(lambda: f64, beta0: f64, beta1: f64): f64 {
  const a = softplus(-2.0 * lambda);
  if (a === 0.0 || a === Infinity) return a;
  return (2.0 * a) / (Math.sqrt(beta0 * beta0 + 2.0 * (beta1 - beta0) * a) + beta0);
}

// The cosine schedule, alpha = cos(b + d)/cos(b) with b = (π/2) s/(1+s), d = (π/2) t/(1+s), s = 0.008
// (Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", equation 17).
const COSINE_RATE: f64 = 1.5583296892806513; // (π/2)/(1+s) = 1.55832968928065140797…
const COSINE_COS: f64 = 0.9999222924809749; // cos b = 0.99992229248097481451…
const COSINE_TAN: f64 = 0.012467283397076806; // tan b = 0.01246728339707680552709358…

/**
 * Returns log alpha of the cosine schedule at 0 ≤ t ≤ 1; −Infinity at 1.
 * Up to t = ½ from 1 − alpha = 2 sin²(d/2) + tan(b) sin(d), which keeps its digits at small t; above from the sine of the
 * angle that is left, which keeps them at t near 1.
 */
export function cosineLogAlpha(t: f64): f64 {
  if (t > 0.5) return Math.log(Math.sin(COSINE_RATE * (1.0 - t)) / COSINE_COS);
  const d = COSINE_RATE * t;
  const half = Math.sin(0.5 * d);
  return Math.log1p(-(2.0 * half * half + COSINE_TAN * Math.sin(d)));
}

/**
 * Returns the time at which the cosine schedule has this lambda.
 * With u = 1 − alpha and x = tan(d/2) the schedule reads (2 − u) x² + 2 tan(b) x − u = 0; u (2 − u) = sigma².
 */
export function cosineTime(lambda: f64): f64 {
  if (lambda === -Infinity) return 1.0;
  const logAlpha = vpLogAlpha(lambda);
  const u = 0.0 - Math.expm1(logAlpha);
  const x = u / (COSINE_TAN + Math.sqrt(COSINE_TAN * COSINE_TAN + vpVariance(logAlpha)));
  return (2.0 * Math.atan(x)) / COSINE_RATE;
}

/** Returns beta number i of `count` that follows the cosine schedule ("squaredcos_cap_v2"): at most 0.999. */
export function cosineBeta(i: i32, count: i32): f64 {
  const n = <f64>count;
  return Math.min(1.0 - squaredCosine(<f64>(i + 1) / n) / squaredCosine(<f64>i / n), 0.999);
}

function squaredCosine(t: f64): f64 {
  const c = Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2.0);
  return c * c;
}

/** Returns lambda of the schedule alpha = 1, sigma = t. */
export function edmLambda(t: f64): f64 {
  return 0.0 - Math.log(t);
}

/** Returns the time at which the schedule alpha = 1, sigma = t has this lambda. */
export function edmTime(lambda: f64): f64 {
  return Math.exp(-lambda);
}

/** Returns lambda of rectified flow, alpha = 1 − t, sigma = t. */
export function flowLambda(t: f64): f64 {
  return Math.log((1.0 - t) / t);
}

/** Returns the time at which rectified flow has this lambda. */
export function flowTime(lambda: f64): f64 {
  return 1.0 / (1.0 + Math.exp(lambda));
}

/** Writes out[n] = ½ Σ_{i ≤ n} ln(1 − betas[i]), log alpha of a discrete schedule, summed from i = 0 on; `out` may be `betas`. */
export function accumulateLogAlpha(betas: usize, count: i32, out: usize): void {
  let sum: f64 = 0.0;
  for (let i = 0; i < count; i++) {
    const offset = (<usize>i) << 3;
    sum += Math.log1p(-load<f64>(betas + offset));
    store<f64>(out + offset, 0.5 * sum);
  }
}

/**
 * Returns the value at x of the line through (x0, y0) and (x1, y1), also outside of them.
 * It starts from the nearer point, so that y0 and y1 come back exactly.
 */
export function interpolate(x0: f64, y0: f64, x1: f64, y1: f64, x: f64): f64 {
  const slope = (y1 - y0) / (x1 - x0);
  return Math.abs(x - x0) < Math.abs(x - x1) ? y0 + (x - x0) * slope : y1 + (x - x1) * slope;
}
