// Samples as a PNG.
import { encode } from "fast-png";

/** Samples side by side, 8 bits a channel. */
export interface Picture {
  width: number;
  height: number;
  channels: 1 | 3;
  data: Uint8Array;
}

/** Returns whether samples of this shape, `[channels, height, width]`, can be shown. */
export function isPicture(shape: readonly number[]): boolean {
  return shape.length === 3 && (shape[0] === 1 || shape[0] === 3);
}

/** Returns samples `[count, channels, height, width]` as one picture, `columns` in a row; −1 is black, 1 is white, what is beyond is cut. */
export function tile(samples: Float32Array, shape: readonly number[], columns: number): Picture {
  const [count = 0, channels = 1, high = 0, wide = 0] = shape;
  const width = columns * wide;
  const height = Math.ceil(count / columns) * high;
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < samples.length; i++) {
    const x = i % wide;
    const y = Math.floor(i / wide) % high;
    const channel = Math.floor(i / (wide * high)) % channels;
    const item = Math.floor(i / (wide * high * channels));
    const row = Math.floor(item / columns) * high + y;
    const column = (item % columns) * wide + x;
    data[(row * width + column) * channels + channel] = Math.round(
      Math.min(Math.max(((samples[i] as number) + 1) / 2, 0), 1) * 255,
    );
  }
  return { width, height, channels: channels as 1 | 3, data };
}

/** Returns a picture as the bytes of a PNG file. */
export function png(picture: Picture): Uint8Array {
  return encode({ ...picture, depth: 8 });
}
