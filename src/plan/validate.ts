// Refuses plans that cannot be right: values read before they are written, and steps that would not keep a clean signal clean.
// With x = alpha·x₀ + sigma·ε, a state a·x_s + Σ b·x₀ + Σ e·ε + Σ c·z that claims to be at (alpha_t, sigma_t) must satisfy
//   a·alpha_s + Σ b = alpha_t     and     (a·sigma_s + Σ e)² + Σ c² = sigma_t²
// whatever the order of the method: exact for data at one point. A table with a wrong sign refuses to exist. A step that says it is
// not consistent is taken at its word: what it ends with counts as being where it says.
import { inputs, type Operation, type PlanStep, type Point, type ValueId } from "./plan.ts";

/** Coefficients of a state after inlining what the step itself computes: over the step's start state, outputs and noises. */
interface Form {
  state: number;
  sample: number;
  epsilon: number;
  noise: Map<ValueId, number>;
  /** Sums of magnitudes, in units of alpha and sigma: what a rounding error is small against. */
  alphaScale: number;
  sigmaScale: number;
}

// Coefficients are float64 and a few operations deep; order 6 on coarse grids cancels five digits.
const tolerance = 1e-9;

function atom(part: Partial<Form>): Form {
  return { state: 0, sample: 0, epsilon: 0, noise: new Map(), alphaScale: 0, sigmaScale: 0, ...part };
}

function mix(terms: readonly (readonly [number, Form])[]): Form {
  const sum = atom({});
  for (const [c, form] of terms) {
    sum.state += c * form.state;
    sum.sample += c * form.sample;
    sum.epsilon += c * form.epsilon;
    for (const [z, weight] of form.noise) sum.noise.set(z, (sum.noise.get(z) ?? 0) + c * weight);
    sum.alphaScale += Math.abs(c) * form.alphaScale;
    sum.sigmaScale += Math.abs(c) * form.sigmaScale;
  }
  return sum;
}

function isAt(form: Form, start: Point, point: Point): boolean {
  const alpha = form.state * start.alpha + form.sample;
  const signal = form.state * start.sigma + form.epsilon;
  let variance = signal * signal;
  for (const c of form.noise.values()) variance += c * c;
  return (
    Math.abs(alpha - point.alpha) <= tolerance * (form.alphaScale + point.alpha) &&
    Math.abs(Math.sqrt(variance) - point.sigma) <= tolerance * (form.sigmaScale + point.sigma) &&
    signal >= -tolerance * form.sigmaScale
  );
}

/** Returns whether a form that a model output was converted to is x₀, or ε, and nothing else. */
function isPure(form: Form, start: Point, space: "sample" | "epsilon"): boolean {
  return isAt(form, start, space === "sample" ? { t: 0, alpha: 1, sigma: 0 } : { t: 0, alpha: 0, sigma: 1 });
}

/**
 * Checks that every value is written once and read later, that outputs and draws are numbered in order, that coefficients are
 * finite, and that every state is consistent with the noise level it claims.
 * @throws RangeError naming the step.
 */
export function validate(grid: ArrayLike<number>, steps: readonly PlanStep[]): void {
  const fail = (k: number, what: string): never => {
    throw new RangeError(`"steps[${k}]": expected a step that keeps a clean signal clean, got one in which ${what}`);
  };
  let written = 0;
  let draws = 0;
  let state: ValueId = 0;
  const outputs = new Map<ValueId, "sample" | "epsilon">();
  const defined = (value: ValueId) => Number.isInteger(value) && value >= 0 && value <= written;

  for (const [k, step] of steps.entries()) {
    const { start, end } = step;
    if (start.t !== grid[k] || end.t !== grid[k + 1]) fail(k, "the times are not those of the grid");
    const claims = step.consistent !== false;
    const made = new Map(step.outputs.map((o) => [o.value, o.value === o.denoised ? "sample" : "epsilon"] as const));
    const forms = new Map<ValueId, Form>([
      [state, atom({ state: 1, alphaScale: start.alpha, sigmaScale: start.sigma })],
    ]);
    const form = (value: ValueId): Form => {
      const space = outputs.get(value);
      if (space === "sample") return atom({ sample: 1, alphaScale: 1 });
      if (space === "epsilon") return atom({ epsilon: 1, sigmaScale: 1 });
      const own = forms.get(value);
      // A step without claims may read what it likes.
      if (own !== undefined || (!claims && defined(value))) return own ?? atom({});
      return fail(k, `value ${value} is read that is neither the start state, nor an output, nor the step's own`);
    };
    const derive = (operation: Operation): Form => {
      switch (operation.kind) {
        case "draw":
          if (operation.draw !== ++draws) fail(k, `draw ${operation.draw} is out of order`);
          return atom({ noise: new Map([[operation.to, 1]]), sigmaScale: 1 });
        case "evaluate":
          if (!(operation.sigma > 0)) fail(k, "the model is called without noise");
          if (claims && !isAt(form(operation.x), start, operation))
            fail(k, `the state of the call at t = ${operation.t} is inconsistent`);
          return atom(operation.space === "sample" ? { sample: 1, alphaScale: 1 } : { epsilon: 1, sigmaScale: 1 });
        case "clip":
          return atom({ sample: 1, alphaScale: 1 });
        case "combine": {
          if (!operation.terms.every(([c]) => Number.isFinite(c)))
            fail(k, `value ${operation.to} has a coefficient that is not finite`);
          if (operation.replaces !== undefined) checkCompensation(k, operation.replaces, operation.terms);
          return mix(operation.terms.map(([c, from]) => [c, form(from)] as const));
        }
      }
    };
    const checkCompensation = (k: number, replaced: ValueId, terms: readonly (readonly [number, ValueId])[]) => {
      const space = outputs.get(replaced);
      const sum = terms.reduce((s, [c]) => s + c, 0);
      const scale = terms.reduce((s, [c]) => s + Math.abs(c), 1);
      if (
        space === undefined ||
        terms.some(([, from]) => outputs.get(from) !== space) ||
        !(Math.abs(sum - 1) <= tolerance * scale)
      ) {
        fail(k, "a compensation is not an interpolation of model outputs");
      }
    };

    for (const operation of step.operations) {
      if (!inputs(operation).every(defined)) fail(k, `value ${operation.to} reads a value that does not exist yet`);
      if (operation.to !== written + 1) fail(k, `value ${operation.to} is out of order`);
      const derived = derive(operation);
      written++;
      if (operation.kind === "combine" && operation.replaces !== undefined) {
        outputs.set(operation.to, outputs.get(operation.replaces) as "sample" | "epsilon");
      } else if (made.has(operation.to)) {
        const space = made.get(operation.to) as "sample" | "epsilon";
        if (claims && !isPure(derived, start, space)) fail(k, `value ${operation.to} is no ${space}`);
        outputs.set(operation.to, space);
      } else forms.set(operation.to, derived);
    }
    for (const output of step.outputs) {
      if (!outputs.has(output.value) || !defined(output.denoised)) fail(k, "an output does not exist");
      if (claims && !isPure(form(output.denoised), start, "sample")) fail(k, `value ${output.denoised} is no sample`);
    }
    if (!defined(step.state)) fail(k, "the state does not exist");
    if (claims && !isAt(form(step.state), start, end)) fail(k, `the state is inconsistent with t = ${end.t}`);
    // What was worked out to be ε may be read later as an output may: methods in noise average it on grids that have no such space.
    for (const [value, own] of forms) {
      if (own.noise.size === 0 && isPure(own, start, "epsilon")) outputs.set(value, "epsilon");
    }
    state = step.state;
  }
}
