/** A server with the tiny model, in processes as users run it, that goes away with the test file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { type LogEntry, type Server, type ServerOptions, startServer } from "../src/serve/index.ts";
import { saveTinyModel } from "./tiny-model.ts";

/** What is waited for comes; how soon is the machine's affair. */
export const PATIENT = { timeout: 30_000 };

export interface TinyServer {
  readonly url: string;
  readonly server: Server;
  readonly log: LogEntry[];
  /** A JSON request; gives status and JSON. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<{ status: number; json: never }>;
  /** The value of a metric, by the beginning of its line. */
  metric(line: string): Promise<number>;
}

/** Call at the top of a test file. The options may name limits; the model is called tiny. */
export function tinyServer(options: ServerOptions = {}): TinyServer {
  const folder = mkdtempSync(join(tmpdir(), "fewstep-serve-"));
  const log: LogEntry[] = [];
  let server: Server;
  beforeAll(async () => {
    await saveTinyModel(join(folder, "tiny"));
    const models = [join(folder, "tiny")];
    server = await startServer({ port: 0, threads: 1, models, log: (entry) => log.push(entry), ...options });
  });
  afterAll(async () => {
    await server?.close();
    rmSync(folder, { recursive: true });
  });
  return {
    get url() {
      return server.url;
    },
    get server() {
      return server;
    },
    log,
    async post(path, body, headers = {}) {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const head = { "content-type": "application/json", ...headers };
      const response = await fetch(server.url + path, { method: "POST", headers: head, body: text });
      return { status: response.status, json: (await response.json()) as never };
    },
    async metric(line) {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return Number(
        text
          .split("\n")
          .find((one) => one.startsWith(line))
          ?.split(" ")
          .at(-1) ?? 0,
      );
    },
  };
}
