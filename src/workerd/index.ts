// Entry `dc-solver/workerd`.
export { installOrtWasm } from "./install-ort.ts";
