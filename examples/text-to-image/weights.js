// @ts-check
// Which files beside an .onnx file hold its weights. ONNX Runtime takes bytes and opens no files by itself, so it has to be handed
// them by name. Field numbers: onnx.proto of ONNX 1.18 (ModelProto 7, GraphProto 5, TensorProto 13, StringStringEntryProto 1 and 2).

/** @typedef {{ location: string, bytes: number }} External a file beside the graph, and how long it is at least */

/**
 * Yields the length-delimited fields of a protocol buffers message; the others are passed over.
 * @param {Uint8Array} message
 * @returns {Generator<[field: number, content: Uint8Array]>}
 */
function* fields(message) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw new RangeError("the file is cut off, or no ONNX model");
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const wire = tag % 8;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      if (at + length > message.length) throw new RangeError("the file is cut off, or no ONNX model");
      yield [Math.floor(tag / 8), message.subarray(at, at + length)];
      at += length;
    } else throw new RangeError("the file is damaged, or no ONNX model");
  }
}

/**
 * Returns the contents of one field of a message.
 * @param {Uint8Array} message
 * @param {number} field
 */
function all(message, field) {
  return Array.from(fields(message)).flatMap(([number, content]) => (number === field ? [content] : []));
}

/**
 * Returns the files that hold weights of a model.
 * @param {Uint8Array} model the bytes of the .onnx file
 * @returns {External[]}
 * @throws RangeError if the bytes are no whole model, or if a file lies elsewhere than beside the graph or below.
 */
export function externalFiles(model) {
  const [graph] = all(model, 7);
  if (graph === undefined) throw new RangeError("the file is cut off, or no ONNX model");
  /** @type {Map<string, number>} */
  const files = new Map();
  const text = (/** @type {Uint8Array | undefined} */ bytes) => new TextDecoder().decode(bytes);
  for (const tensor of all(graph, 5)) {
    const entries = all(tensor, 13).map((entry) => [text(all(entry, 1)[0]), text(all(entry, 2)[0])]);
    if (entries.length === 0) continue;
    const { location, offset = "0", length = "0" } = Object.fromEntries(entries);
    const below = typeof location === "string" && location.split(/[\\/]/).every((part) => !["", ".."].includes(part));
    if (!below || location.includes(":")) throw new RangeError(`weights outside of the model's folder: "${location}"`);
    files.set(location, Math.max(files.get(location) ?? 0, Number(offset) + Number(length)));
  }
  return Array.from(files, ([location, bytes]) => ({ location, bytes }));
}
