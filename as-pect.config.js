export default {
  entries: ["assembly/**/__tests__/*.spec.ts"],
  include: ["assembly/**/__tests__/*.include.ts"],
  disclude: [/node_modules/],
  reporter: "tools/aspect-reporter.mjs",
  instantiate: (memory, createImports, instantiate, binary) => instantiate(binary, createImports({ env: { memory } })),
  outputBinary: false,
};
