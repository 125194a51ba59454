/** Writes the protobuf wire format, as much of it as ONNX needs. Large byte arrays are copied once, by finish(). */
import { internal } from "../base/index.ts";

/** Byte arrays from this length on are referred to; shorter ones are cheaper to copy than to keep apart. */
const LARGE = 4096;
const utf8 = new TextEncoder();

export class ProtoWriter {
  /** Bytes of this message so far. */
  length = 0;
  private readonly chunks: Uint8Array[] = [];
  private buffer = new Uint8Array(64);
  private used = 0;

  /** Makes room for `count` more bytes and returns where they go. */
  private take(count: number): number {
    if (this.used + count > this.buffer.length) {
      const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.used + count));
      grown.set(this.buffer.subarray(0, this.used));
      this.buffer = grown;
    }
    this.length += count;
    return (this.used += count) - count;
  }

  private byte(value: number): void {
    const at = this.take(1);
    this.buffer[at] = value;
  }

  private varint(value: number): void {
    if (!Number.isSafeInteger(value)) internal(`${value} is not an integer that protobuf can hold`);
    if (value < 0) {
      // Two's complement in ten bytes; rare (axes), so slow is fine.
      let v = BigInt.asUintN(64, BigInt(value));
      for (; v > 127n; v >>= 7n) this.byte(Number(v & 127n) | 128);
      this.byte(Number(v));
      return;
    }
    for (; value > 127; value = Math.floor(value / 128)) this.byte((value % 128) | 128);
    this.byte(value);
  }

  int(field: number, value: number): void {
    this.varint(field << 3);
    this.varint(value);
  }

  float(field: number, value: number): void {
    this.varint((field << 3) | 5);
    const at = this.take(4);
    new DataView(this.buffer.buffer).setFloat32(at, value, true);
  }

  bytes(field: number, value: Uint8Array): void {
    this.varint((field << 3) | 2);
    this.varint(value.length);
    this.append(value);
  }

  string(field: number, value: string): void {
    this.bytes(field, utf8.encode(value));
  }

  message(field: number, write: (w: ProtoWriter) => void): void {
    const inner = new ProtoWriter();
    write(inner);
    this.varint((field << 3) | 2);
    this.varint(inner.length);
    for (const chunk of inner.parts()) this.append(chunk);
  }

  private append(value: Uint8Array): void {
    if (value.length < LARGE) {
      const at = this.take(value.length);
      this.buffer.set(value, at);
      return;
    }
    this.flush();
    this.chunks.push(value);
    this.length += value.length;
  }

  private flush(): void {
    if (this.used) this.chunks.push(this.buffer.slice(0, this.used));
    this.used = 0;
  }

  private *parts(): Iterable<Uint8Array> {
    yield* this.chunks;
    if (this.used) yield this.buffer.subarray(0, this.used);
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.parts()) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }
}
