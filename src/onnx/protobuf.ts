/** The protobuf wire format, as much of it as ONNX needs. Large byte arrays are kept as chunks and never copied. */

export class ProtoWriter {
  readonly chunks: Uint8Array[] = [];
  private buffer = new Uint8Array(256);
  private used = 0;
  length = 0;

  private byte(b: number): void {
    if (this.used === this.buffer.length) {
      const grown = new Uint8Array(this.buffer.length * 2);
      grown.set(this.buffer);
      this.buffer = grown;
    }
    this.buffer[this.used++] = b;
    this.length++;
  }

  varint(value: number | bigint): void {
    let v = BigInt.asUintN(64, BigInt(value));
    while (v > 127n) {
      this.byte(Number(v & 127n) | 128);
      v >>= 7n;
    }
    this.byte(Number(v));
  }

  int(field: number, value: number | bigint): void {
    this.varint(field << 3);
    this.varint(value);
  }

  float(field: number, value: number): void {
    this.varint((field << 3) | 5);
    for (const b of new Uint8Array(new Float32Array([value]).buffer)) this.byte(b);
  }

  bytes(field: number, value: Uint8Array): void {
    this.varint((field << 3) | 2);
    this.varint(value.length);
    this.append(value);
  }

  string(field: number, value: string): void {
    this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, write: (w: ProtoWriter) => void): void {
    const inner = new ProtoWriter();
    write(inner);
    this.varint((field << 3) | 2);
    this.varint(inner.length);
    inner.flush();
    for (const chunk of inner.chunks) this.append(chunk);
  }

  private append(value: Uint8Array): void {
    if (value.length < 1024) {
      for (const b of value) this.byte(b);
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

  finish(): Uint8Array {
    this.flush();
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }
}
