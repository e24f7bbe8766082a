// How far apart two engines of float32 may be that round the same program differently. Derived, not measured.
//
// A sum of n products in float32, fused or not and in any association, is within n·u·Σ|c·x| of the exact one (u = 2^-24, to first
// order; one more n pays for the higher ones). So two of them are apart by twice that where they arise, and the result by the sum of
// that over all operations, each times the derivative of the result to the operation: a number, for all but thresholding is linear.
// The network's outputs are given, and so is noise: both are the same for both engines.
// Thresholding: a quantile moves by no more than its inputs, and clamping to s, scaled by m/s ≤ 1, by no more than inputs and s do
// together: a derivative of at most 2. WGSL gives a division 2.5 ulp, and interpolation, maximum and product are a few more: 8·u times
// the largest number, twice for two engines.

const u = 2 ** -24;

/**
 * Returns, element by element, the largest difference that results of a plan may have.
 * @param network for the k-th call `{ conditional, unconditional }`: outputs of prediction "sample" that do not depend on x
 * @param noise of the start, then of every draw
 */
export function tolerance(plan, guidanceScale, network, noise) {
  const length = noise[0].length;
  const nodes = [];
  const values = new Map();
  /** Notes an operation; `own` is what it errs by itself. */
  const put = (to, terms, data, own) => {
    const node = { terms, data, own, derivative: 0 };
    nodes.push(node);
    values.set(to, node);
  };
  const given = (data) => ({ terms: [], data, own: undefined, derivative: 0 });
  const sum = (to, terms) => {
    const data = new Float64Array(length);
    const own = new Float64Array(length);
    for (const [c, from] of terms) {
      for (let i = 0; i < length; i++) {
        data[i] += c * from.data[i];
        own[i] += 2 * (terms.length + 1) * u * Math.abs(c * from.data[i]);
      }
    }
    put(to, terms, data, own);
  };

  const { alpha, sigma } = plan.steps[0].start;
  // Variance exploding: noise of the first level.
  sum(0, [[alpha === 1 ? sigma : 1, given(noise[0])]]);
  let calls = 0;
  for (const step of plan.steps) {
    for (const operation of step.operations) {
      const { to } = operation;
      if (operation.kind === "combine") {
        const terms = operation.terms.map(([c, from]) => [c, values.get(from)]);
        sum(to, terms);
      } else if (operation.kind === "draw") {
        values.set(to, given(noise[operation.draw]));
      } else if (operation.kind === "clip") {
        const from = values.get(operation.from);
        // How it clips does not matter for what follows, as its result is at most maxValue.
        const size = Math.max(operation.maxValue, ...from.data.map(Math.abs));
        const data = new Float64Array(length).fill(operation.maxValue);
        put(to, [[2, from]], data, new Float64Array(length).fill(16 * u * size));
        values.get(to).clips = true;
      } else {
        const { conditional, unconditional } = network(calls++);
        const pair = [[guidanceScale, given(conditional)]];
        if (guidanceScale !== 1) pair.push([1 - guidanceScale, given(unconditional)]);
        const toNoise = (c) => (-c * operation.alpha) / operation.sigma;
        const converted = [[1 / operation.sigma, values.get(operation.x)], ...pair.map(([c, o]) => [toNoise(c), o])];
        sum(to, operation.space === "sample" ? pair : converted);
      }
    }
  }

  values.get(plan.steps.at(-1).state).derivative = 1;
  const bound = new Float64Array(length);
  for (const node of nodes.reverse()) {
    for (let i = 0; i < length; i++) bound[i] += Math.abs(node.derivative) * node.own[i];
    for (const [c, from] of node.terms)
      from.derivative += c * (node.clips ? Math.abs(node.derivative) : node.derivative);
  }
  return bound;
}
