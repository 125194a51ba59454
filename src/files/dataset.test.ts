import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readDataset } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-dataset-"));
afterAll(() => rmSync(root, { recursive: true }));

/** A folder with these files. */
function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(root, "x"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const talk = (...values: string[]) => values.map((value, i) => ({ from: i % 2 ? "gpt" : "human", value }));

test("captions beside pictures, in sub-folders, in a stable order", () => {
  const folder = folderOf({
    "b.PNG": "",
    "b.txt": "\ufeff a dog \n",
    "a/c.d.jpeg": "",
    "a/c.d.txt": "a cat",
    "readme.txt": "not a caption",
  });
  expect(readDataset(folder)).toEqual([
    { image: join(folder, "a/c.d.jpeg"), caption: "a cat" },
    { image: join(folder, "b.PNG"), caption: "a dog" },
  ]);
});

test("metadata.jsonl with captions and conversations", () => {
  const lines = [
    { file_name: "p/1.png", text: "one" },
    { file_name: "2.png", text: "two", conversations: talk("<image>\nHow many?", "Two.", "Sure?", "Yes.") },
  ];
  const folder = folderOf({
    "p/1.png": "",
    "2.png": "",
    "metadata.jsonl": lines.map((line) => JSON.stringify(line)).join("\r\n\r\n") + "\n",
  });
  const expected = [
    { image: join(folder, "p/1.png"), caption: "one" },
    {
      image: join(folder, "2.png"),
      caption: "two",
      conversation: [
        { question: "<image>\nHow many?", answer: "Two." },
        { question: "Sure?", answer: "Yes." },
      ],
    },
  ];
  expect(readDataset(folder)).toEqual(expected);
  expect(readDataset(join(folder, "metadata.jsonl"))).toEqual(expected);
});

test("a LLaVA list", () => {
  const folder = folderOf({
    "1.png": "",
    "list.json": JSON.stringify([{ image: "1.png", conversations: talk("a", "b") }]),
  });
  expect(readDataset(join(folder, "list.json"))).toEqual([
    { image: join(folder, "1.png"), conversation: [{ question: "a", answer: "b" }] },
  ]);
});

test("what is wrong is named with its file and line", () => {
  const refused = (files: Record<string, string>, name = "") => expect(() => readDataset(join(folderOf(files), name)));
  refused({}).toThrow("no examples found");
  refused({}, "none").toThrow("there is no such file");
  refused({ "a.png": "" }).toThrow(/a.png: this picture has no caption\n.*a.txt/);
  refused({ "a.png": "", "a.txt": " \n" }).toThrow(/a.txt: the caption is empty/);
  const lines = (...texts: unknown[]) => ({
    "1.png": "",
    "metadata.jsonl": texts.map((t) => (typeof t === "string" ? t : JSON.stringify(t))).join("\n"),
  });
  const good = { file_name: "1.png", text: "one" };
  refused(lines(good, "{nope")).toThrow(/metadata.jsonl:2: this is not JSON/);
  refused(lines(good, "", 7)).toThrow(/metadata.jsonl:3: no picture is named/);
  refused(lines({ file_name: "2.png", text: "x" })).toThrow(/metadata.jsonl:1: the picture .*2.png does not exist/);
  refused(lines({ file_name: "1.png" })).toThrow(/:1: there is no caption/);
  refused(lines({ file_name: "1.png", text: 5 })).toThrow(/:1: the caption is empty or not a string/);
  refused(lines({ ...good, conversations: talk("a") })).toThrow(/:1: conversations are no pairs/);
  refused(lines({ ...good, conversations: talk("a", "") })).toThrow(/:1: turn 2 of the conversation/);
  refused(lines({ ...good, conversations: [null, null] })).toThrow(/:1: turn 1 of the conversation/);
  refused({ "a.json": "{}" }, "a.json").toThrow("this is not a list");
  refused({ "a.json": "[{}]" }, "a.json").toThrow("a.json, item 1: no picture is named");
});
