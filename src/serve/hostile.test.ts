/** What must never be more than a clear 4xx: broken requests, wrong types in every field, bombs, slow clients. */
import { connect } from "node:net";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { tinyServer } from "../../test/server.ts";
import { encodePicture, picture } from "../image/index.ts";
import { addPngText } from "../image/png-text.ts";
import { ErrorResponse } from "./protocol.ts";

const LIMIT = 2 ** 20;
const tiny = tinyServer({ limits: { bytes: LIMIT, pixels: 1_000_000, arrival: 2 } });

/** A clear answer of the right shape, from a server that goes on. */
async function expectRefusal(answer: { status: number; json: unknown }, status: number | number[] = 400) {
  expect([status].flat()).toContain(answer.status);
  const { error } = ErrorResponse.parse(answer.json);
  expect(error.message.length).toBeGreaterThan(5);
  expect(error.message.length).toBeLessThan(1000);
  expect((await fetch(`${tiny.url}/health`)).status).toBe(200);
  return error;
}

/** Sends bytes as they are; gives everything that comes back until the connection ends. */
function raw(...parts: (string | Uint8Array)[]): Promise<string> {
  const { port } = new URL(tiny.url);
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(port), "127.0.0.1");
    socket.on("data", (data) => (text += data));
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    for (const part of parts) socket.write(part);
  });
}

const parsed = (text: string) => {
  const [head, body] = text.split("\r\n\r\n");
  return {
    status: Number(head.split(" ")[1]),
    json: JSON.parse(body.slice(body.indexOf("{"), body.lastIndexOf("}") + 1)),
  };
};

const GENERATE = "/v1/images/generations";
const CHAT = "/v1/chat/completions";

const BODIES = [
  '{"prompt":',
  "",
  "null",
  "[]",
  '"x"',
  "{}",
  '{"prompt":"\\ud800"}',
  "[".repeat(50_000),
  '{"__proto__":1}',
];

test("bodies that are no request", async () => {
  for (const body of BODIES)
    for (const path of [GENERATE, CHAT, "/api/jobs"]) await expectRefusal(await tiny.post(path, body));
});

test("bytes that are no text, and other content types", async () => {
  const post = async (body: Uint8Array<ArrayBuffer> | string, type: string, path = GENERATE) => {
    const response = await fetch(tiny.url + path, { method: "POST", body, headers: { "content-type": type } });
    return { status: response.status, json: await response.json() };
  };
  await expectRefusal(await post(Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d), "application/json"));
  await expectRefusal(await post('{"prompt":"x"}', "text/plain"), 415);
  await expectRefusal(await post("prompt=x", "application/x-www-form-urlencoded", "/v1/images/edits"), 415);
  await expectRefusal(await post("x", "multipart/form-data", "/v1/images/edits"));
  await expectRefusal(await post("x", "multipart/form-data; boundary=abc", "/v1/images/edits"));
  const many = `--abc\r\ncontent-disposition: form-data; name="a"\r\n\r\nb\r\n`.repeat(1000);
  await expectRefusal(await post(`${many}--abc--`, "multipart/form-data; boundary=abc", "/v1/images/edits"));
});

test("every field of every request refuses wrong types, by name", { timeout: 120_000 }, async () => {
  type Schema = {
    type?: string | string[];
    anyOf?: Schema[];
    oneOf?: Schema[];
    properties?: Record<string, Schema>;
    const?: unknown;
  };
  type Document = { paths: Record<string, { post: { requestBody: { content: Record<string, { schema: Schema }> } } }> };
  const document = (await (await fetch(`${tiny.url}/openapi.json`)).json()) as Document;
  const schemaOf = (path: string): Schema => document.paths[path].post.requestBody.content["application/json"].schema;
  const image = `data:image/png;base64,${Buffer.from(await encodePicture(picture(8, 8))).toString("base64")}`;
  const job = (task: string) => schemaOf("/api/jobs").oneOf?.find((one) => one.properties?.task.const === task);
  const subjects: [string, Schema | undefined, Record<string, unknown>][] = [
    [GENERATE, schemaOf(GENERATE), { prompt: "x" }],
    [CHAT, schemaOf(CHAT), { messages: [{ role: "user", content: [{ type: "image_url", image_url: image }] }] }],
    ["/api/jobs", job("inpaint"), { task: "inpaint", image }],
    ["/api/jobs", job("describe"), { task: "describe", image }],
  ];
  const types = (schema: Schema): string[] =>
    [schema.type ?? typeof schema.const, ...[schema.anyOf ?? [], schema.oneOf ?? []].flat().flatMap(types)].flat();
  const VALUES: Record<string, fc.Arbitrary<unknown>> = {
    string: fc.oneof(fc.constant("\u0000"), fc.string({ minLength: 1 })),
    number: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer()),
    boolean: fc.boolean(),
    array: fc.array(fc.anything({ maxDepth: 1, withNullPrototype: false }), { minLength: 1, maxLength: 3 }),
    object: fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue({ maxDepth: 1 }), { minKeys: 1, maxKeys: 3 }),
  };
  for (const [path, schema, good] of subjects)
    for (const [name, field] of Object.entries(schema?.properties ?? {})) {
      const right = types(field).map((type) => (type === "integer" ? "number" : type));
      const wrong = fc.oneof(
        ...Object.keys(VALUES)
          .filter((type) => !right.includes(type))
          .map((type) => VALUES[type]),
      );
      await fc.assert(
        fc.asyncProperty(wrong, async (value) => {
          const { status, json } = await tiny.post(path, { ...good, [name]: value });
          expect([name, status]).toEqual([name, 400]);
          const { error } = ErrorResponse.parse(json);
          expect(error.param?.split(".")[0]).toBe(name);
          expect(error.type).toBe("invalid_request_error");
        }),
        { numRuns: 4 },
      );
    }
  expect((await fetch(`${tiny.url}/health`)).status).toBe(200);
});

