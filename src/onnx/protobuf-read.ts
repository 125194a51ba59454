/** Reads the protobuf wire format, as much of it as ONNX needs. Trusts nothing that the bytes claim. */

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** One field of a message: its number, and a value by wire type. */
export interface Field {
  readonly number: number;
  /** Of a varint, signed as int64; beyond 2^53 rounded. */
  readonly int: number;
  /** Of a length-delimited field; a view. */
  readonly bytes?: Uint8Array;
  /** Of a 4-byte field. */
  readonly float?: number;
}

/** Refuses a file: says what is wrong at which byte of the message. */
export type Bad = (what: string) => never;

/** Fields of a message in file order. Every claim is checked against the bytes there are. */
export function* readFields(bytes: Uint8Array, bad: Bad): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cursor = { at: 0 };
  const skip = (count: number) => {
    if (count < 0 || count > bytes.length - cursor.at) bad(`cut short, or a length of ${count} that is too large`);
    return (cursor.at += count) - count;
  };
  while (cursor.at < bytes.length) {
    const tag = readVarint(bytes, cursor, bad);
    const number = Math.floor(tag / 8);
    if (tag < 8 || tag >= 2 ** 32) bad(`field number ${number}`);
    const wire = tag % 8;
    if (wire === 0) yield { number, int: readVarint(bytes, cursor, bad) };
    else if (wire === 1) skip(8);
    else if (wire === 2) {
      const length = readVarint(bytes, cursor, bad);
      const start = skip(length);
      yield { number, int: 0, bytes: bytes.subarray(start, cursor.at) };
    } else if (wire === 5) yield { number, int: 0, float: view.getFloat32(skip(4), true) };
    else bad(`wire type ${wire}`);
  }
}

/** Integers of a repeated field, which a writer may pack into one field or not. */
export function readInts(field: Field, bad: Bad): number[] {
  if (!field.bytes) return [field.int];
  const ints: number[] = [];
  for (const cursor = { at: 0 }; cursor.at < field.bytes.length; ) ints.push(readVarint(field.bytes, cursor, bad));
  return ints;
}

function readVarint(bytes: Uint8Array, cursor: { at: number }, bad: Bad): number {
  // 28 low bits, and signed high bits, so that both halves are exact.
  let [low, high] = [0, 0];
  for (let i = 0; i < 10; i++) {
    if (cursor.at >= bytes.length) bad("cut short inside a number");
    const byte = bytes[cursor.at++];
    if (i < 4) low += (byte & 127) * 2 ** (7 * i);
    else if (i < 9) high += (byte & 127) * 2 ** (7 * (i - 4));
    else if (byte & 1) high -= 2 ** 35;
    if (byte < 128) return high * 2 ** 28 + low;
  }
  return bad("a number longer than ten bytes");
}

/** Text of a string field. */
export function readText(field: Field, bad: Bad): string {
  if (!field.bytes) return bad(`field ${field.number} is not text`);
  try {
    return utf8.decode(field.bytes);
  } catch {
    return bad("text that is not UTF-8");
  }
}
