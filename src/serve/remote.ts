/**
 * Fetches a picture from the web without becoming a way into this machine's networks: public addresses only, looked
 * at when the connection is made, no redirects, few bytes, little time.
 */
import { lookup } from "node:dns/promises";
import { get as getHttp, type IncomingMessage } from "node:http";
import { get as getHttps } from "node:https";
import { BlockList, isIP, isIPv4, type LookupFunction } from "node:net";

/** IPv4 networks that are not the public internet (IANA special-purpose registry), and multicast. */
const NOT_PUBLIC = new BlockList();
for (const [network, bits] of [
  ...([
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
  ] as const),
  ...([
    ["172.16.0.0", 12],
    ["192.0.0.0", 24],
    ["192.0.2.0", 24],
    ["192.88.99.0", 24],
    ["192.168.0.0", 16],
  ] as const),
  ...([
    ["198.18.0.0", 15],
    ["198.51.100.0", 24],
    ["203.0.113.0", 24],
    ["224.0.0.0", 3],
  ] as const),
])
  NOT_PUBLIC.addSubnet(network, bits, "ipv4");
/** Inside 2000::/3, which alone is public: protocol assignments with Teredo, documentation, 6to4. */
for (const [network, bits] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const)
  NOT_PUBLIC.addSubnet(network, bits, "ipv6");
const GLOBAL_UNICAST = new BlockList();
GLOBAL_UNICAST.addSubnet("2000::", 3, "ipv6");

/** Whether an address belongs to the public internet. */
export const isPublic = (address: string): boolean =>
  isIPv4(address)
    ? !NOT_PUBLIC.check(address, "ipv4")
    : GLOBAL_UNICAST.check(address, "ipv6") && !NOT_PUBLIC.check(address, "ipv6");

export interface FetchOptions {
  bytes: number;
  seconds: number;
  /** Which addresses may be connected to; default: public ones. */
  allow?: (address: string) => boolean;
}

/** The bytes behind an http(s) URL. Errors: addresses that are not allowed, redirects, other answers, limits. */
export function fetchPicture(from: string, { bytes: limit, seconds, allow = isPublic }: FetchOptions): Promise<Buffer> {
  const url = new URL(from);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const refusal = () => new Error("this address is not on the public internet");
  if (url.username || url.password) return Promise.reject(new Error("URLs with passwords are not fetched"));
  if (isIP(host) && !allow(host)) return Promise.reject(refusal());
  // The address that was looked at is the one that is connected to, whatever the name says a moment later.
  const guarded: LookupFunction = (name, options, done) =>
    void lookup(name, { ...options, all: true }).then(
      (found) => (found.every(({ address }) => allow(address)) ? done(null, found) : done(refusal(), [])),
      () => done(new Error("this host is not known"), []),
    );
  return new Promise((resolve, reject) => {
    const get = url.protocol === "https:" ? getHttps : getHttp;
    const options = { lookup: guarded, agent: false as const, headers: { accept: "image/*" } };
    const request = get(url, { ...options, signal: AbortSignal.timeout(seconds * 1000) }, (response) =>
      readAll(response, limit).then(resolve, (error) => {
        request.destroy();
        reject(error);
      }),
    );
    request.on("error", (error) =>
      reject(error.name === "AbortError" ? new Error(`no answer within ${seconds} s`) : error),
    );
  });
}

async function readAll(response: IncomingMessage, limit: number): Promise<Buffer> {
  if (response.statusCode !== 200)
    throw new Error(`the host answered ${response.statusCode}; redirects are not followed`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > limit) throw new Error(`the picture is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
