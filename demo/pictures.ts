// Samples on canvases, one device pixel a value; the style sheet enlarges them.

/** Paints items `[channels, height, width]` side by side, −1 black, 1 white, as the command line's PNG has them. */
export function paint(canvas: HTMLCanvasElement, data: Float32Array, shape: readonly number[]): void {
  const [channels = 1, height = 1, width = 1] = shape;
  const area = width * height;
  const items = data.length / (channels * area);
  canvas.width = items * width;
  canvas.height = height;
  const image = new ImageData(canvas.width, height);
  for (let item = 0; item < items; item++) {
    for (let i = 0; i < area; i++) {
      const at = 4 * (Math.floor(i / width) * canvas.width + item * width + (i % width));
      for (let c = 0; c < 3; c++) {
        const value = data[(item * channels + (channels === 1 ? 0 : c)) * area + i] as number;
        image.data[at + c] = Math.round(Math.min(Math.max((value + 1) / 2, 0), 1) * 255);
      }
      image.data[at + 3] = 255;
    }
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

/** Returns a canvas with items side by side. */
export function strip(data: Float32Array, shape: readonly number[], description: string): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", description);
  paint(canvas, data, shape);
  return canvas;
}

/** Paints each item on a canvas of its own, in the canvases that are there as far as they go. */
export function paintEach(place: HTMLElement, data: Float32Array, shape: readonly number[]): void {
  const length = shape.reduce((product, n) => product * n, 1);
  const items = data.length / length;
  while (place.childElementCount > items) place.lastElementChild?.remove();
  while (place.childElementCount < items) place.append(document.createElement("canvas"));
  for (const [i, canvas] of [...place.children].entries()) {
    paint(canvas as HTMLCanvasElement, data.subarray(i * length, (i + 1) * length), shape);
  }
}
