// From a plan to a program: parameterisation and guidance become coefficients, and everything between two model calls becomes one block
// program (allocate.ts gives it slots). A program is structure plus a coefficient table, which may be rewritten between model calls
// without touching the structure.
import { type AffinePrediction, conversion, type PredictionType } from "../diffusion/prediction.ts";
import { allocate } from "./allocate.ts";
import type { Plan, ValueId } from "./plan.ts";
import { type Guidance, type Line, type Observe, type Program, reads } from "./program.ts";

/**
 * Returns the program of a plan for a network's parameterisation and a guidance scale.
 * @param guidance a scale of 1 asks for one output of a call; any other for two, o = u + scale·(c − u) on the raw outputs
 * @param observe where x and denoised must be readable; the state's bits do not depend on it
 * @throws RangeError where the network's output does not determine x₀ (alpha = 0 with `epsilon` or `score`).
 */
export function lower(
  plan: Plan,
  prediction: PredictionType | AffinePrediction,
  guidance: number | Guidance,
  observe: Observe,
): Program {
  const whole = typeof guidance === "number" ? { scale: guidance, rescale: 0 } : guidance;
  return allocate(eliminate(linearise(plan, prediction, whole, observe)));
}

function linearise(
  plan: Plan,
  prediction: PredictionType | AffinePrediction,
  { scale, rescale }: Guidance,
  observe: Observe,
): Line[] {
  const lines: Line[] = [];
  const names = new Map<ValueId, ValueId>();
  const name = (value: ValueId) => names.get(value) ?? value;
  let fresh = plan.steps.reduce((most, s) => Math.max(most, s.state, ...s.operations.map((o) => o.to)), 0);
  let denoised: ValueId | undefined;
  const calls = plan.steps.flatMap(({ outputs }) => outputs);
  let call = 0;
  const ends: Line[] = [];
  const exec = (to: ValueId, terms: (readonly [number, ValueId])[], compensation = false) => {
    const last = lines.at(-1);
    if (last?.kind === "exec") last.operations.push({ to, terms, compensation });
    else lines.push({ kind: "exec", operations: [{ to, terms, compensation }] });
  };
  // Ends of steps come after the block program that made their states, so that a pass is never split for them.
  const flush = () => lines.push(...ends.splice(0));
  const see = (step: number, t: number, state: ValueId) => {
    const x0 = observe === "nothing" || denoised === undefined ? undefined : name(denoised);
    ends.push({ kind: "step", step, t, state: name(state), denoised: x0 });
  };

  for (const [step, { end, operations, state }] of plan.steps.entries()) {
    for (const operation of operations) {
      switch (operation.kind) {
        case "combine": {
          const terms = operation.terms.map(([c, from]) => [c, name(from)] as const);
          exec(operation.to, terms, operation.replaces !== undefined);
          break;
        }
        case "draw": {
          // It reads nothing, so it may run before the open block program.
          const line = { kind: "draw", to: operation.to, draw: operation.draw } as const;
          lines.splice(lines.at(-1)?.kind === "exec" ? lines.length - 1 : lines.length, 0, line);
          break;
        }
        case "clip":
          flush();
          lines.push({ ...operation, from: name(operation.from) });
          break;
        case "evaluate": {
          const { input, skip, out } = conversion(prediction, operation, operation.space);
          let x = name(operation.x);
          if (input !== 1) exec(++fresh, [[input, x]]);
          if (input !== 1) x = fresh;
          const watched = observe === "calls" ? { state: name(operation.x) } : {};
          denoised = calls[call++ - 1]?.denoised;
          if (observe === "calls" && denoised !== undefined) see(step, operation.t, operation.x);
          flush();
          const w = typeof scale === "number" ? scale : (scale[call - 1] as number);
          const raw = w === 1 ? [++fresh] : [++fresh, ++fresh];
          lines.push({ kind: "evaluate", call: operation, step, x, ...watched, outputs: raw });
          let [c, u] = raw as [ValueId, ValueId | undefined];
          if (u !== undefined && rescale !== 0) {
            const [guided, like] = [++fresh, c];
            exec(guided, [
              [1 - w, u],
              [w, c],
            ]);
            lines.push({ kind: "rescale", to: ++fresh, from: guided, like, share: rescale });
            [c, u] = [fresh, undefined];
          }
          const weighted: [number, ValueId][] =
            u === undefined
              ? [[out, c]]
              : [
                  [out * (1 - w), u],
                  [out * w, c],
                ];
          const terms = ([[skip, name(operation.x)], ...weighted] as const).filter(([c]) => c !== 0);
          if (terms.length === 1 && terms[0]?.[0] === 1) names.set(operation.to, terms[0][1]);
          // An affine prediction may be 0 whatever the network says; a combination has at least one term.
          else exec(operation.to, terms.length > 0 ? terms : [[0, name(operation.x)]]);
          break;
        }
      }
    }
    denoised = calls[call - 1]?.denoised;
    if (observe !== "calls" || step === plan.steps.length - 1) see(step, end.t, state);
  }
  flush();
  return lines;
}

/** Returns the lines without the combinations that nothing reads. Model calls and draws stay: they are the plan's cost and stream. */
function eliminate(lines: Line[]): Line[] {
  const used = new Set<ValueId>();
  for (const line of lines.toReversed()) {
    if (line.kind === "exec") {
      line.operations = line.operations.toReversed().filter(({ to, terms }) => {
        if (used.has(to)) for (const [, from] of terms) used.add(from);
        return used.has(to);
      });
      line.operations.reverse();
    } else for (const value of reads(line)) used.add(value);
  }
  return lines.filter((line) => line.kind !== "exec" || line.operations.length > 0);
}
