/** Runs fewstep in this process, on the tiny model, in a folder of its own that goes away with the test file. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { Rng } from "../src/base/index.ts";
import { run } from "../src/cli/run.ts";
import type { Io } from "../src/cli/shell/io.ts";
import { encodePicture, picture } from "../src/image/index.ts";
import { saveTinyModel } from "./tiny-model.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-cli-"));
beforeAll(() => saveTinyModel(model));
beforeEach(() => {
  work = mkdtempSync(join(root, "work-"));
});
afterAll(() => rmSync(root, { recursive: true }));

/** Folder of the tiny model. */
export const model = join(root, "tiny");
/** An empty folder for each test. */
export let work = "";
export const at = (name: string): string => join(work, name);
export const files = (): string[] => readdirSync(work).sort();

export interface Ended {
  code: number;
  out: string;
  bytes: Uint8Array;
  err: string;
}

/** Runs a command line. Models run in this thread: their own thread is what the compiled program is tested with. */
export async function cli(argv: string[], world: Partial<Io> & { stdin?: Uint8Array } = {}): Promise<Ended> {
  const out: Uint8Array[] = [];
  let err = "";
  const io: Io = {
    out: async (data) => void out.push(Buffer.from(data as string)),
    err: (text) => void (err += text),
    input: async () => world.stdin ?? new Uint8Array(),
    live: false,
    colors: false,
    env: {},
    signal: new AbortController().signal,
    host: "inline",
    ...world,
  };
  const code = await run(argv, io);
  const bytes = Buffer.concat(out);
  return { code, out: bytes.toString(), bytes, err };
}

/** With the tiny model. */
export const tiny = (...argv: string[]): Promise<Ended> => cli([...argv, "--model", model, "--threads", "1"]);

/** A square picture of random pixels in the working folder. */
export async function savedPicture(name: string, side = 40): Promise<string> {
  const rng = new Rng(1);
  const data = Uint8Array.from({ length: side * side * 3 }, () => rng.int(256));
  writeFileSync(at(name), await encodePicture(picture(side, side, data)));
  return at(name);
}
