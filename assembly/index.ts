// The ABI and nothing else: what the host may call, grouped by the file it lives in.
// Pointers are byte addresses in the exported memory, lengths are counts of elements.

/** First address that the module does not use itself. */
export function heapBase(): usize {
  return __heap_base;
}
