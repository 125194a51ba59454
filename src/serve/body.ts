/** Bodies of requests, read under a limit of bytes and checked against their schema. */
import type { z } from "zod";
import { clientLeft, refuse, ServeError } from "./errors.ts";

/** Parts of a form beyond this are no form of ours. */
const MOST_PARTS = 64;

/** All bytes of a body. Stops reading at the limit, so that a longer body is never in memory. Errors: 413. */
export async function readBody(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () => refuse(413, `the request is larger than ${limit} bytes`, { code: "request_too_large" });
  if (Number(request.headers.get("content-length") ?? 0) > limit) tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const read = await reader?.read().catch(() => {
      throw clientLeft();
    });
    if (!read || read.done) break;
    bytes += read.value.length;
    if (bytes > limit) {
      // Not awaited: the client may take its time to hear of it.
      reader?.cancel().catch(() => {});
      tooLarge();
    }
    chunks.push(read.value);
  }
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

const mediaType = (request: Request): string =>
  (request.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();

/** The JSON of a body. Errors: 413, 415 for another content type, 400 for what is not JSON. */
export async function readJson(request: Request, limit: number): Promise<unknown> {
  if (mediaType(request) !== "application/json")
    refuse(415, "expected a body of content-type application/json", { code: "unsupported_content_type" });
  const bytes = await readBody(request, limit);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    return refuse(400, `the body is not JSON: ${(error as Error).message.slice(0, 200)}`, { code: "invalid_json" });
  }
}

/** A form as the fields that are text and the files. Errors: 413, 415, 400 for what is no form or has too many parts. */
export async function readForm(
  request: Request,
  limit: number,
): Promise<{ fields: Map<string, string>; files: Map<string, Uint8Array[]> }> {
  const type = request.headers.get("content-type") ?? "";
  if (mediaType(request) !== "multipart/form-data")
    refuse(415, "expected a body of content-type multipart/form-data", { code: "unsupported_content_type" });
  const bytes = await readBody(request, limit);
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type)?.slice(1).find(Boolean) ?? "";
  const malformed = (): never => refuse(400, "the body is not a multipart form", { code: "invalid_form" });
  if (boundary === "") malformed();
  let [parts, at] = [0, -1];
  const buffer = Buffer.from(bytes.buffer);
  while ((at = buffer.indexOf(`--${boundary}`, at + 1, "latin1")) >= 0)
    if (++parts > MOST_PARTS + 1) refuse(400, `the form has more than ${MOST_PARTS} parts`, { code: "invalid_form" });
  const form = await new Response(bytes, { headers: { "content-type": type } }).formData().catch(malformed);
  const fields = new Map<string, string>();
  const files = new Map<string, Uint8Array[]>();
  for (const [name, value] of form)
    if (typeof value === "string") fields.set(name, value);
    else files.set(name, [...(files.get(name) ?? []), new Uint8Array(await value.arrayBuffer())]);
  return { fields, files };
}

/** Forms carry numbers, booleans and objects as text. What cannot be read as such stays text, for the schema to refuse. */
export function fromForm(fields: ReadonlyMap<string, string>): Record<string, unknown> {
  const read = (name: string, value: string): unknown => {
    if (TEXT_FIELDS.has(name)) return value;
    if (/^-?\d+(\.\d+)?$/.test(value)) return Number(value);
    if (value === "true" || value === "false") return value === "true";
    if (!value.startsWith("{")) return value;
    try {
      return JSON.parse(value);
    } catch {
      return value;
    }
  };
  return Object.fromEntries([...fields].map(([name, value]) => [name, read(name, value)]));
}

const TEXT_FIELDS = new Set(["prompt", "model", "user", "safety_identifier", "size", "style", "moderation"]);

/** Named for what they are where others know them, so that the answer is not that they are unknown. */
const UNSUPPORTED = ["negative_prompt", "complexity", "frame_count", "frame_duration_ms", "svg"];

/**
 * What the schema makes of a body, and the names of fields it does not know, which are left out. Errors: 400 with the
 * first field that is wrong.
 */
export function checked<S extends z.ZodType>(schema: S, body: unknown): { value: z.infer<S>; unknown: string[] } {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return refuse(400, "expected a JSON object", { code: "invalid_value" });
  const given = body as Record<string, unknown>;
  const refused = UNSUPPORTED.find((name) => given[name] !== undefined && given[name] !== null && given[name] !== "");
  if (refused)
    refuse(400, `${refused}: these models do not have it`, { code: "unsupported_parameter", param: refused });
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw errorOfIssue(parsed.error.issues[0], given);
  const value = parsed.data as z.infer<S>;
  const unknown = Object.keys(given).filter((name) => !(name in (value as object)));
  return { value, unknown: unknown.map((name) => name.slice(0, 64)).slice(0, 16) };
}

function errorOfIssue({ path, message, code }: z.core.$ZodIssue, body: unknown): ServeError {
  const param = path.map(String).join(".");
  let at = body;
  for (const key of path) at = (at as Record<PropertyKey, unknown> | undefined)?.[key];
  const missing = code !== "unrecognized_keys" && at === undefined;
  return new ServeError(400, missing ? `${param}: this field is required` : `${param}: ${message.slice(0, 300)}`, {
    code: missing ? "missing_required_parameter" : "invalid_value",
    param,
  });
}
