/// <reference lib="dom" />
/** A real browser, and web servers for it: one that only hands out files, as any host of static pages. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
export const PAGE = join(root, "dist/page");

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
/** The path of a Chromium, if there is one. */
export const CHROMIUM = [process.env.CHROMIUM ?? "", ...PLACES].find((path) => path && existsSync(path));
export const NO_CHROMIUM = "needs Chromium in /usr/bin, or its path in the variable CHROMIUM";

export const launch = (...args: string[]): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", ...args] });

const changed = (path: string): number => {
  const stat = statSync(path);
  if (!stat.isDirectory()) return /\.(map|d\.ts|tsbuildinfo)$/.test(path) ? 0 : stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => (name === "page" ? 0 : changed(join(path, name)))));
};

/** Builds the studio unless it is newer than all it is made of. */
export function buildPage(): void {
  const index = join(PAGE, "index.html");
  const sources = Math.max(...["studio", "dist", "weights/turbo-mini"].map((path) => changed(join(root, path))));
  if (existsSync(index) && statSync(index).mtimeMs > sources) return;
  const vite = join(root, "node_modules/vite/bin/vite.js");
  const env = { ...process.env, NODE_ENV: "production" };
  const { status, stderr } = spawnSync(process.execPath, [vite, "build", "studio"], {
    cwd: root,
    env,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the studio does not build\n${stderr}`);
}

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Hands out the page, and `folders` by the first part of the path, with no header but the type. */
export async function plainServer(folders: Readonly<Record<string, string>> = {}) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://page");
    const [, first, ...rest] = pathname.split("/");
    const path = folders[first]
      ? join(folders[first], ...rest)
      : join(PAGE, pathname === "/" ? "index.html" : pathname);
    const bytes = await readFile(path).catch(() => undefined);
    response.writeHead(bytes ? 200 : 404, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" });
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}

/** What went wrong in a page: exceptions, and what it wrote to the console as an error. */
export function faultsOf(page: Page): string[] {
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    // A page asks whether its host is a server with models; most are not.
    const asked = /\/(api|studio)\//.test(message.location().url);
    if (message.type() === "error" && !asked) faults.push(message.text());
  });
  return faults;
}

/** Faults that axe-core calls serious or critical. */
export async function seriousFaults(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in globalThis)))
    await page.evaluate(await readFile(join(root, "node_modules/axe-core/axe.min.js"), "utf8"));
  // Colours that are on their way from one theme to the other are not what anybody reads.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    return (await axe.run()).violations;
  });
  const serious = found.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`);
}

interface Violation {
  id: string;
  impact: string;
  help: string;
  nodes: { html: string }[];
}
