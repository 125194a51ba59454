/** The files of the built studio, and the runs beside it, as answers to requests. Knows no sockets and no models. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../base/index.ts";
import { listRuns, readRun, runFolder, sampleFile } from "./runs.ts";

/** Where the build puts the page, seen from src/studio and from dist/studio alike. */
export const BUILT = fileURLToPath(new URL("../../dist/page/", import.meta.url));

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".wasm": "application/wasm",
};

/** Isolated pages may share memory between threads; nothing but the page's own files may run in it. */
const HEADERS = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy":
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; connect-src 'self' blob: data:; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

export interface SiteOptions {
  /** Folder of the built page. */
  page?: string;
  /** Folder of training runs. */
  runs: string;
}

export interface Site {
  /** The answer, or undefined where the request is for somebody else. */
  fetch(request: Request): Promise<Response | undefined>;
}

/** Errors: NOT_FOUND when the page is not built. */
export async function createSite({ page = BUILT, runs }: SiteOptions): Promise<Site> {
  if (!existsSync(join(page, "index.html")))
    fail("the studio is not built", { where: page, code: "NOT_FOUND", hint: "Run npm run studio." });
  const paths = (await readdir(page, { recursive: true })) as string[];
  const files = new Set(paths.map((path) => `/${path.split(sep).join("/")}`).filter((path) => extname(path)));

  return {
    async fetch(request) {
      if (request.method !== "GET" && request.method !== "HEAD") return undefined;
      const url = new URL(request.url);
      const path = url.pathname === "/" ? "/index.html" : url.pathname;
      if (files.has(path)) return fileAnswer(join(page, path), path.startsWith("/assets/"));
      const [, studio, what, name, samples, ...rest] = path.split("/").map(decoded);
      if (studio !== "studio" || what !== "runs") return undefined;
      if (!name) return Response.json({ runs: await listRuns(runs) }, { headers: HEADERS });
      const run = runFolder(runs, name);
      if (!run) return missing();
      if (samples === "samples") {
        const file = await sampleFile(run, rest.join("/"));
        return file ? fileAnswer(file, false) : missing();
      }
      const after = Number(url.searchParams.get("after") ?? 0);
      const part = await readRun(run, Number.isSafeInteger(after) && after > 0 ? after : 0);
      return Response.json(part, { headers: HEADERS });
    },
  };
}

const missing = () => Response.json({ error: { message: "there is no such run" } }, { status: 404, headers: HEADERS });

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

/** Names of assets hold a hash of what is in them, so they may be kept. */
async function fileAnswer(path: string, forever: boolean): Promise<Response> {
  const type = TYPES[extname(path)] ?? "application/octet-stream";
  const cache = forever ? "public, max-age=31536000, immutable" : "no-cache";
  const headers = { ...HEADERS, "content-type": type, "cache-control": cache };
  return new Response(new Uint8Array(await readFile(path)), { headers });
}
