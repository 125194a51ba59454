/** Who may ask: keys, host names and origins. Knows nothing of what is asked. */
import { createHash, timingSafeEqual } from "node:crypto";
import { refuse } from "./errors.ts";

export interface GuardOptions {
  /** Bearer keys; none: everyone may ask. */
  keys: readonly string[];
  /** Host names that the server answers to; undefined: all. Against DNS rebinding. */
  hosts?: readonly string[];
  /** Origins of other sites whose pages may ask. */
  origins: readonly string[];
}

const hash = (text: string): Buffer => createHash("sha256").update(text).digest();

/** "[::1]:80" and "LOCALHOST:80" as "[::1]" and "localhost". */
export const hostName = (host: string): string => host.toLowerCase().replace(/:\d*$/, "");

export interface Guard {
  /** Refuses requests for other host names. Errors: 403. */
  checkHost(request: Request): void;
  /** The headers that let a page of an allowed origin read the answer. Errors: 403 for pages of other origins. */
  checkOrigin(request: Request): Record<string, string>;
  /** Which key was used, as a name that tells nothing of it; undefined where none is needed. Errors: 401. */
  checkKey(request: Request): string | undefined;
}

export function createGuard({ keys, hosts, origins }: GuardOptions): Guard {
  const hashes = keys.map(hash);
  return {
    checkHost(request) {
      const host = request.headers.get("host") ?? new URL(request.url).host;
      if (hosts && !hosts.includes(hostName(host)))
        refuse(403, "the server does not answer to this host name; --allow-host names more", { code: "invalid_host" });
    },
    checkOrigin(request): Record<string, string> {
      const origin = request.headers.get("origin");
      if (origin === null) return {};
      const { host, protocol } = new URL(request.url);
      const own = request.headers.get("host") ?? host;
      if (origin === `${protocol}//${own}`) return {};
      if (!origins.includes(origin) && !origins.includes("*"))
        refuse(403, "pages of this origin may not use the server; --cors names origins that may", {
          code: "invalid_origin",
        });
      return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "x-request-id, retry-after, openai-processing-ms",
        vary: "origin",
      };
    },
    checkKey(request) {
      if (hashes.length === 0) return undefined;
      const given = /^Bearer (\S{1,512})$/i.exec(request.headers.get("authorization") ?? "")?.[1];
      if (given === undefined)
        return refuse(401, "a key is required: Authorization: Bearer KEY", { code: "missing_api_key" });
      // Every key is compared, so that time tells nothing.
      const equal = hashes.map((one) => timingSafeEqual(one, hash(given)));
      const at = equal.indexOf(true);
      return at >= 0 ? `key${at + 1}` : refuse(401, "this key is not known", { code: "invalid_api_key" });
    },
  };
}
