// @ts-check

/**
 * Returns after a turn of the event loop. ONNX Runtime's WebAssembly works on this thread: without a turn between two calls nothing else
 * is heard, no signal of the process, no message to a worker that the run is to end.
 */
export const turn = () => new Promise((resolve) => (globalThis.setImmediate ?? setTimeout)(resolve));
