/** The life of a model's process: started when needed, told what to do, started again after it died. */
import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FewstepError, fail, internal } from "../base/index.ts";
import type { ModelSource } from "../models/index.ts";
import { ServeError } from "./errors.ts";
import type { About, Assignment, Failed, FromEngine, WorkEvent } from "./work.ts";

export type EngineState = "stopped" | "starting" | "ready" | "failed";

export interface EngineOptions {
  source: ModelSource;
  threads?: number;
  /** Called for everything a process says of a work. */
  onEvent(id: string, event: WorkEvent): void;
  onFailed(id: string, error: Failed): void;
  /** Called when the model is loaded, with the milliseconds that took. */
  onReady(pid: number | undefined, took: number): void;
  /** Called when a process has ended that was not told to. */
  onCrash(how: string): void;
}

export interface Engine {
  readonly state: EngineState;
  readonly pid: number | undefined;
  /** Known once the model has been loaded, also while its process is away. */
  readonly about: About | undefined;
  /** Loads the model unless it is loaded. After crashes it waits before it tries. Errors: what loading says. */
  start(): Promise<void>;
  /** Does a batch. Ends with it, whatever became of its members; errors when the process dies. */
  run(batch: readonly Assignment[]): Promise<void>;
  cancel(id: string): void;
  /** Ends the process; `start` makes a new one. */
  kill(): void;
}

const BACKOFF_MS = { first: 100, most: 10_000 };

/** The compiled program of the process; from TypeScript sources it is the one that the last build made. */
function program(): string {
  const path = import.meta.url.endsWith(".ts") ? "../../dist/serve/engine/main.js" : "./engine/main.js";
  const file = fileURLToPath(new URL(path, import.meta.url));
  if (!existsSync(file)) fail("the compiled engine is missing", { where: file, hint: "Run npm run build." });
  return file;
}

export function createEngine({ source, threads, onEvent, onFailed, onReady, onCrash }: EngineOptions): Engine {
  let child: ChildProcess | undefined;
  let state: EngineState = "stopped";
  let about: About | undefined;
  let starting: Promise<void> | undefined;
  let settle: { resolve(): void; reject(error: Error): void } | undefined;
  /** Crashes in a row; a batch that ends well begins a new count. */
  let crashes = 0;

  async function launch(): Promise<void> {
    state = "starting";
    if (crashes) await pause(Math.min(BACKOFF_MS.first * 2 ** (crashes - 1), BACKOFF_MS.most));
    const begun = performance.now();
    const process_ = fork(program(), { serialization: "advanced", execArgv: [], stdio: ["ignore", 2, 2, "ipc"] });
    child = process_;
    // A message to a process that has just died must not end this one.
    process_.on("error", () => {});
    const answered = new Promise<FromEngine>((resolve, reject) => {
      process_.once("message", (message) => resolve(message as FromEngine));
      process_.once("exit", (code, signal) => reject(crashed(signal ?? `exit code ${code}`, "it loaded the model")));
    });
    process_.on("exit", (code, signal) => ended(process_, signal ?? `exit code ${code}`));
    process_.send({ kind: "load", source, threads });
    const answer = await answered;
    if (answer.kind !== "ready") {
      child = undefined;
      process_.kill("SIGKILL");
      throw answer.kind === "unloadable" ? unpacked(answer.error) : internal(`the engine said ${answer.kind}`);
    }
    about = answer.about;
    process_.on("message", (message) => hear(message as FromEngine));
    state = "ready";
    onReady(process_.pid, Math.round(performance.now() - begun));
    hold(false);
  }

  /** A process that works keeps this one alive, an idle one does not. */
  function hold(busy: boolean): void {
    if (busy) child?.ref();
    else child?.unref();
    if (busy) child?.channel?.ref();
    else child?.channel?.unref();
  }

  function hear(message: FromEngine): void {
    if (message.kind === "event") onEvent(message.id, message.event);
    else if (message.kind === "failed") onFailed(message.id, message.error);
    else if (message.kind === "idle") {
      crashes = 0;
      hold(false);
      settle?.resolve();
    }
  }

  function ended(which: ChildProcess, how: string): void {
    if (child !== which) return;
    child = undefined;
    state = "stopped";
    crashes++;
    onCrash(how);
    settle?.reject(crashed(how));
  }

  return {
    get state() {
      return state;
    },
    get pid() {
      return child?.pid;
    },
    get about() {
      return about;
    },
    start() {
      if (state === "ready") return Promise.resolve();
      starting ??= launch()
        .catch((error) => {
          state = "failed";
          throw error;
        })
        .finally(() => (starting = undefined));
      return starting;
    },
    run(batch) {
      return new Promise<void>((resolve, reject) => {
        if (!child) return reject(crashed("it had ended"));
        settle = { resolve, reject };
        hold(true);
        child.send({ kind: "run", batch });
      });
    },
    cancel: (id) => void child?.send({ kind: "cancel", id }),
    kill() {
      const ending = child;
      child = undefined;
      state = "stopped";
      ending?.kill("SIGKILL");
      settle?.reject(crashed("it was stopped"));
    },
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const unpacked = ({ message, code }: Failed): FewstepError => new FewstepError(message, { code });

const crashed = (how: string, doing = "it worked on this request"): ServeError =>
  new ServeError(503, `the process of the model ended while ${doing} (${how}); it starts again`, {
    code: "engine_crashed",
    retryAfter: 1,
  });
