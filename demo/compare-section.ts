// Solvers side by side in a table.
import { byId, element, milliseconds, short, Task } from "./dom.ts";
import { strip } from "./pictures.ts";
import type { Row } from "./protocol.ts";
import type { Store } from "./store.ts";

const status = byId("compare-status");
const progress = byId<HTMLProgressElement>("compare-progress");
const table = byId<HTMLTableElement>("compare-table");

/** Starts the section; `forget` drops what another network made. */
export function startCompare(store: Store): { forget(): void } {
  const task = new Task({
    abort: byId<HTMLButtonElement>("compare-abort"),
    error: byId("compare-error"),
    aborted: () => {
      status.textContent = "Stopped.";
      progress.hidden = true;
    },
  });
  const button = byId<HTMLButtonElement>("compare");
  store.listen(() => {
    button.disabled = store.model === undefined;
  });
  button.addEventListener("click", () => {
    const { setting, model } = store;
    if (model === undefined) return;
    const ratios = setting.solver === "unipc" ? store.fitting : undefined;
    const referenceSteps = Number(byId<HTMLSelectElement>("compare-reference").value);
    const body = table.tBodies[0] as HTMLTableSectionElement;
    const rows: Row[] = [];
    void task.run(async (signal) => {
      body.replaceChildren();
      table.hidden = false;
      progress.hidden = false;
      progress.value = 0;
      status.textContent = "Drawing the reference…";
      await store.client.run(
        "compare",
        { setting, ratios, referenceSteps },
        {
          signal,
          onEvent: (event) => {
            if (event.kind === "progress") {
              progress.value = event.done / event.total;
              return;
            }
            rows.push(event);
            body.append(rowOf(event, model.shape));
            status.textContent = `Done: ${event.name}.`;
          },
        },
      );
      progress.hidden = true;
      const best = rows.filter((row) => row.error !== undefined).sort((a, b) => (a.error ?? 0) - (b.error ?? 0))[0];
      for (const [i, row] of rows.entries()) body.rows[i]?.classList.toggle("best", row === best);
      status.textContent = `${setting.steps} steps, guidance ${setting.guidance}, seed ${setting.seed}: ${best === undefined ? "none got through" : `${best.name} is nearest to the reference`}.`;
    });
  });
  return {
    forget() {
      task.stop();
      table.hidden = true;
      progress.hidden = true;
      status.textContent = "";
    },
  };
}

function rowOf({ name, data, nfe, error, milliseconds: time, note }: Row, shape: readonly number[]): HTMLElement {
  const head = element("th", { scope: "row" }, name);
  if (data === undefined) {
    return element("tr", {}, head, element("td", { colSpan: 4, className: "note" }, note ?? ""));
  }
  const number = (title: string, text: string) => {
    const cell = element("td", { className: "number" }, text);
    cell.dataset.title = title;
    return cell;
  };
  return element(
    "tr",
    {},
    head,
    element("td", {}, strip(data, shape, `Pictures by ${name}`)),
    number("calls", String(nfe)),
    number("error", error === undefined ? "–" : short(error)),
    number("", milliseconds(time ?? 0)),
  );
}
