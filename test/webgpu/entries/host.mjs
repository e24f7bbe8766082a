// Deno: the package by its name, the model folders by file URL.
import { outcome } from "./run.mjs";

console.log(JSON.stringify(await outcome(new URL("./", import.meta.url))));
