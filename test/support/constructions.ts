// Counts what WebAssembly constructs, to see what is compiled and what memory is reused.

/** Runs `action` and returns the arguments of every `new WebAssembly.Module` or `Instance` in its course. */
export async function constructions(
  kind: "Module" | "Instance",
  action: () => unknown,
): Promise<readonly (readonly unknown[])[]> {
  const original = WebAssembly[kind];
  const calls: unknown[][] = [];
  const counting: typeof original = new Proxy(original, {
    construct(target, args: unknown[], newTarget): object {
      calls.push(args);
      return Reflect.construct(target, args, newTarget === counting ? target : newTarget);
    },
  });
  Object.defineProperty(WebAssembly, kind, { value: counting, configurable: true, writable: true });
  try {
    await action();
  } finally {
    Object.defineProperty(WebAssembly, kind, { value: original, configurable: true, writable: true });
  }
  return calls;
}
