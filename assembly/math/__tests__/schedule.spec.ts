import {
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
} from "../schedule";
import { relativeError } from "./support";

// Two or three roundings of Math behind each value.
const TIGHT: f64 = 1e-15;
const table = memory.data(8 * 1000);

/** Writes the running log alpha of `linspace(low, high)` betas, each squared if `squared`, over `table`. */
function fill(low: f64, high: f64, squared: bool): void {
  for (let i = 0; i < 1000; i++) {
    const beta = low + (high - low) * (<f64>i / 999.0);
    store<f64>(table + ((<usize>i) << 3), squared ? beta * beta : beta);
  }
  accumulateLogAlpha(table, 1000, table);
}

function logAlphaAt(index: i32): f64 {
  return load<f64>(table + ((<usize>index) << 3));
}

function alphaBar(index: i32): f64 {
  return Math.exp(2.0 * logAlphaAt(index));
}

describe("variance preserving schedules", () => {
  test("alpha and sigma are on the unit circle, and lambda is the logarithm of their quotient", () => {
    for (let logAlpha: f64 = -12.0; logAlpha < -1e-3; logAlpha += 0.0137) {
      const alpha = vpAlpha(logAlpha);
      const sigma = vpSigma(logAlpha);
      expect(relativeError(alpha * alpha + sigma * sigma, 1.0)).toBeLessThan(TIGHT);
      expect(Math.abs(vpLambda(logAlpha) - Math.log(alpha / sigma))).toBeLessThan(1e-13);
    }
  });

  test("vpLogAlpha meets high-precision values at both ends", () => {
    expect(relativeError(vpLogAlpha(-20.0), -20.0)).toBeLessThan(TIGHT);
    expect(relativeError(vpLogAlpha(-1.0), -1.0634640055214863)).toBeLessThan(TIGHT);
    expect(relativeError(vpLogAlpha(0.0), -0.34657359027997264)).toBeLessThan(TIGHT);
    expect(relativeError(vpLogAlpha(0.5), -0.1566308437591114)).toBeLessThan(TIGHT);
    expect(relativeError(vpLogAlpha(3.0), -0.0012378425688652247)).toBeLessThan(TIGHT);
    expect(relativeError(vpLogAlpha(30.0), -4.37825538134826e-27)).toBeLessThan(TIGHT);
  });

  test("vpLambda inverts vpLogAlpha", () => {
    for (let lambda: f64 = -15.0; lambda <= 15.0; lambda += 0.123) {
      expect(Math.abs(vpLambda(vpLogAlpha(lambda)) - lambda)).toBeLessThan(1e-14);
    }
  });

  test("the ends without noise and without signal have lambda Infinity and -Infinity, and come back", () => {
    expect(vpLambda(0.0)).toBe(Infinity);
    expect(vpLambda(-0.0)).toBe(Infinity);
    expect(vpLambda(-Infinity)).toBe(-Infinity);
    expect(vpLogAlpha(Infinity)).toBe(0.0);
    expect(vpLogAlpha(-Infinity)).toBe(-Infinity);
    expect(vpAlpha(-Infinity)).toBe(0.0);
    expect(vpSigma(-Infinity)).toBe(1.0);
    // The bits of +0: a sign would show in a serialised plan.
    expect(reinterpret<u64>(vpSigma(0.0))).toBe(0);
    expect(reinterpret<u64>(vpSigma(-0.0))).toBe(0);
    expect(reinterpret<u64>(vpLogAlpha(Infinity))).toBe(0);
  });
});

