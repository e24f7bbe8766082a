// The ABI and nothing else: what the host may call, grouped by the file it lives in.
// Pointers are byte addresses in the exported memory, lengths are counts of elements.

/** First address that the module does not use itself. */
export function heapBase(): usize {
  return __heap_base;
}

// kernel
export { exec } from "./kernel/exec";
export { halfToSingle, singleToHalf } from "./kernel/half";
export { dot, gram, squaredError, sum, sumOfSquares } from "./kernel/reduce";
export { absQuantile, clampScale } from "./kernel/select";

// math
export { betaQuantile } from "./math/beta";
export { lagrangeWeights } from "./math/lagrange";
export { minimizePolynomial } from "./math/minimize";
export { atan2, exp, expm1, log, phi, pow, sin } from "./math/phi";
export { leastSquares, leastSquaresWork } from "./math/polyfit";
export {
  accumulateLogAlpha,
  cosineBeta,
  cosineLogAlpha,
  cosineTime,
  edmLambda,
  edmTime,
  flowLambda,
  flowTime,
  interpolate,
  linearLogAlpha,
  linearTime,
  vpAlpha,
  vpLambda,
  vpLogAlpha,
  vpSigma,
} from "./math/schedule";
export {
  searchAsk,
  searchBest,
  searchBestIndex,
  searchBytes,
  searchInit,
  searchTell,
} from "./math/search";
export { solve } from "./math/solve";

// random
export { cudaNormal } from "./random/cuda";
export { MT_STATE_BYTES, mtSeed } from "./random/mt19937";
export { philoxNormal } from "./random/philox";
export { torchNormal, torchNormal64, torchUniform, torchUniform64 } from "./random/torch";
