/** A model hub in this process: lists repositories, tells checksums, gives small files itself and large ones by redirect. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Repository {
  files: Record<string, Uint8Array>;
  /** Paths that the second server stores. */
  large?: string[];
  /** Asks for this token. */
  token?: string;
  /** Where the repository moved. */
  movedTo?: string;
}

/** What a transfer of bytes runs into, once each. */
export type Fault =
  | { kind: "cut"; after: number } // the connection breaks
  | { kind: "status"; status: number }
  | { kind: "wrong" } // other bytes
  | { kind: "whole" } // ranges are ignored
  | { kind: "silent" }; // nothing is sent

export interface HubServer {
  endpoint: string;
  repositories: Record<string, Repository>;
  /** The next transfers, in order. */
  faults: Fault[];
  /** "METHOD path range=... token=..." of every request. */
  log: string[];
  close(): Promise<void>;
}

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const gitSha1 = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

export async function startHub(repositories: Record<string, Repository>): Promise<HubServer> {
  const log: string[] = [];
  const faults: Fault[] = [];
  const note = (server: string, { method, url, headers }: IncomingMessage) =>
    log.push(`${server} ${method} ${url} ${headers.range ?? "-"} ${headers.authorization ?? "-"}`);

  function give(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array): void {
    if (request.method === "HEAD") return void response.writeHead(200, { "content-length": bytes.length }).end();
    const fault = faults.shift();
    if (fault?.kind === "silent") return;
    if (fault?.kind === "status") return void response.writeHead(fault.status).end();
    const from = fault?.kind === "whole" ? 0 : Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const part = fault?.kind === "wrong" ? bytes.slice(from).fill(1) : bytes.subarray(from);
    if (from) response.writeHead(206, { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
    else response.writeHead(200, { "content-length": part.length });
    if (fault?.kind !== "cut") return void response.end(part);
    response.write(part.subarray(0, fault.after), () => response.destroy());
  }

  const store = await listen((request, response) => {
    note("store", request);
    const [, repository, path] = /^\/(.+?\/.+?)\/(.+)$/.exec(request.url ?? "") ?? [];
    give(request, response, repositories[repository].files[path]);
  });
  const hub = await listen((request, response) => {
    note("hub", request);
    const url = decodeURIComponent(request.url ?? "");
    const listing = /^\/api\/models\/(.+?\/.+?)\/revision\/(.+)$/.exec(url);
    const resolve = /^\/(.+?\/.+?)\/resolve\/(.+?)\/(.+)$/.exec(url);
    const name = (listing ?? resolve)?.[1] ?? "";
    const repository = repositories[name];
    if (!repository) return void response.writeHead(404).end();
    if (repository.token && request.headers.authorization !== `Bearer ${repository.token}`)
      return void response.writeHead(401).end();
    if (repository.movedTo)
      return void response.writeHead(307, { location: url.replace(name, repository.movedTo) }).end();
    if (listing) {
      const siblings = Object.keys(repository.files).map((rfilename) => ({ rfilename }));
      return void response.end(JSON.stringify({ sha: COMMIT, siblings }));
    }
    const path = resolve?.[3] ?? "";
    const bytes = repository.files[path];
    if (!bytes) return void response.writeHead(404).end();
    response.setHeader("x-repo-commit", COMMIT);
    if (!repository.large?.includes(path)) {
      response.setHeader("etag", `"${gitSha1(bytes)}"`);
      return give(request, response, bytes);
    }
    response.setHeader("x-linked-etag", `"${sha256(bytes)}"`);
    response.setHeader("x-linked-size", bytes.length);
    response.writeHead(302, { location: `${addressOf(store)}/${name}/${path}` }).end();
  });

  const close = (server: Server) =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return {
    endpoint: addressOf(hub),
    repositories,
    faults,
    log,
    async close() {
      await close(hub);
      await close(store);
    },
  };
}

const addressOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const listen = (answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer(answer);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