describe("the linear schedule", () => {
  test("meets high-precision values of log alpha and lambda", () => {
    expect(relativeError(linearLogAlpha(1e-6, 0.1, 20.0), -5.0004975e-8)).toBeLessThan(TIGHT);
    expect(relativeError(linearLogAlpha(0.5, 0.1, 20.0), -1.26875)).toBeLessThan(TIGHT);
    expect(relativeError(vpLambda(linearLogAlpha(1e-6, 0.1, 20.0)), 8.058998052951571)).toBeLessThan(TIGHT);
    expect(relativeError(vpLambda(linearLogAlpha(1e-3, 0.1, 20.0)), 4.557714932729898)).toBeLessThan(TIGHT);
    expect(relativeError(vpLambda(linearLogAlpha(0.1, 0.1, 20.0)), 1.078290592942433)).toBeLessThan(TIGHT);
    expect(relativeError(vpLambda(linearLogAlpha(0.9, 0.1, 20.0)), -4.074605539251399)).toBeLessThan(TIGHT);
    expect(relativeError(vpLambda(linearLogAlpha(1.0, 0.1, 20.0)), -5.024978406659204)).toBeLessThan(TIGHT);
  });

  test("linearTime inverts lambda, also for a constant beta and for one that starts at 0", () => {
    for (let t: f64 = 1e-5; t <= 1.0; t += 0.00731) {
      expect(relativeError(linearTime(vpLambda(linearLogAlpha(t, 0.1, 20.0)), 0.1, 20.0), t)).toBeLessThan(2e-14);
      expect(relativeError(linearTime(vpLambda(linearLogAlpha(t, 2.0, 2.0)), 2.0, 2.0), t)).toBeLessThan(2e-14);
      expect(relativeError(linearTime(vpLambda(linearLogAlpha(t, 0.0, 9.0)), 0.0, 9.0), t)).toBeLessThan(2e-14);
    }
  });

  test("maps an infinite lambda to time 0 and to infinite time", () => {
    expect(vpLambda(linearLogAlpha(0.0, 0.1, 20.0))).toBe(Infinity);
    expect(linearTime(Infinity, 0.1, 20.0)).toBe(0.0);
    expect(linearTime(Infinity, 0.0, 20.0)).toBe(0.0);
    expect(linearTime(-Infinity, 0.1, 20.0)).toBe(Infinity);
    expect(linearLogAlpha(Infinity, 0.1, 20.0)).toBe(-Infinity);
    expect(linearLogAlpha(Infinity, 2.0, 2.0)).toBe(-Infinity);
  });
});

describe("the cosine schedule", () => {
  test("meets high-precision values of log alpha, digits kept at both ends", () => {
    expect(relativeError(cosineLogAlpha(1e-6), -1.9429352246792768e-8)).toBeLessThan(TIGHT);
    expect(relativeError(cosineLogAlpha(1e-3), -2.0642538519421432e-5)).toBeLessThan(TIGHT);
    expect(relativeError(cosineLogAlpha(0.1), -0.014152035259669156)).toBeLessThan(TIGHT);
    expect(relativeError(cosineLogAlpha(0.5), -0.3527682152348333)).toBeLessThan(TIGHT);
    expect(relativeError(cosineLogAlpha(0.7), -0.7969755421177179)).toBeLessThan(TIGHT);
    expect(relativeError(cosineLogAlpha(0.9946), -4.777675881243388)).toBeLessThan(TIGHT);
    expect(relativeError(cosineLogAlpha(0.999999), -13.371818311757234)).toBeLessThan(1e-12); // 1 − t has 11 digits
  });

  test("meets high-precision values of lambda", () => {
    expect(relativeError(vpLambda(cosineLogAlpha(1e-6)), 8.53166685595539)).toBeLessThan(TIGHT);
    expect(relativeError(vpLambda(cosineLogAlpha(1e-3)), 5.047494405731033)).toBeLessThan(TIGHT);
    expect(relativeError(vpLambda(cosineLogAlpha(0.1)), 1.7752821175083653)).toBeLessThan(TIGHT);
    expect(Math.abs(vpLambda(cosineLogAlpha(0.5)) + 0.012313441405757273)).toBeLessThan(TIGHT);
    expect(relativeError(vpLambda(cosineLogAlpha(0.9946)), -4.777640469375091)).toBeLessThan(TIGHT);
  });

  test("cosineTime inverts lambda to relative 2e-14", () => {
    for (let t: f64 = 1e-5; t < 1.0; t += 0.00731) {
      expect(relativeError(cosineTime(vpLambda(cosineLogAlpha(t))), t)).toBeLessThan(2e-14);
    }
  });

  test("falls strictly across the seam between its two forms", () => {
    let last = cosineLogAlpha(0.5 - 1e-12);
    for (let i = -9; i < 10; i++) {
      const next = cosineLogAlpha(0.5 + <f64>i * 1e-13);
      expect(next).toBeLessThan(last);
      last = next;
    }
  });

  test("maps an infinite lambda to 0 and 1 exactly", () => {
    expect(vpLambda(cosineLogAlpha(0.0))).toBe(Infinity);
    expect(vpLambda(cosineLogAlpha(1.0))).toBe(-Infinity);
    expect(cosineTime(Infinity)).toBe(0.0);
    expect(cosineTime(-Infinity)).toBe(1.0);
  });
});

