// How digit-like pictures are: accuracy and features of the classifier, and the Fréchet distance of features to the training digits'.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { OrtLike } from "../../src/onnx/index.ts";
import { root } from "../support/report.ts";
import type { Digit } from "./beds.ts";

const folder = join(root, "test/fixtures/classifier");
const features = 64;
const batch = 100;

export interface Judgement {
  /** Share of pictures that the classifier takes for what they should be. */
  readonly accuracy: number;
  readonly frechet: number;
}

interface Moments {
  readonly mean: readonly number[];
  readonly covariance: Matrix;
}

interface ReferenceFile {
  readonly mean: number[];
  readonly covariance: number[];
  readonly heldOut: [number, number][];
  readonly heldOutFrechetToTraining: number;
}

export interface Judge {
  /** Judges pictures that should show `labels`. */
  judge(pictures: Float32Array, labels: readonly number[]): Promise<Judgement>;
  /** Judges `count` digits that neither network has seen; as many of each label, in the order of the file. */
  judgeHeldOut(count: number): Promise<Judgement>;
  /** The distance of all held-out digits, and what the file says it is. */
  readonly check: () => Promise<{ frechet: number; expected: number }>;
}

export async function readJudge(ort: OrtLike, provider: string, digits: readonly Digit[][]): Promise<Judge> {
  const bytes = new Uint8Array(readFileSync(join(folder, "classifier.onnx")));
  const session = await ort.InferenceSession.create(bytes, { executionProviders: [provider] });
  const file = JSON.parse(readFileSync(join(folder, "reference-features.json"), "utf8")) as ReferenceFile;
  const reference = { mean: file.mean, covariance: square(file.covariance) };
  const root = squareRoot(reference.covariance);

  async function judge(pictures: Float32Array, labels: readonly number[]): Promise<Judgement> {
    const rows: Float32Array[] = [];
    let right = 0;
    for (let from = 0; from < labels.length; from += batch) {
      const own = labels.slice(from, from + batch);
      const sample = new ort.Tensor("float32", pictures.slice(784 * from, 784 * (from + own.length)), [
        own.length,
        1,
        28,
        28,
      ]);
      const output = await session.run({ sample });
      const [logits, values] = [output.logits.data as Float32Array, output.features.data as Float32Array];
      for (const [i, label] of own.entries()) {
        const scores = logits.subarray(10 * i, 10 * (i + 1));
        if (scores.indexOf(Math.max(...scores)) === label) right++;
        rows.push(values.slice(features * i, features * (i + 1)));
      }
    }
    return { accuracy: right / labels.length, frechet: frechet(momentsOf(rows), reference, root) };
  }

  function judgeDigits(chosen: readonly [number, number][]): Promise<Judgement> {
    const pictures = new Float32Array(784 * chosen.length);
    for (const [i, [label, index]] of chosen.entries()) pictures.set(digits[label]?.[index] as Digit, 784 * i);
    return judge(
      pictures,
      chosen.map(([label]) => label),
    );
  }

  return {
    judge,
    judgeHeldOut(count) {
      const each = Array.from({ length: 10 }, (_, label) => file.heldOut.filter((entry) => entry[0] === label));
      const chosen = Array.from({ length: count }, (_, i) => each[i % 10]?.[Math.floor(i / 10)]);
      const there = chosen.filter((entry) => entry !== undefined);
      if (there.length < count) throw new Error(`there are only ${there.length} held-out digits with labels in turn`);
      return judgeDigits(there);
    },
    check: async () => ({
      frechet: (await judgeDigits(file.heldOut)).frechet,
      expected: file.heldOutFrechetToTraining,
    }),
  };
}

function square(values: ArrayLike<number>): Matrix {
  return Matrix.from1DArray(features, features, Array.from(values));
}

/** Returns mean and covariance (over n − 1) of rows. */
function momentsOf(rows: readonly Float32Array[]): Moments {
  const all = new Matrix(rows.map((row) => Array.from(row)));
  const mean = all.mean("column");
  const centred = all.subRowVector(mean);
  return {
    mean,
    covariance: centred
      .transpose()
      .mmul(centred)
      .div(rows.length - 1),
  };
}

/** Returns the symmetric square root of a symmetric matrix without negative eigenvalues but for rounding. */
function squareRoot(matrix: Matrix): Matrix {
  const { realEigenvalues, eigenvectorMatrix: vectors } = new EigenvalueDecomposition(matrix, {
    assumeSymmetric: true,
  });
  const roots = Matrix.diag(realEigenvalues.map((v) => Math.sqrt(Math.max(v, 0))));
  return vectors.mmul(roots).mmul(vectors.transpose());
}

/**
 * Returns |m₁ − m₂|² + tr C₁ + tr C₂ − 2 tr (C₁C₂)^½ (Dowson and Landau 1982). C₁C₂ has the eigenvalues of the symmetric R C₁ R with
 * R = C₂^½, `root`.
 */
function frechet(a: Moments, b: Moments, root: Matrix): number {
  const between = a.mean.reduce((sum, m, i) => sum + (m - (b.mean[i] as number)) ** 2, 0);
  const product = root.mmul(a.covariance).mmul(root);
  // Exactly symmetric, which products of rounded numbers are not.
  const symmetric = Matrix.add(product, product.transpose()).div(2);
  const { realEigenvalues } = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true });
  const overlap = realEigenvalues.reduce((sum, v) => sum + Math.sqrt(Math.max(v, 0)), 0);
  return between + a.covariance.trace() + b.covariance.trace() - 2 * overlap;
}
