// The ratio search, live.
import { lossChart } from "./chart.ts";
import { byId, element, short, showCommand, Task } from "./dom.ts";
import type { SearchResult, SearchStep } from "./protocol.ts";
import { type SearchRules, type Setting, searchCommand } from "./setting.ts";
import type { Store } from "./store.ts";

const status = byId("search-status");
const progress = byId<HTMLProgressElement>("search-progress");
const end = byId("search-end");

const rules = (): SearchRules => ({
  points: Number(byId<HTMLSelectElement>("points").value),
  referenceSteps: Number(byId<HTMLSelectElement>("search-reference").value),
});

/** Starts the section; `forget` drops what was found for another network. */
export function startSearch(store: Store): { forget(): void } {
  const task = new Task({
    abort: byId<HTMLButtonElement>("search-abort"),
    error: byId("search-error"),
    aborted: () => {
      status.textContent = "Stopped.";
      progress.hidden = true;
    },
  });
  let used: (() => void) | undefined;
  const button = byId<HTMLButtonElement>("search");
  store.listen(() => {
    button.disabled = store.model === undefined;
  });
  button.addEventListener("click", () => {
    const { setting } = store;
    if (store.model === undefined) return;
    const asked = rules();
    const found: SearchStep[] = [];
    void task.run(async (signal) => {
      begin(setting);
      const result = await store.client.run(
        "search",
        { setting, ...asked },
        {
          signal,
          onEvent: (event) => {
            if (event.kind === "step") {
              found.push(event);
              showSteps(found, setting.steps);
              return;
            }
            progress.value = event.done / event.total;
            const phase = found.length === 0 && event.done <= asked.referenceSteps ? "the reference" : undefined;
            const next = found.length < setting.steps ? `step ${found.length + 1} of ${setting.steps}` : "judging";
            const text = `Working on ${phase ?? next}…`;
            // Only what is new is worth announcing.
            if (status.textContent !== text) status.textContent = text;
          },
        },
      );
      progress.hidden = true;
      status.textContent = `Found with ${result.nfe} model calls.`;
      showEnd(result);
      const { solver, steps, guidance } = setting;
      const searched = { solver, steps, guidance, ratios: result.ratios };
      store.found(searched);
      used = () => {
        store.found(searched);
        store.change({ ...searched });
        byId("sample").focus({ preventScroll: true });
        byId("sample").scrollIntoView();
      };
    });
  });
  byId("use-ratios").addEventListener("click", () => used?.());
  const command = () => {
    showCommand(byId("search-command"), searchCommand(store.setting, rules(), store.own));
  };
  store.listen(command);
  for (const id of ["points", "search-reference"]) byId(id).addEventListener("input", command);
  command();
  return {
    forget() {
      task.stop();
      used = undefined;
      byId("search-result").hidden = true;
      end.hidden = true;
      progress.hidden = true;
      status.textContent = "";
    },
  };
}

function begin(setting: Setting): void {
  showSteps([], setting.steps);
  byId("search-result").hidden = false;
  end.hidden = true;
  progress.hidden = false;
  progress.value = 0;
}

function showSteps(found: readonly SearchStep[], count: number): void {
  byId("search-chart").replaceChildren(lossChart(found, count));
  const row = ({ step, ratio, loss, lossWithout, nfe }: SearchStep) =>
    element(
      "tr",
      {},
      ...[String(step + 1), ratio.toFixed(4), short(loss), short(lossWithout), String(nfe)].map((text) =>
        element("td", { className: "number" }, text),
      ),
    );
  byId<HTMLTableElement>("search-table").tBodies[0]?.replaceChildren(...found.map(row));
}

function showEnd({ mse, mseWithout, heldOut, heldOutWithout, json }: SearchResult): void {
  const change = (a: number, b: number) => `${short(a)} with, ${short(b)} without (${(a / b).toFixed(2)}×)`;
  const helps = heldOut < heldOutWithout;
  byId("search-verdict").textContent =
    `Error of the pictures searched with: ${change(mse, mseWithout)}. Of others, not seen by the search: ${change(heldOut, heldOutWithout)}. ${helps ? "Compensation helps at this setting." : "Compensation does not help at this setting."}`;
  byId("save-ratios").onclick = () => {
    const href = URL.createObjectURL(new Blob([json], { type: "application/json" }));
    element("a", { href, download: "ratios.json" }).click();
    URL.revokeObjectURL(href);
  };
  end.hidden = false;
}
