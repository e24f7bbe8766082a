// The engine again, as plain loops over arrays of doubles, for tests only. It takes its rounding as a parameter: with none, plans meet
// published trajectories in float64, so that no coefficient error hides under float32; with Math.fround it has the bits of WebAssembly.
// A product of two float32 is exact in float64, and a sum of two rounds the same once or twice, so rounding after each operation is exact.
import type { Engine, EngineProgram, LinearOperation, Machine, Slot, Tensor } from "../../src/wasm/engine.ts";

/** The quantile of |values| with linear interpolation at position q·(n − 1), by sorting. */
function absQuantile(values: Tensor, q: number): number {
  const sorted = Array.from(values, Math.abs).sort((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const low = Math.floor(position);
  const [a, b] = [sorted[low] as number, sorted[Math.min(low + 1, sorted.length - 1)] as number];
  return a + (position - low) * (b - a);
}

export function referenceEngine(round?: (x: number) => number): Engine {
  const f = round ?? ((x: number) => x);
  const type = round === undefined ? Float64Array : Float32Array;
  return {
    open(program: EngineProgram, items: number, itemLength: number): Machine {
      const length = items * itemLength;
      const slots = Array.from({ length: program.slots }, () => new type(length));
      const scratch = Array.from({ length: program.scratch }, () => new type(length));
      const coefficients = program.coefficients.slice();
      const at = (slot: Slot): Tensor => (slot < 0 ? scratch[-1 - slot] : slots[slot]) as Tensor;
      const linear = ({ out, terms }: LinearOperation) => {
        const list = terms.map(({ coefficient, from }) => [f(coefficients[coefficient] as number), at(from)] as const);
        const to = at(out);
        for (let i = 0; i < length; i++) {
          let sum: number | undefined;
          for (const [c, v] of list)
            sum = sum === undefined ? f(c * (v[i] as number)) : f(sum + f(c * (v[i] as number)));
          to[i] = sum as number;
        }
      };
      return {
        allocate: (n) => new type(n),
        write: (slot, data) => at(slot).set(data),
        read: (slot) => at(slot).slice(),
        exec(index) {
          const instruction = program.instructions[index];
          if (instruction !== undefined && "operations" in instruction) instruction.operations.forEach(linear);
        },
        scale(slot, factor) {
          const values = at(slot);
          for (let i = 0; i < length; i++) values[i] = f((values[i] as number) * f(factor));
        },
        clip(to, from, ratio, maxValue, most) {
          for (let item = 0; item < items; item++) {
            const source = at(from).subarray(item * itemLength, (item + 1) * itemLength);
            const bound = Math.min(Math.max(absQuantile(source, ratio), maxValue), most);
            const [limit, scale] = [f(bound), f(maxValue / bound)];
            for (let i = 0; i < itemLength; i++) {
              const clamped = Math.min(Math.max(source[i] as number, -limit), limit);
              at(to)[item * itemLength + i] = f(clamped * scale);
            }
          }
        },
        rescale(slot, like, share) {
          const scatter = (values: readonly number[]) => {
            const mean = values.reduce((a, b) => a + b, 0) / values.length;
            return values.reduce((a, b) => a + (b - mean) ** 2, 0);
          };
          for (let item = 0; item < items; item++) {
            const [own, other] = [slot, like].map((s) => at(s).subarray(item * itemLength, (item + 1) * itemLength));
            const [here, there] = [own, other].map((values) => scatter(Array.from(values as Tensor)));
            const factor = share * Math.sqrt((there as number) / (here as number)) + 1 - share;
            (own as Tensor).forEach((v, i) => {
              (own as Tensor)[i] = f(v * f(factor));
            });
          }
        },
        isFinite: (slot) => at(slot).every(Number.isFinite),
        setCoefficient: (index, value) => {
          coefficients[index] = value;
        },
        save() {
          const all = new type(program.slots * length);
          slots.forEach((slot, i) => {
            all.set(slot, i * length);
          });
          return all;
        },
        restore(saved) {
          slots.forEach((slot, i) => {
            slot.set(saved.subarray(i * length, (i + 1) * length));
          });
        },
        release() {},
      };
    },
  };
}
