// What a raw network output means: every parameterisation is affine in (x, o), so it folds into the coefficients of the next combination.
import * as check from "../check.ts";
import { wasm } from "../wasm/module.ts";

/** What a network's raw output means, given x = alpha·x₀ + sigma·ε: `score` is −ε/sigma, `v_prediction` alpha·ε − sigma·x₀, `flow_prediction` ε − x₀. */
export type PredictionType = "epsilon" | "sample" | "v_prediction" | "score" | "flow_prediction";

/** A prediction that is affine in the output: x₀ = skip(t)·x + out(t)·o, where the network was given in(t)·x (default 1). */
export interface AffinePrediction {
  skip(t: number): number;
  out(t: number): number;
  in?(t: number): number;
}

/** The space a solver works in: data prediction x₀ or noise prediction ε. */
export type Space = "sample" | "epsilon";

/** A point of a schedule: x = alpha·x₀ + sigma·ε at time t. */
export interface Point {
  readonly t: number;
  readonly alpha: number;
  readonly sigma: number;
}

/** Names of the predictions, for messages. */
export const predictionTypes = ["epsilon", "sample", "v_prediction", "score", "flow_prediction"] as const;

/** value = skip·x + out·o, where the network was given input·x. */
export interface Conversion {
  readonly input: number;
  readonly skip: number;
  readonly out: number;
}

/** A model call: its noise level, the factor of its input, and the deviation of the data if the network is one of EDM's. */
export interface NetworkPoint extends Point {
  readonly input?: number;
  readonly sigmaData?: number;
}

/**
 * Returns how a raw output at noise level (alpha, sigma) becomes x₀ or ε. Each form goes there directly: through ε and a division
 * by a tiny alpha, v and x₀ would lose what they know. An affine prediction says itself what its input is.
 * @throws RangeError where the output does not determine the value.
 */
export function conversion(
  prediction: PredictionType | AffinePrediction,
  { t, alpha, sigma, input = 1, sigmaData }: NetworkPoint,
  space: Space,
): Conversion {
  if (typeof prediction === "object" || sigmaData !== undefined) {
    const [own, skip, out] =
      typeof prediction === "object"
        ? [prediction.in === undefined ? 1 : prediction.in(t), prediction.skip(t), prediction.out(t)]
        : preconditioned(prediction, sigma, sigmaData as number);
    for (const [name, value] of Object.entries({ in: own, skip, out })) check.finite(`prediction.${name}(${t})`, value);
    if (space === "sample") return { input: own, skip, out };
    return { input: own, skip: (1 - alpha * skip) / sigma, out: (-alpha * out) / sigma };
  }
  if (alpha === 0 && (prediction === "epsilon" || prediction === "score")) {
    const remedy = `at alpha = 0 (t = ${t}) it does not determine x₀; start the grid where alpha > 0`;
    check.wrongValue("prediction", '"v_prediction", "sample" or "flow_prediction"', prediction, remedy);
  }
  // The network sees input·x, at level (input·alpha, input·sigma): x₀ and ε are the same, the factor of its input is not.
  const [skip, out] = table(prediction, input * alpha, input * sigma)[space];
  return { input, skip: input * skip, out };
}

/** Returns what diffusers' EDM classes mean by `epsilon` (Karras et al. 2022, table 1) and by `v_prediction` (its sign turned). */
function preconditioned(
  prediction: PredictionType,
  sigma: number,
  sigmaData: number,
): readonly [input: number, skip: number, out: number] {
  const name = check.oneOf("prediction", prediction, ["epsilon", "v_prediction"]);
  const { in: input, skip, out } = edmPreconditioning({ sigmaData });
  return [(input as (t: number) => number)(sigma), skip(sigma), name === "epsilon" ? out(sigma) : -out(sigma)];
}

function table(
  prediction: PredictionType,
  alpha: number,
  sigma: number,
): Record<Space, readonly [skip: number, out: number]> {
  switch (prediction) {
    case "epsilon":
      return { sample: [1 / alpha, -sigma / alpha], epsilon: [0, 1] };
    case "sample":
      return { sample: [0, 1], epsilon: [1 / sigma, -alpha / sigma] };
    case "v_prediction": {
      // o = alpha·ε − sigma·x₀; on a variance-preserving schedule the norm is 1.
      const norm = alpha * alpha + sigma * sigma;
      return { sample: [alpha / norm, -sigma / norm], epsilon: [sigma / norm, alpha / norm] };
    }
    case "score":
      return { sample: [1 / alpha, (sigma * sigma) / alpha], epsilon: [0, -sigma] };
    case "flow_prediction": {
      // o = ε − x₀; in rectified flow alpha + sigma = 1.
      const sum = alpha + sigma;
      return { sample: [1 / sum, -sigma / sum], epsilon: [1 / sum, alpha / sum] };
    }
  }
}

/** Returns `value` if it is a prediction. */
export function checkPrediction(value: unknown, name = "prediction"): PredictionType | AffinePrediction {
  if (typeof value === "string") return check.oneOf(name, value, predictionTypes);
  if (typeof value !== "object" || value === null) {
    const names = predictionTypes.map((type) => JSON.stringify(type)).join(", ");
    check.wrongType(name, `one of ${names}, or an object with skip and out`, value);
  }
  const affine = check.object(name, value) as unknown as AffinePrediction;
  for (const member of ["skip", "out"] as const) {
    if (typeof affine[member] !== "function") check.wrongType(`${name}.${member}`, "a function of t", affine[member]);
  }
  if (affine.in !== undefined && typeof affine.in !== "function")
    check.wrongType(`${name}.in`, "a function of t", affine.in);
  return affine;
}

/**
 * Returns the preconditioning of EDM networks (Karras et al. 2022, arXiv 2206.00364, table 1) as an affine prediction, with the time
 * they are told: skip = s²/(σ² + s²), out = σs/√(σ² + s²), in = 1/√(σ² + s²), ln(σ)/4, where σ = t and s = sigmaData (default 0.5).
 * @throws TypeError, RangeError for a sigmaData that is no number > 0.
 */
export function edmPreconditioning(
  o: { sigmaData?: number } = {},
): AffinePrediction & { modelTime(t: number): number } {
  const given = check.options<{ sigmaData: number }>("edmPreconditioning", o, ["sigmaData"]);
  const { sigmaData = 0.5 } = given;
  const s = check.positive("sigmaData", sigmaData);
  const norm = (t: number) => Math.sqrt(t * t + s * s);
  return Object.freeze({
    skip: (t: number) => (s * s) / (t * t + s * s),
    out: (t: number) => (t * s) / norm(t),
    in: (t: number) => 1 / norm(t),
    modelTime: (t: number) => wasm().log(t) / 4,
  });
}
