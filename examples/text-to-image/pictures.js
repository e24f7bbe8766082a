// @ts-check
// Pictures as bytes, and as the numbers from −1 to 1 that the VAE has.

/** @typedef {{ width: number, height: number, data: Uint8Array }} Picture rows of red, green, blue */

/** Returns an integer: half to even, as NumPy rounds. @param {number} x */
function round(x) {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2) : Math.floor(x + 0.5);
}

/**
 * Returns the picture of decoded values.
 * @param {Float32Array} values [3, height, width], −1 is black
 * @param {number} width
 * @param {number} height
 * @returns {Picture}
 */
export function toPicture(values, width, height) {
  const size = width * height;
  const data = new Uint8Array(3 * size);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) {
      // In float32, as NumPy: some products are halves only there.
      const light = Math.min(Math.max(Math.fround((values[c * size + i] ?? 0) / 2 + 0.5), 0), 1);
      data[3 * i + c] = round(Math.fround(light * 255));
    }
  }
  return { width, height, data };
}

/**
 * Returns a picture as what the VAE's encoder takes.
 * @param {Picture} picture
 * @returns {{ data: Float32Array, dims: number[] }} [1, 3, height, width]
 */
export function fromPicture({ width, height, data }) {
  const size = width * height;
  const values = new Float32Array(3 * size);
  for (let i = 0; i < size; i++)
    for (let c = 0; c < 3; c++) values[c * size + i] = ((data[3 * i + c] ?? 0) / 255) * 2 - 1;
  return { data: values, dims: [1, 3, height, width] };
}
