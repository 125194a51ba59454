/** The tasks over HTTP. Start reading in routes.ts; protocol/ has what is said on the wire. */
export { LIMITS, type Limits } from "./limits.ts";
export { jsonLines, type Log, type LogEntry } from "./log.ts";
export * as protocol from "./protocol.ts";
export { DEFAULT_PORT, type Server, type ServerOptions, startServer } from "./server.ts";
export { createService, type Peer, type Service, type ServiceOptions } from "./service.ts";
