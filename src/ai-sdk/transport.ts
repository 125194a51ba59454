/** How the provider reaches a model: a server by its URL, or the service itself in this process. */
import { fail } from "../base/index.ts";

export interface FewstepSettings {
  /** URL of a server, for example http://127.0.0.1:7117/v1. Without it this process serves the models itself. */
  baseURL?: string;
  /** Key of the server. */
  apiKey?: string;
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** Instead of the global fetch. */
  fetch?: typeof globalThis.fetch;
  /** Names or folders of the models that this process serves; default: that of the package. */
  models?: readonly string[];
}

export interface Ask {
  path: string;
  /** JSON, or a form. */
  body: Record<string, unknown> | FormData;
  headers?: Record<string, string | undefined>;
  signal?: AbortSignal;
}

export interface Transport {
  /** An answer with status 200. Errors: APICallError of the AI SDK, with what the server says. */
  ask(ask: Ask): Promise<Response>;
  /** Ends the processes of models that this process started. */
  dispose(): Promise<void>;
}

export function createTransport({ baseURL, apiKey, headers, fetch, models }: FewstepSettings): Transport {
  if (baseURL !== undefined && !URL.canParse(baseURL)) fail("bad baseURL", { expected: "a URL", got: baseURL });
  const base = (baseURL ?? "http://localhost/v1").replace(/\/+$/, "");
  let service: Promise<{ fetch(request: Request): Promise<Response>; close(): Promise<void> }> | undefined;
  const own = () => (service ??= import("../serve/index.ts").then(({ createService }) => createService({ models })));

  return {
    async ask({ path, body, headers: more, signal }) {
      const form = body instanceof FormData;
      const given = Object.entries({ ...headers, ...more }).filter((entry): entry is [string, string] => !!entry[1]);
      const request = new Request(`${base}${path}`, {
        method: "POST",
        headers: {
          ...(form ? {} : { "content-type": "application/json" }),
          ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
          ...Object.fromEntries(given),
        },
        body: form ? body : JSON.stringify(body),
        signal,
      });
      const response = baseURL ? await (fetch ?? globalThis.fetch)(request) : await (await own()).fetch(request);
      signal?.throwIfAborted();
      if (response.ok) return response;
      throw await callError(request.url, form ? {} : body, response);
    },
    async dispose() {
      await (await service)?.close();
      service = undefined;
    },
  };
}

/** The AI SDK knows its errors by these marks, whichever copy of it made them. */
export function sdkError(name: string, message: string, fields: object): Error {
  const marks = ["vercel.ai.error", `vercel.ai.error.${name}`].map((mark) => [Symbol.for(mark), true] as const);
  return Object.assign(new Error(message), { name, ...fields, ...Object.fromEntries(marks) });
}

async function callError(url: string, requestBodyValues: unknown, response: Response): Promise<Error> {
  const responseBody = await response.text();
  let message = `the server answered ${response.status}`;
  try {
    message = JSON.parse(responseBody).error.message;
  } catch {
    // What answered was no server of ours.
  }
  const statusCode = response.status;
  const isRetryable = statusCode === 408 || statusCode === 429 || statusCode >= 500;
  const responseHeaders = Object.fromEntries(response.headers);
  return sdkError("AI_APICallError", message, {
    ...{ url, requestBodyValues, statusCode, responseHeaders, responseBody, isRetryable },
  });
}
