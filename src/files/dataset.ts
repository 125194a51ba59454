/**
 * Users' own pictures with captions, as plain folders. Three forms are read: captions in `cat.txt` beside `cat.png`;
 * `metadata.jsonl` with `file_name` and `text` (the model hub's imagefolder); a LLaVA list of conversations (.json).
 */
import fs from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { fail } from "../base/index.ts";
import { explain } from "./errno.ts";

export interface Turn {
  question: string;
  answer: string;
}

/** A picture with its caption, with questions and answers about it, or with both. */
export interface Example {
  /** Path of the picture file. */
  image: string;
  caption?: string;
  conversation?: Turn[];
}

const PICTURES = new Set([".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".avif"]);

/**
 * Lists the examples of a folder, a `.jsonl` file or a LLaVA `.json` file, in a stable order; pictures are not opened.
 * Errors: NOT_FOUND; BAD_FILE naming the line or file whose caption or picture is missing.
 */
export function readDataset(path: string): Example[] {
  const stat = onDisk(path, () => fs.statSync(path));
  const metadata = join(path, "metadata.jsonl");
  const examples = stat.isDirectory()
    ? fs.existsSync(metadata)
      ? readLines(metadata)
      : readFolder(path)
    : extname(path) === ".json"
      ? readList(path)
      : readLines(path);
  if (examples.length === 0)
    fail("no examples found", {
      where: path,
      code: "BAD_FILE",
      expected: "pictures with captions",
      hint: "Put cat.txt beside cat.png, or write a metadata.jsonl with file_name and text.",
    });
  return examples;
}

function onDisk<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    return explain(error, path, "read");
  }
}

/** Without the byte order mark that some editors write. */
const readText = (path: string): string => onDisk(path, () => fs.readFileSync(path, "utf8")).replace(/^\ufeff/, "");

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    return fail("this is not JSON", { where, code: "BAD_FILE", got: text.slice(0, 80), cause });
  }
}

function readFolder(folder: string): Example[] {
  const names = onDisk(folder, () => fs.readdirSync(folder, { recursive: true, encoding: "utf8" })).sort();
  return names
    .filter((name) => PICTURES.has(extname(name).toLowerCase()))
    .map((name) => {
      const image = join(folder, name);
      const text = image.slice(0, -extname(image).length) + ".txt";
      if (!fs.existsSync(text))
        fail("this picture has no caption", { where: image, code: "BAD_FILE", hint: `Write its caption to ${text}.` });
      const caption = readText(text).trim();
      if (caption === "") fail("the caption is empty", { where: text, code: "BAD_FILE", hint: "Write a caption." });
      return { image, caption };
    });
}

function readLines(path: string): Example[] {
  return readText(path)
    .split("\n")
    .flatMap((line, i) => {
      const where = `${path}:${i + 1}`;
      return line.trim() === "" ? [] : [toExample(parse(line, where), dirname(path), where)];
    });
}

function readList(path: string): Example[] {
  const items = parse(readText(path), path);
  if (!Array.isArray(items)) return fail("this is not a list of examples", { where: path, code: "BAD_FILE" });
  return items.map((item, i) => toExample(item, dirname(path), `${path}, item ${i + 1}`));
}

function toExample(value: unknown, folder: string, where: string): Example {
  const item = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const bad = (what: string, hint: string): never => fail(what, { where, code: "BAD_FILE", hint });
  const name = item.file_name ?? item.image;
  if (typeof name !== "string" || name === "") return bad("no picture is named", 'Give its path as "file_name".');
  const image = resolve(folder, name);
  if (!fs.existsSync(image))
    bad(`the picture ${image} does not exist`, "Paths are relative to the folder of this file.");
  const caption = item.text ?? item.caption;
  if (caption !== undefined && (typeof caption !== "string" || caption.trim() === ""))
    return bad("the caption is empty or not a string", 'Give it as "text".');
  if (item.conversations === undefined)
    return caption === undefined ? bad("there is no caption", 'Give it as "text".') : { image, caption };
  const conversation = toTurns(item.conversations, bad);
  return caption === undefined ? { image, conversation } : { image, caption, conversation };
}

/** LLaVA's form: human and gpt in turns, each with its value. */
function toTurns(value: unknown, bad: (what: string, hint: string) => never): Turn[] {
  const expected = 'Give pairs of {"from": "human", "value": ...} and {"from": "gpt", "value": ...}.';
  if (!Array.isArray(value) || value.length === 0 || value.length % 2)
    return bad("conversations are no pairs", expected);
  const said = value.map((turn, i) => {
    const speaker = i % 2 ? "gpt" : "human";
    if (turn?.from !== speaker || typeof turn.value !== "string" || turn.value === "")
      return bad(`turn ${i + 1} of the conversation is not what "${speaker}" says`, expected);
    return turn.value as string;
  });
  return Array.from({ length: said.length / 2 }, (_, i) => ({ question: said[2 * i], answer: said[2 * i + 1] }));
}
