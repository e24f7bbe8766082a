// One visit of a runtime: either it tells its bits, or it measures. The benchmark replaces the settings before each visit.
import { measure } from "../measure.mjs";
import { scenario } from "../scenario.mjs";
import { hashing } from "./settings.mjs";

export async function task(means) {
  if (!hashing) return measure(means);
  const { hash } = await scenario(await means.load());
  return { hash };
}
