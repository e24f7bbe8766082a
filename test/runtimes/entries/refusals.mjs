/** Returns what the library says, twice, where it may not compile its module. */
export function refusals({ vpLinear, gaussianNoise }) {
  return [() => vpLinear().alpha(0.5), () => gaussianNoise(1, [1])].map((use) => {
    try {
      use();
    } catch (error) {
      return error.message;
    }
    return "no refusal";
  });
}
