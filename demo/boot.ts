// Runs before anything else, in any browser: says what is missing instead of leaving a dead page, and starts the worker early.
// A plain script in plain words; what it cannot parse it cannot explain.

/** A function that makes a vector and counts its bits: WebAssembly SIMD in 35 bytes. */
const simd = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

const { main = "", worker = "" } = (document.currentScript as HTMLScriptElement).dataset;

/** Says what is missing, in the place of the page; this script stands at its end. */
function refuse(missing: string): void {
  (document.getElementById("unsupported") as HTMLElement).hidden = false;
  (document.getElementById("missing") as HTMLElement).textContent = missing;
  for (const id of ["app", "model-line"]) (document.getElementById(id) as HTMLElement).hidden = true;
}

function startWorker(): Worker | undefined {
  let asked = false;
  const options = {
    // Read only by browsers that know workers with modules.
    get type() {
      asked = true;
      return "module" as const;
    },
  };
  try {
    const started = new Worker(worker, options);
    if (asked) return started;
    started.terminate();
  } catch {
    // Such as on a page opened from a file.
  }
  return undefined;
}

/** Returns what is missing. */
function start(): string | undefined {
  if (typeof WebAssembly !== "object") return "WebAssembly, which this browser lacks or has switched off";
  if (!WebAssembly.validate(simd)) {
    return "WebAssembly with SIMD, which this browser or this processor lacks (Chrome 91, Firefox 89 and Safari 16.4 have it)";
  }
  if (location.protocol === "file:") return "a web server: start one with npm run demo";
  const started = startWorker();
  if (started === undefined) {
    return "workers that are modules, which this browser lacks (Chrome 80, Firefox 114 and Safari 15 have them)";
  }
  const lost = (name: string) => `its script ${name}, which did not arrive or does not run; reload the page`;
  // Until the page listens for itself.
  started.onerror = () => refuse(lost(worker));
  Object.assign(window, { dcWorker: started });
  const script = document.createElement("script");
  script.type = "module";
  script.src = main;
  script.onerror = () => refuse(lost(main));
  document.head.append(script);
  return undefined;
}

const missing = start();
if (missing !== undefined) refuse(missing);
