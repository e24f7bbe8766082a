// docs/schedulers.md says what the runs come to.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { schedulersPage } from "../support/schedulers-page.ts";

it("docs/schedulers.md is what `npm run docs` writes, its figures too", async () => {
  const page = readFileSync(new URL("../../docs/schedulers.md", import.meta.url), "utf8");
  const fresh = await schedulersPage();
  const figure = /(?<=\| )\d+e-\d+(?= \|)/g;
  expect(fresh.replace(figure, "#")).toBe(page.replace(figure, "#"));
  const [here, there] = [fresh, page].map((text) => (text.match(figure) ?? []).map(Number)) as [number[], number[]];
  expect(here.length).toBeGreaterThan(60);
  // Steps of 1, 2, 5: the network of the tests is made with the runtime's own exp, whose last bit may carry a figure over one of them.
  for (const [i, value] of here.entries())
    expect(value <= 1e-9 ? there[i] : (there[i] as number) / value).toBeLessThan(value <= 1e-9 ? 1.1e-9 : 2.6);
}, 60_000);
