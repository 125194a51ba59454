/** The studio on a socket: its page, the runs, and models as `fewstep serve` serves them, on one origin. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { fail } from "../base/index.ts";
import { createService, type ServiceOptions } from "../serve/index.ts";
import { createSite, type SiteOptions } from "./site.ts";

export const STUDIO_PORT = 7118;

export interface StudioOptions extends SiteOptions, Pick<ServiceOptions, "models" | "threads" | "log"> {
  /** Default 7118; 0 takes any free one. */
  port?: number;
}

export interface Studio {
  readonly url: string;
  close(): Promise<void>;
}

const HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Listens on this machine alone. Models load in the background; the page works without them.
 * Errors: NOT_FOUND when the page is not built, a port that is taken.
 */
export async function startStudio({ port = STUDIO_PORT, page, runs, ...options }: StudioOptions): Promise<Studio> {
  const site = await createSite({ page, runs });
  const service = createService({ ...options, hosts: HOSTS });
  async function answer(request: Request): Promise<Response> {
    const { hostname } = new URL(request.url);
    // The service refuses other host names itself.
    const own = HOSTS.includes(hostname) ? await site.fetch(request).catch(() => undefined) : undefined;
    return own ?? service.fetch(request);
  }
  const server = createServer(getRequestListener(answer, { overrideGlobalObjects: false }));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  }).catch(async (cause: NodeJS.ErrnoException) => {
    await service.close();
    fail(cause.code === "EADDRINUSE" ? "the port is taken" : "cannot listen there", {
      ...{ where: `127.0.0.1:${port}`, got: cause.message, hint: "Choose another with --port.", cause },
    });
  });
  // What goes wrong there is said to who asks a model.
  service.start().catch(() => {});
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await service.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
