// Where ratios are valid: they belong to a schedule, a grid rule, a solver with its options, and a network.
import * as check from "../check.ts";
import { type Spacing, spacings } from "../diffusion/grid.ts";
import { scheduleFromJSON, scheduleToJSON } from "../diffusion/schedule.ts";
import type { Plan } from "../plan/plan.ts";

/** Where ratios are valid. */
export interface RatioSettings {
  /** JSON of the schedule. */
  schedule: unknown;
  /** The grid rule, or null where the grid was given; then `grid` is there. */
  spacing: Spacing | null;
  grid?: number[];
  solver: string;
  order: number;
  /** The solver's other options, defaults filled in. */
  options: Record<string, unknown>;
  /** Hash of the network, where it came from a model folder. */
  model?: string;
}

/** Returns the settings of a plan: what its ratios depend on beside steps, guidance and the network. */
export function settingsOf(plan: Plan): RatioSettings {
  const { schedule, steps: _, spacing, grid, solver, order, ratios: __, dcOrder: ___, ...options } = plan.options;
  return structuredClone({
    schedule: scheduleToJSON(schedule),
    spacing: spacing ?? null,
    ...(grid === undefined ? {} : { grid: Array.from(grid) }),
    solver: solver as string,
    order: order ?? 1,
    options,
  });
}

/**
 * Returns the settings in a file, after checking them.
 * @throws TypeError, RangeError.
 */
export function ratioSettingsFromJSON(value: unknown): RatioSettings {
  const json = check.object("settings", value);
  const names = ["schedule", "spacing", "grid", "solver", "order", "options", "model"];
  check.options("settings", json, names);
  scheduleFromJSON(json.schedule);
  if (typeof json.solver !== "string") check.wrongType("settings.solver", "the name of a solver", json.solver);
  if (json.model !== undefined && typeof json.model !== "string")
    check.wrongType("settings.model", "a hash", json.model);
  const spacing = json.spacing === null ? null : check.oneOf("settings.spacing", json.spacing, spacings);
  if (spacing === null && json.grid === undefined)
    throw new TypeError('"settings.grid": required where "spacing" is null');
  return structuredClone({
    schedule: json.schedule,
    spacing,
    ...(json.grid === undefined
      ? {}
      : {
          grid: Array.from(check.numbers("settings.grid", json.grid), (t, i) => check.finite(`settings.grid[${i}]`, t)),
        }),
    solver: json.solver,
    order: check.integer("settings.order", json.order, 1),
    options: check.object("settings.options", json.options),
    ...(json.model === undefined ? {} : { model: json.model as string }),
  });
}

/** Returns JSON with the keys of its objects in order. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, entry]) => [key, sorted(entry)]));
}

/** Returns the name of a setting in which the two differ, "settings" if only one is there; undefined if they are the same. */
export function settingsDifference(a: RatioSettings | undefined, b: RatioSettings | undefined): string | undefined {
  if (a === undefined || b === undefined) return a === b ? undefined : "settings";
  const text = (value: unknown) => JSON.stringify(sorted(value));
  const names = ["schedule", "spacing", "grid", "solver", "order", "options", "model"] as const;
  return names.find((name) => text(a[name]) !== text(b[name]));
}
