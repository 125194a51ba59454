/** Everything that goes wrong, in the words and statuses of OpenAI's API. */
import { type ErrorCode, FewstepError } from "../base/index.ts";
import type { ErrorResponse } from "./protocol.ts";
import type { Failed } from "./work.ts";

type ErrorType = ErrorResponse["error"]["type"];

const TYPES: Record<number, ErrorType> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
};

const typeOf = (status: number): ErrorType =>
  TYPES[status] ?? (status >= 500 ? "server_error" : "invalid_request_error");

export interface Details {
  code?: string;
  /** The field that is wrong. */
  param?: string;
  /** Seconds after which another try makes sense. */
  retryAfter?: number;
}

/** An answer that is not the one asked for. */
export class ServeError extends Error {
  readonly status: number;
  readonly details: Details;

  constructor(status: number, message: string, details: Details = {}) {
    super(message);
    this.name = "ServeError";
    this.status = status;
    this.details = details;
  }

  get body(): ErrorResponse {
    const { code = null, param = null } = this.details;
    return { error: { message: this.message, type: typeOf(this.status), param, code } };
  }
}

export function refuse(status: number, message: string, details?: Details): never {
  throw new ServeError(status, message, details);
}

/** Names of options in the library, by which its errors tell where, as they are on the wire. */
const PARAMS: Record<string, string> = {
  guidance: "guidance_scale",
  topK: "top_k",
  draftScales: "draft_scales",
  class: "prompt",
  maxTokens: "max_tokens",
  picture: "image",
  block: "fewstep.block",
  ...Object.fromEntries(["left", "right", "up", "down", "schedule"].map((name) => [name, `fewstep.${name}`])),
};

const STATUS: Partial<Record<ErrorCode, number>> = {
  BAD_INPUT: 400,
  BAD_FILE: 400,
  OUT_OF_MEMORY: 503,
  BACKEND_UNAVAILABLE: 503,
};

/** What a model's process said went wrong. */
export function errorOfWork({ code, where, message }: Failed): ServeError {
  const status = STATUS[code] ?? 500;
  const known = status === 400 && where !== undefined;
  return new ServeError(status, message, {
    code: code === "BAD_FILE" ? "invalid_image" : status === 400 ? "invalid_value" : code.toLowerCase(),
    param: known ? (PARAMS[where] ?? where) : undefined,
  });
}

/** Any error as an answer. What nobody foresaw is not told to clients; the log has it. */
export function answerFor(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  if (error instanceof FewstepError) return errorOfWork(error);
  return new ServeError(500, "internal: something went wrong in the server; its log says what", { code: "internal" });
}

/** Nobody waits for this answer; the status is nginx's for that. */
export const clientLeft = (): ServeError => new ServeError(499, "the client closed the connection");