describe("edm", () => {
  test("lambda is -ln t, and comes back, both infinities included", () => {
    expect(edmLambda(1.0)).toBe(0.0);
    expect(relativeError(edmLambda(80.0), -4.382026634673881)).toBeLessThan(TIGHT);
    for (let t: f64 = 0.002; t < 80.0; t *= 1.07) {
      expect(relativeError(edmTime(edmLambda(t)), t)).toBeLessThan(2e-15);
    }
    expect(edmLambda(0.0)).toBe(Infinity);
    expect(edmTime(Infinity)).toBe(0.0);
    expect(edmLambda(Infinity)).toBe(-Infinity);
    expect(edmTime(-Infinity)).toBe(Infinity);
  });
});

describe("rectified flow", () => {
  test("lambda is ln((1 - t)/t)", () => {
    expect(relativeError(flowLambda(1e-6), 13.815509557963773)).toBeLessThan(TIGHT);
    expect(relativeError(flowLambda(0.3), 0.8472978603872037)).toBeLessThan(TIGHT);
    expect(flowLambda(0.5)).toBe(0.0);
    expect(relativeError(flowLambda(0.9), -2.1972245773362196)).toBeLessThan(TIGHT);
  });

  test("flowTime inverts lambda, both ends exactly", () => {
    for (let t: f64 = 1e-5; t < 1.0; t += 0.00731) {
      expect(relativeError(flowTime(flowLambda(t)), t)).toBeLessThan(2e-14);
    }
    expect(flowLambda(0.0)).toBe(Infinity);
    expect(flowLambda(1.0)).toBe(-Infinity);
    expect(flowTime(Infinity)).toBe(0.0);
    expect(flowTime(-Infinity)).toBe(1.0);
  });
});

describe("discrete schedules", () => {
  // Published digits: tables of alpha bar and lambda of the usual three beta schedules.
  test("scaled_linear has the published alpha bar and lambda", () => {
    fill(Math.sqrt(0.00085), Math.sqrt(0.012), true);
    expect(relativeError(alphaBar(0), 0.99915)).toBeLessThan(1e-15);
    expect(relativeError(alphaBar(499), 0.27766965)).toBeLessThan(1e-8);
    expect(relativeError(alphaBar(999), 0.0046601)).toBeLessThan(1e-5);
    expect(Math.abs(vpLambda(logAlphaAt(999)) + 2.68202385)).toBeLessThan(5e-9);
    expect(Math.abs(vpLambda(logAlphaAt(499)) + 0.47802524)).toBeLessThan(5e-9);
    expect(Math.abs(vpLambda(logAlphaAt(0)) - 3.53471192)).toBeLessThan(5e-9);
  });

  test("linear has the published alpha bar", () => {
    fill(1e-4, 0.02, false);
    expect(relativeError(alphaBar(0), 0.9999)).toBeLessThan(1e-15);
    expect(relativeError(alphaBar(499), 0.0785872429)).toBeLessThan(1e-9);
    expect(relativeError(alphaBar(999), 4.03582977e-5)).toBeLessThan(1e-8);
  });

  test("squaredcos_cap_v2 has the published alpha bar, its last beta capped", () => {
    for (let i = 0; i < 1000; i++) store<f64>(table + ((<usize>i) << 3), cosineBeta(i, 1000));
    expect(logAlphaAt(999)).toBe(0.999);
    accumulateLogAlpha(table, 1000, table);
    expect(relativeError(alphaBar(0), 0.999958716)).toBeLessThan(1e-9);
    expect(relativeError(alphaBar(499), 0.49384359)).toBeLessThan(1e-9);
    expect(relativeError(alphaBar(999), 2.42876691e-9)).toBeLessThan(1e-8);
  });

  test("an empty table is left alone", () => {
    store<f64>(table, 7.0);
    accumulateLogAlpha(table, 0, table);
    expect(load<f64>(table)).toBe(7.0);
  });
});

describe("interpolate", () => {
  test("gives both points back exactly, in either order", () => {
    expect(interpolate(0.1, 0.7, 0.3, 0.2, 0.1)).toBe(0.7);
    expect(interpolate(0.1, 0.7, 0.3, 0.2, 0.3)).toBe(0.2);
    expect(interpolate(0.3, 0.2, 0.1, 0.7, 0.1)).toBe(0.7);
    expect(interpolate(0.3, 0.2, 0.1, 0.7, 0.3)).toBe(0.2);
  });

  test("goes along the line between and outside of them", () => {
    expect(interpolate(1.0, 2.0, 3.0, 6.0, 1.5)).toBe(3.0);
    expect(interpolate(1.0, 2.0, 3.0, 6.0, -1.0)).toBe(-2.0);
    expect(interpolate(1.0, 2.0, 3.0, 6.0, 5.0)).toBe(10.0);
  });
});
