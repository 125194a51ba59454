/** fewstep serve: the tasks over HTTP, as OpenAI's clients speak it. */
import type { Command } from "commander";
import { DEFAULT_PORT, jsonLines, LIMITS, type Limits, startServer } from "../serve/index.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";

interface Options {
  port: number;
  host: string;
  model: string[];
  apiKey: string[];
  allowHost: string[];
  cors: string[];
  allowRemoteImages?: boolean;
  threads?: number;
  quiet?: boolean;
  maxQueue: number;
  maxBatch: number;
  maxBytes: number;
  maxPixels: number;
  maxSteps: number;
  maxSeconds: number;
  grace: number;
}

const several = (value: string, before: string[]): string[] => [...before, value];

export function serve(program: Command, io: Io): void {
  program
    .command("serve")
    .description("serve models over HTTP to OpenAI's clients, the AI SDK and browsers")
    .option("--port <number>", "port to listen on; 0 takes a free one", number, DEFAULT_PORT)
    .option("--host <address>", "address to listen on; other than loopback needs a key", "127.0.0.1")
    .option(
      "--model <name>",
      "embedded model, or the folder of one; may be repeated, the first is the default",
      several,
      [],
    )
    .option("--api-key <key>", "key that clients must send; may be repeated (also FEWSTEP_API_KEY)", several, [])
    .option("--allow-host <name>", "further host name to answer to", several, [])
    .option("--cors <origin>", "origin whose pages may use the server", several, [])
    .option("--allow-remote-images", "fetch pictures behind http(s) URLs, from public addresses")
    .option("--threads <count>", "processor threads of each model (default: all)", number)
    .option("--max-queue <count>", "requests that wait for a model", number, LIMITS.queue)
    .option("--max-batch <count>", "pictures drawn at once", number, LIMITS.batch)
    .option("--max-bytes <count>", "bytes of a request", number, LIMITS.bytes)
    .option("--max-pixels <count>", "pixels of a given picture", number, LIMITS.pixels)
    .option("--max-steps <count>", "denoising steps of a drawing", number, LIMITS.steps)
    .option("--max-seconds <count>", "from request to answer", number, LIMITS.seconds)
    .option("--grace <seconds>", "what running requests get to end when the server is told to", number, 30)
    .option("--quiet", "no log")
    .action((options: Options) => listen(options, io));
}

async function listen(options: Options, io: Io): Promise<void> {
  const { port, host, model, apiKey, allowHost, cors, allowRemoteImages, threads, quiet, grace } = options;
  const limits: Partial<Limits> = {
    queue: options.maxQueue,
    batch: options.maxBatch,
    bytes: options.maxBytes,
    pixels: options.maxPixels,
    steps: options.maxSteps,
    seconds: options.maxSeconds,
  };
  const server = await startServer({
    ...{
      port,
      host,
      threads,
      limits,
      origins: cors,
      hosts: allowHost.length ? allowHost : undefined,
      remoteImages: allowRemoteImages,
    },
    keys: [...apiKey, ...(io.env.FEWSTEP_API_KEY ? [io.env.FEWSTEP_API_KEY] : [])],
    models: model.length ? model : undefined,
    log: quiet ? undefined : jsonLines((line) => io.err(line)),
  });
  await io.out(`listening on ${server.url} (OpenAI clients: baseURL ${server.url}/v1)\n`);
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    io.signal.addEventListener("abort", () => resolve());
  });
  io.err("fewstep: ending; running requests may finish\n");
  await server.close(grace);
}