test("values that nothing can be drawn with", async () => {
  const changes = [
    ...[{ n: 0 }, { n: 1.5 }, { n: 1e9 }, { seed: 2 ** 60 }, { steps: 0 }, { steps: -1 }, { steps: 1000 }],
    ...[{ size: "0x0" }, { size: "99999x99999" }, { size: "256x128" }, { size: "2x2" }, { output_format: "svg" }],
    ...[{ guidance_scale: -1 }, { temperature: -1 }, { top_k: 0 }, { top_k: 65 }, { top_p: 0.5 }],
    ...[{ partial_images: 900, stream: true }, { output_compression: 101 }, { prompt: "x".repeat(100_001) }],
    ...[{ fewstep: { schedule: "pow0" } }, { fewstep: { x: 1 } }, { negative_prompt: "x" }],
  ];
  for (const change of changes) {
    const error = await expectRefusal(await tiny.post(GENERATE, { prompt: "x", ...change }));
    expect(error.param?.split(".")[0]).toBe(Object.keys(change)[0]);
  }
});

test("large bodies are refused early, declared or not, and are not kept", async () => {
  const before = process.memoryUsage();
  const declared = await raw(
    `POST ${GENERATE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n\r\n{`,
  );
  await expectRefusal(parsed(declared), 413);
  // A gigabyte in chunks, as far as the server lets it come.
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      if (sent >= 1e9) return controller.close();
      controller.enqueue(new Uint8Array(2 ** 18).fill(0x20));
      sent += 2 ** 18;
    },
  });
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", headers, body: endless, duplex: "half" } as RequestInit;
  const response = await fetch(tiny.url + GENERATE, init).catch(() => undefined);
  // The answer may be lost where the connection breaks first; the bytes must stop either way.
  if (response) await expectRefusal({ status: response.status, json: await response.json() }, 413);
  expect(sent).toBeLessThan(100e6);
  const after = process.memoryUsage();
  expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(100e6);
});

/** A PNG of one colour with any size in its header: a few kilobytes that claim gigabytes. */
function bomb(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(45 + 12);
  const view = new DataView(bytes.buffer);
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  view.setUint32(8, 13);
  bytes.set(Buffer.from("IHDR"), 12);
  view.setUint32(16, width);
  view.setUint32(20, height);
  bytes.set([8, 2, 0, 0, 0], 24);
  view.setUint32(29, crc32(bytes.subarray(12, 29)));
  const data = deflateSync(Buffer.alloc(1 << 20));
  return Buffer.concat([bytes.subarray(0, 33), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), out.length - 4);
  return out;
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test("pictures that are bombs, damaged or none", async () => {
  const good = await encodePicture(picture(8, 8));
  const long = addPngText(good, { parameters: "x".repeat(10_000) });
  const pictures: [string, Uint8Array, string][] = [
    ["a bomb", bomb(60_000, 60_000), "image_too_large"],
    ["just too large", bomb(1001, 1000), "image_too_large"],
    ["less data than it says", bomb(900, 900), "invalid_image"],
    ["cut short", long.subarray(0, 60), "invalid_image"],
    ["text", Buffer.from("/etc/passwd"), "invalid_image"],
    [
      "SVG that reads files",
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
      "invalid_image",
    ],
    ["empty", new Uint8Array(), "invalid_image"],
  ];
  for (const [what, bytes, code] of pictures) {
    const form = new FormData();
    form.set("image", new Blob([bytes as Uint8Array<ArrayBuffer>]), "../../etc/passwd");
    form.set("prompt", "x");
    form.set("fewstep", '{"left":8}');
    const edit = await fetch(`${tiny.url}/v1/images/edits`, { method: "POST", body: form });
    const answer = { status: edit.status, json: await edit.json() };
    expect([what, (await expectRefusal(answer)).code]).toEqual([what, code]);
    const url = `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`;
    const messages = [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }];
    await expectRefusal(await tiny.post(CHAT, { messages }));
  }
});

