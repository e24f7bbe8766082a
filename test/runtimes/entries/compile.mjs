// A worker that compiles the module for its page.
postMessage(await WebAssembly.compileStreaming(fetch("/node_modules/dc-solver/dist/dc-solver.wasm")));
