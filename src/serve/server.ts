/** The service on a socket: where it may listen, how long clients may take, how it ends. */
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, isIP, type Socket } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { fail } from "../base/index.ts";
import { answerFor, ServeError } from "./errors.ts";
import { createService, errorResponse, type Service, type ServiceOptions } from "./service.ts";

export const DEFAULT_PORT = 7117;

export interface ServerOptions extends ServiceOptions {
  /** Default 7117; 0 takes any free one. */
  port?: number;
  /** Address to listen on. Default 127.0.0.1; others need a key. */
  host?: string;
}

export interface Server {
  readonly url: string;
  readonly service: Service;
  /** Takes nothing new, gives running requests `seconds` to end, then ends everything. */
  close(seconds?: number): Promise<void>;
}

const LOOPBACK = ["127.0.0.1", "::1", "localhost"];
const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Loads the models and listens. Errors: an address other than loopback without a key, a port that is taken, what
 * loading the models says.
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const { port = DEFAULT_PORT, host = "127.0.0.1", keys = [] } = options;
  const loopback = LOOPBACK.includes(host);
  if (!loopback && keys.length === 0)
    fail("others than this machine could use the server, and there is no key", {
      where: host,
      hint: "Give a key that clients must send, or listen on 127.0.0.1.",
      expected: "--api-key, or FEWSTEP_API_KEY in the environment",
    });
  // Elsewhere a key is required, so a name that was bound anew gains nothing; names that were given are held to.
  const hosts = loopback ? [...LOOPBACK_HOSTS, ...(options.hosts ?? [])] : options.hosts;
  const service = createService({ ...options, hosts });
  // Slow requests are looked for this often; a request without a host is refused in our own words.
  const connectionsCheckingInterval = Math.min(5, service.limits.arrival / 2) * 1000;
  const server = createServer({ keepAliveTimeout: 5000, connectionsCheckingInterval, requireHostHeader: false });
  try {
    await service.start();
    const { limits } = service;
    server.headersTimeout = Math.min(10, limits.arrival) * 1000;
    server.requestTimeout = limits.arrival * 1000;
    server.timeout = (limits.seconds + 60) * 1000;
    server.maxHeadersCount = 100;
    server.on("request", listener(service));
    server.on("clientError", refuseBytes);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    }).catch((cause: NodeJS.ErrnoException) =>
      fail(cause.code === "EADDRINUSE" ? "the port is taken" : "cannot listen there", {
        ...{ where: `${host}:${port}`, got: cause.message, hint: "Choose another with --port.", cause },
      }),
    );
  } catch (error) {
    await service.close();
    throw error;
  }
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${isIP(host) === 6 ? `[${host}]` : host}:${bound}`,
    service,
    async close(seconds = 0) {
      const closed = new Promise((resolve) => server.close(resolve));
      await service.close(seconds);
      // Answers on their way get a moment; connections that are only kept open do not.
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), 1000);
      await closed;
      clearTimeout(timer);
    },
  };
}

function listener(service: Service) {
  return getRequestListener(
    (request, env) => service.fetch(request, { address: (env as HttpBindings).incoming.socket.remoteAddress }),
    {
      overrideGlobalObjects: false,
      // A request that no URL can be made of.
      errorHandler: () =>
        errorResponse(new ServeError(400, "this is not a valid request", { code: "invalid_request" })),
    },
  );
}

const REASONS: Record<string, [status: number, message: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request took too long to arrive"],
  HPE_HEADER_OVERFLOW: [431, "the headers are too large"],
};

/** Bytes that are no HTTP request, or that come too slowly, get an answer of the same shape as everything else. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Socket & { _httpMessage?: ServerResponse }): void {
  if (!socket.writable || socket._httpMessage?.headersSent) return void socket.destroy();
  const [status, message] = REASONS[error.code ?? ""] ?? [400, "this is not a valid HTTP request"];
  const body = JSON.stringify(answerFor(new ServeError(status, message, { code: "invalid_request" })).body);
  const head = `HTTP/1.1 ${status} Error\r\ncontent-type: application/json\r\nconnection: close\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