test("URLs that would make the server fetch or read something", async () => {
  const urls = [
    ...[
      "http://127.0.0.1:1/",
      "http://169.254.169.254/latest/meta-data",
      "https://example.com/a.png",
      "file:///etc/passwd",
    ],
    ...[
      "ftp://localhost/x",
      "//localhost/x",
      "/etc/passwd",
      "gopher://localhost",
      "data:text/html;base64,PGI+",
      "data:,x",
    ],
    ...[
      "data:image/png;base64,????",
      "data:image/png;base64,A",
      "javascript:alert(1)",
      "blob:null/1",
      " data:image/png;base64,",
    ],
  ];
  for (const url of urls) {
    const messages = [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }];
    const error = await expectRefusal(await tiny.post(CHAT, { messages }));
    expect(error.param).toBe("messages.0.content.0.image_url");
    for (const field of ["image", "mask"]) {
      const good = `data:image/png;base64,${Buffer.from(await encodePicture(picture(8, 8))).toString("base64")}`;
      await expectRefusal(await tiny.post("/api/jobs", { task: "inpaint", image: good, prompt: "x", [field]: url }));
    }
  }
});

test("paths, methods, hosts and origins", async () => {
  const get = async (path: string, headers: Record<string, string> = {}, method = "GET") => {
    const lines = Object.entries({ host: "localhost", connection: "close", ...headers }).map(
      ([k, v]) => `${k}: ${v}\r\n`,
    );
    return parsed(await raw(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`));
  };
  for (const path of [
    "/../../etc/passwd",
    "/v1/models/..%2f..%2fetc%2fpasswd",
    "/v1/models/%00",
    "/api/jobs/%ff",
    "/%",
    "//evil/",
  ])
    await expectRefusal(await get(path), [400, 404]);
  await expectRefusal(await get("/v1\\models"), 400);
  await expectRefusal(await get("/v1/models", {}, "PUT"), 404);
  await expectRefusal(await get("/v1/models", { host: "evil.example" }), 403);
  await expectRefusal(await get("/v1/models", { host: "127.0.0.1.evil.example:80" }), 403);
  await expectRefusal(await get("/v1/models", { origin: "https://evil.example" }), 403);
  await expectRefusal(await get("/v1/models", { origin: "null" }), 403);
});

test("bytes that are no HTTP, headers that are too many, and injected lines", async () => {
  await expectRefusal(parsed(await raw("GET / HTTP/1.1\r\nhost: localhost\r\nx: a\u0000b\r\n\r\n")), 400);
  await expectRefusal(parsed(await raw("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\r\n\r\n")), 400);
  await expectRefusal(parsed(await raw(`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(50_000)}\r\n\r\n`)), 431);
  await expectRefusal(parsed(await raw("GET /v1/models HTTP/1.1\r\nconnection: close\r\n\r\n")), 400);
  // A model's name that would be a header or a line of the log is neither.
  const { json, status } = await tiny.post(GENERATE, { prompt: "x", model: "a\r\nx-evil: 1" });
  await expectRefusal({ json, status }, 404);
  expect(tiny.log.every((entry) => !JSON.stringify(entry).includes("\n"))).toBe(true);
});

test("a client that sends its request slower than allowed is let go", async () => {
  const slow = await raw(
    `POST ${GENERATE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"pro`,
  );
  expect(slow === "" || parsed(slow).status === 408).toBe(true);
  await expectRefusal(parsed(await raw("GET /v1/models HTTP/1.1\r\nhost: loc")), 408);
});

test("nothing of all this has harmed the engine", async () => {
  expect(await tiny.metric("fewstep_engine_crashes_total")).toBe(0);
  const { status } = await tiny.post(GENERATE, { prompt: "a red car", seed: 1 });
  expect(status).toBe(200);
  expect(tiny.log.filter(({ event }) => event === "internal error")).toEqual([]);
});
