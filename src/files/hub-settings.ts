/** Where the model hub and its cache are, by the environment variables that other tools of the hub honour too. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fail } from "../base/index.ts";

const DEFAULT_ENDPOINT = "https://huggingface.co";

export interface Hub {
  /** Address without a slash at the end. */
  readonly endpoint: string;
  /** Folder of the cache that all tools of the hub share. */
  readonly cache: string;
  readonly token?: string;
  /** Nothing is asked of the network. */
  readonly offline: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * HF_HUB_CACHE, else HF_HOME/hub, else XDG_CACHE_HOME/huggingface/hub; HF_ENDPOINT; HF_TOKEN, else the file HF_HOME/token;
 * HF_HUB_OFFLINE. Errors: BAD_INPUT for an endpoint that is no web address.
 */
export function hubFrom(env: Env = process.env): Hub {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");
  const token = (env.HF_TOKEN || tokenIn(join(home, "token")))?.trim();
  return {
    endpoint: addressOf(env.HF_ENDPOINT || DEFAULT_ENDPOINT),
    cache: env.HF_HUB_CACHE || join(home, "hub"),
    ...(token && { token }),
    offline: /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? ""),
  };
}

function addressOf(text: string): string {
  const address = URL.canParse(text) ? new URL(text) : undefined;
  if (!address || !/^https?:$/.test(address.protocol))
    fail("this is no address of a model hub", {
      where: "HF_ENDPOINT",
      expected: "an address that starts with https:// or http://",
      got: text,
    });
  return text.replace(/\/+$/, "");
}

function tokenIn(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
