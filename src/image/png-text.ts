/** Text inside PNG files: tEXt and iTXt chunks (PNG specification, sections 5 and 11.3.3). */
import { fail } from "../base/index.ts";

export const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

export const isPng = (bytes: Uint8Array): boolean => SIGNATURE.every((b, i) => bytes[i] === b);

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const isLatin1 = (text: string): boolean => /^[\n\x20-\x7e\xa0-\xff]*$/.test(text);
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const fromLatin1 = (bytes: Uint8Array): string => Array.from(bytes, (b) => String.fromCharCode(b)).join("");

export function concat(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A chunk with its length and checksum. */
export function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = concat([latin1(type), data]);
  const out = new Uint8Array(body.length + 8);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(body, 4);
  view.setUint32(4 + body.length, crc32(body));
  return out;
}

function textChunk(keyword: string, text: string): Uint8Array {
  if (!/^[\x21-\x7e]([\x20-\x7e]{0,77}[\x21-\x7e])?$/.test(keyword))
    fail("bad keyword for PNG text", { expected: "1 to 79 printable ASCII characters", got: JSON.stringify(keyword) });
  if (text.includes("\0")) fail(`PNG text "${keyword}" may not hold a NUL character`);
  // Other programs look for `parameters` in tEXt; everything else is UTF-8.
  if (keyword === "parameters" && isLatin1(text)) return chunk("tEXt", concat([latin1(keyword + "\0"), latin1(text)]));
  return chunk("iTXt", concat([latin1(keyword + "\0\0\0\0\0"), new TextEncoder().encode(text)]));
}

/** The same PNG with these texts. Errors: not a PNG, a keyword that PNG does not allow. */
export function addPngText(png: Uint8Array, text: Readonly<Record<string, string>>): Uint8Array {
  const afterHeader = 8 + 25;
  if (!isPng(png) || png.length < afterHeader) fail("not a PNG file", { code: "BAD_FILE" });
  const chunks = Object.entries(text).map(([keyword, value]) => textChunk(keyword, value));
  return concat([png.subarray(0, afterHeader), ...chunks, png.subarray(afterHeader)]);
}

/** Texts of a PNG by keyword; compressed ones are left out. Errors: not a PNG, cut short. */
export function readPngText(png: Uint8Array): Record<string, string> {
  if (!isPng(png)) fail("not a PNG file", { code: "BAD_FILE" });
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const found: [string, string][] = [];
  for (let at = 8; at < png.length; ) {
    const length = at + 12 <= png.length ? view.getUint32(at) : Number.POSITIVE_INFINITY;
    if (at + 12 + length > png.length)
      fail("the PNG file is cut short", { code: "BAD_FILE", hint: "Download or save the file again." });
    const type = fromLatin1(png.subarray(at + 4, at + 8));
    const data = png.subarray(at + 8, at + 8 + length);
    const end = data.indexOf(0);
    if (type === "tEXt" && end > 0) found.push([fromLatin1(data.subarray(0, end)), fromLatin1(data.subarray(end + 1))]);
    if (type === "iTXt" && end > 0 && data[end + 1] === 0) {
      const language = data.indexOf(0, end + 3);
      const translated = data.indexOf(0, language + 1);
      if (language > 0 && translated > 0)
        found.push([fromLatin1(data.subarray(0, end)), new TextDecoder().decode(data.subarray(translated + 1))]);
    }
    if (type === "IEND") break;
    at += 12 + length;
  }
  return Object.fromEntries(found);
}
