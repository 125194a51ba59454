/** What was measured so far, one JSON line for each item, so that a measurement that was killed goes on where it was. */
import { existsSync } from "node:fs";
import { fail } from "../base/index.ts";
import { openLog, readLog } from "../files/index.ts";

export interface Record<T> {
  /** What an earlier run measured of an item. */
  known(index: number): T | undefined;
  add(index: number, entry: T): void;
  close(): void;
}

/**
 * Opens a record, made if absent; without a path nothing is kept. Its first line says what is measured and how.
 * Errors: BAD_INPUT when that was something else; what `openLog` refuses.
 */
export function openRecord<T extends object>(path: string | undefined, about: object): Record<T> {
  if (path === undefined) return { known: () => undefined, add() {}, close() {} };
  const [first, ...entries] = existsSync(path) ? readLog(path) : [];
  const [then, now] = [JSON.stringify(first?.about), JSON.stringify(about)];
  if (first && then !== now)
    fail("this file records another measurement", {
      where: path,
      expected: then ?? "a record of a measurement",
      got: now,
      hint: "Name another file, or use the same model and settings.",
    });
  const known = new Map(entries.map(({ step, entry }) => [step - 1, entry as T]));
  const log = openLog(path);
  if (!first) log.append({ step: 0, about });
  return {
    known: (index) => known.get(index),
    add: (index, entry) => log.append({ step: index + 1, entry }),
    close: () => log.close(),
  };
}
