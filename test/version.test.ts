import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { libraryVersion } from "../src/version.ts";

it("the library writes the version of its package into its files", () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect(libraryVersion).toBe(version);
});
