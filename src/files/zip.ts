/**
 * The directory of a zip archive, ZIP64 included, for random access to entries that are stored as they are. Every size
 * and place it claims is checked against the file before anything is read there. Knows nothing of what entries hold.
 */
import { fail } from "../base/index.ts";
import type { Readable } from "./safetensors-header.ts";

export interface ZipEntry {
  readonly name: string;
  /** Position of the first byte of the content in the file. */
  readonly offset: number;
  readonly size: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const MAX_COMMENT = 0xffff;
/** A directory of a million tensors is smaller. */
const MAX_DIRECTORY = 128 * 2 ** 20;

type Bad = (what: string, got?: string) => never;

/** Entries by name. Errors: BAD_FILE for anything but a whole archive of stored entries. */
export function readZip(source: Readable): Map<string, ZipEntry> {
  const bad: Bad = (what, got) =>
    fail(what, { where: source.where, code: "BAD_FILE", got, hint: "Download or write the file again." });
  const view = (position: number, length: number): DataView => {
    if (!(position >= 0 && length >= 0 && position + length <= source.size)) bad("the archive is cut short");
    const bytes = new Uint8Array(length);
    source.read(bytes, position);
    return new DataView(bytes.buffer);
  };

  const { start, size, count, end } = findDirectory(source.size, view, bad);
  if (start + size > end || count * 46 > size) bad("the directory of the archive does not fit the file");
  if (size > MAX_DIRECTORY) bad("the directory of the archive is too large", `${size} bytes`);
  const directory = view(start, size);
  const entries = new Map<string, ZipEntry>();
  const stretches: Stretch[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { entry, next } = readEntry(directory, at, bad);
    const local = view(entry.header, 30);
    if (local.getUint32(0, true) !== LOCAL) bad(`entry "${entry.name}" is not where the directory says`);
    const offset = entry.header + 30 + local.getUint16(26, true) + local.getUint16(28, true);
    if (offset + entry.size > start) bad(`entry "${entry.name}" runs into the directory`);
    if (entries.has(entry.name)) bad(`the archive names "${entry.name}" twice`);
    entries.set(entry.name, { name: entry.name, offset, size: entry.size });
    stretches.push({ name: entry.name, from: entry.header, to: offset + entry.size });
    at = next;
  }
  refuseOverlaps(stretches, bad);
  return entries;
}

/** Where the directory lies, from the record at the end of the file. */
function findDirectory(fileSize: number, view: (at: number, length: number) => DataView, bad: Bad) {
  if (fileSize < END_BYTES) bad("too short for a zip archive", `${fileSize} bytes`);
  const tailStart = Math.max(0, fileSize - END_BYTES - MAX_COMMENT);
  const tail = view(tailStart, fileSize - tailStart);
  let at = tail.byteLength - END_BYTES;
  const isEnd = () =>
    tail.getUint32(at, true) === END && at + END_BYTES + tail.getUint16(at + 20, true) === tail.byteLength;
  while (at >= 0 && !isEnd()) at--;
  if (at < 0) bad("not a zip archive, or cut short");
  const end = tailStart + at;
  if (tail.getUint16(at + 4, true) !== 0 && tail.getUint16(at + 4, true) !== 0xffff)
    bad("archives in several parts are not supported");
  const small = {
    count: tail.getUint16(at + 10, true),
    size: tail.getUint32(at + 12, true),
    start: tail.getUint32(at + 16, true),
    end,
  };
  if (small.count !== 0xffff && small.size !== 0xffffffff && small.start !== 0xffffffff) return small;
  // Larger ones have a second record, and before this one a note of where it is.
  if (end < 20) bad("the archive is cut short");
  const locator = view(end - 20, 20);
  if (locator.getUint32(0, true) !== LOCATOR64) bad("the ZIP64 record of the archive is missing");
  const place = whole(locator.getBigUint64(8, true), bad);
  const record = view(place, 56);
  if (record.getUint32(0, true) !== END64) bad("the ZIP64 record of the archive is not where it should be");
  return {
    count: whole(record.getBigUint64(32, true), bad),
    size: whole(record.getBigUint64(40, true), bad),
    start: whole(record.getBigUint64(48, true), bad),
    end: place,
  };
}

const whole = (value: bigint, bad: Bad): number =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : bad("a size in the archive is beyond any file");

function readEntry(directory: DataView, at: number, bad: Bad) {
  const room = directory.byteLength - at;
  if (room < 46 || directory.getUint32(at, true) !== CENTRAL) bad("the directory of the archive is damaged");
  const u16 = (offset: number) => directory.getUint16(at + offset, true);
  const u32 = (offset: number) => directory.getUint32(at + offset, true);
  const [nameLength, extraLength, commentLength] = [u16(28), u16(30), u16(32)];
  const next = at + 46 + nameLength + extraLength + commentLength;
  if (next > directory.byteLength) bad("the directory of the archive is damaged");
  const name = decodeName(new Uint8Array(directory.buffer, directory.byteOffset + at + 46, nameLength), bad);
  if (u16(8) & 1) bad(`entry "${name}" is encrypted`);
  if (u16(10) !== 0) bad(`entry "${name}" is compressed`, `method ${u16(10)}, where tensors are stored as they are`);

  let [packed, size, header] = [u32(20), u32(24), u32(42)];
  const extraEnd = at + 46 + nameLength + extraLength;
  for (let extra = at + 46 + nameLength; extra + 4 <= extraEnd; ) {
    const length = directory.getUint16(extra + 2, true);
    if (extra + 4 + length > extraEnd) bad(`entry "${name}" has damaged extra fields`);
    if (directory.getUint16(extra, true) === 1) {
      // 64-bit values stand in this order, and only for fields that are full.
      let field = extra + 4;
      const large = (value: number): number => {
        if (value !== 0xffffffff) return value;
        if (field + 8 > extra + 4 + length) bad(`entry "${name}" lacks its ZIP64 sizes`);
        field += 8;
        return whole(directory.getBigUint64(field - 8, true), bad);
      };
      size = large(size);
      packed = large(packed);
      header = large(header);
    }
    extra += 4 + length;
  }
  if (packed !== size) bad(`entry "${name}" has two sizes`, `${packed} and ${size} bytes`);
  return { entry: { name, size, header }, next };
}

function decodeName(bytes: Uint8Array, bad: Bad): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return bad("the archive has a name that is no text");
  }
}

interface Stretch {
  name: string;
  from: number;
  to: number;
}

function refuseOverlaps(stretches: Stretch[], bad: Bad): void {
  stretches.sort((a, b) => a.from - b.from || a.to - b.to);
  for (const [i, { name, from }] of stretches.entries()) {
    const before = stretches[i - 1];
    if (before && before.to > from) bad(`entries "${before.name}" and "${name}" overlap`);
  }
}
