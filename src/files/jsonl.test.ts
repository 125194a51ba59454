import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type LogRecord, openLog, readLog } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-log-"));
afterAll(() => rmSync(folder, { recursive: true }));

const write = (path: string, records: LogRecord[], options?: { after?: number }) => {
  const log = openLog(path, options);
  for (const record of records) log.append(record);
  log.close();
};
const steps = (path: string) => readLog(path).map(({ step }) => step);

test("appends to what is there", () => {
  const path = join(folder, "a.jsonl");
  write(path, [{ step: 1, loss: 0.5, note: "é\n" }]);
  write(path, [{ step: 2, loss: 0.25 }]);
  expect(readLog(path)).toEqual([
    { step: 1, loss: 0.5, note: "é\n" },
    { step: 2, loss: 0.25 },
  ]);
});

test("wherever a kill cuts the file, whole lines stay and the log goes on", () => {
  const path = join(folder, "torn.jsonl");
  write(
    path,
    [1, 2, 3].map((step) => ({ step, name: "ü" })),
  );
  const whole = readFileSync(path);
  const line = whole.length / 3;
  for (let cut = whole.length; cut >= 0; cut--) {
    writeFileSync(path, whole);
    truncateSync(path, cut);
    const left = [1, 2, 3].slice(0, Math.floor(cut / line));
    expect(steps(path)).toEqual(left);
    write(path, [{ step: 9 }]);
    expect(steps(path)).toEqual([...left, 9]);
  }
});

test("resuming drops the records after a step", () => {
  const path = join(folder, "resume.jsonl");
  write(path, [{ step: 10 }, { step: 20 }, { step: 20, eval: true }, { step: 30 }, { step: 40 }]);
  write(path, [{ step: 21 }], { after: 20 });
  expect(steps(path)).toEqual([10, 20, 20, 21]);
  write(path, [{ step: 1 }], { after: 0 });
  expect(steps(path)).toEqual([1]);
});

test("a broken line is named, a missing file too", () => {
  const path = join(folder, "bad.jsonl");
  writeFileSync(path, '{"step":1}\n\nnope\n{"step":2}\n');
  expect(() => readLog(path)).toThrow(/bad.jsonl:3: this line is not JSON\n.*nope/);
  expect(() => openLog(path)).toThrow("bad.jsonl:3");
  expect(() => readLog(join(folder, "none"))).toThrow("there is no such file");
  expect(() => openLog(join(folder, "none", "a"))).toThrow("does not exist");
});

test.runIf(process.platform === "linux")("a full disk says so", () => {
  // Through a link, so that a broken log harms the link and not the device.
  const full = join(folder, "full");
  symlinkSync("/dev/full", full);
  const log = openLog(full);
  expect(() => log.append({ step: 1 })).toThrow("the disk is full");
  log.close();
});
