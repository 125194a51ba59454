/** The data of server-sent events out of bytes (HTML standard, section 9.2). */

export async function* sseData(bytes: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let waiting = "";
  for await (const chunk of bytes as ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>) {
    const events = (waiting + decoder.decode(chunk, { stream: true })).split(/\r?\n\r?\n/);
    waiting = events.pop()!;
    for (const event of events) {
      const data = event.split(/\r?\n/).flatMap((line) => /^data: ?(.*)$/.exec(line)?.[1] ?? []);
      if (data.length) yield data.join("\n");
    }
  }
}
