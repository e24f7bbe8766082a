// Runs before anything else, in any browser: says what is missing instead of leaving a dead page, and starts the worker early.
// A plain script in plain words; what it cannot parse it cannot explain.

/** A function that makes a vector and counts its bits: WebAssembly SIMD in 35 bytes. */
const simd = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

const { main = "", worker = "" } = (document.currentScript as HTMLScriptElement).dataset;

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
  Object.assign(window, { dcWorker: started });
  const script = document.createElement("script");
  script.type = "module";
  script.src = main;
  document.head.append(script);
  return undefined;
}

const missing = start();
if (missing !== undefined) {
  // Here the script stands at the end of the body.
  const place = document.getElementById("unsupported") as HTMLElement;
  place.hidden = false;
  (document.getElementById("missing") as HTMLElement).textContent = missing;
  (document.getElementById("app") as HTMLElement).hidden = true;
}
