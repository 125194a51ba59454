import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import { afterAll, expect, test } from "vitest";
import { Rng } from "../base/index.ts";
import { encodePicture, picture, readMask, readPicture, readPngText } from "./index.ts";
import { addPngText } from "./png-text.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-image-"));
afterAll(() => rmSync(folder, { recursive: true }));

const rng = new Rng(3);
const noise = (width: number, height: number) =>
  picture(
    width,
    height,
    Uint8Array.from({ length: width * height * 3 }, () => rng.int(256)),
  );
const rgba = (width: number, height: number, data: number[]) =>
  sharp(Uint8Array.from(data), { raw: { width, height, channels: 4 } })
    .png()
    .toBuffer();

test("PNG keeps every pixel, JPEG and WebP nearly", async () => {
  const source = noise(19, 7);
  expect(await readPicture(await encodePicture(source))).toEqual(source);
  const smooth = picture(32, 32, [200, 100, 50]);
  for (const format of ["jpeg", "webp"] as const) {
    const back = await readPicture(await encodePicture(smooth, format, { quality: 95 }));
    expect(Math.max(...back.data.map((v, i) => Math.abs(v - smooth.data[i])))).toBeLessThan(6);
  }
  await expect(encodePicture(smooth, "jpeg", { quality: 0 })).rejects.toThrow("quality out of range");
});

test("transparency is flattened on white, 16 bits become 8, grey becomes RGB", async () => {
  const half = await readPicture(await rgba(3, 1, [255, 0, 0, 255, 255, 0, 0, 0, 1, 1, 1, 128]));
  expect([...half.data]).toEqual([255, 0, 0, 255, 255, 255, 128, 128, 128]);
  const deep = sharp(Uint16Array.of(0, 0x8080, 0xffff), { raw: { width: 3, height: 1, channels: 1 } });
  const grey = await readPicture(await deep.toColourspace("grey16").png().toBuffer());
  expect([...grey.data]).toEqual([0, 0, 0, 128, 128, 128, 255, 255, 255]);
});

test("EXIF orientation is applied", async () => {
  const upright = picture(2, 1, Uint8Array.of(255, 0, 0, 0, 0, 255));
  const turned = await sharp(upright.data, { raw: { width: 2, height: 1, channels: 3 } })
    .withMetadata({ orientation: 6 })
    .png()
    .toBuffer();
  expect(await readPicture(turned)).toEqual({ ...upright, width: 1, height: 2 });
});

test("masks: transparent pixels if there are any, else white ones", async () => {
  const alpha = await rgba(2, 1, [255, 255, 255, 255, 255, 255, 255, 0]);
  expect([...(await readMask(alpha)).data]).toEqual([0, 255]);
  expect([...(await readMask(alpha, "white")).data]).toEqual([255, 255]);
  const opaque = await rgba(3, 1, [255, 255, 255, 255, 0, 0, 0, 255, 255, 0, 0, 255]);
  expect([...(await readMask(opaque)).data]).toEqual([255, 0, 76]);
  expect([...(await readMask(opaque, "black")).data]).toEqual([0, 255, 179]);
  expect([...(await readMask(opaque, "alpha")).data]).toEqual([0, 0, 0]);
});

test("files that are no pictures say what they are", async () => {
  await expect(readPicture(join(folder, "none.png"))).rejects.toThrow(/none.png: there is no such picture/);
  await expect(readPicture(folder)).rejects.toThrow("this is a folder");
  const path = join(folder, "text.png");
  writeFileSync(path, "hello, I am text");
  await expect(readPicture(path)).rejects.toThrow('begins with "hello, I am text"');
  writeFileSync(path, "");
  await expect(readPicture(path)).rejects.toThrow("the picture file is empty");
  await expect(readPicture(Buffer.from('<svg width="9" height="9"></svg>'))).rejects.toThrow("this is not a picture");
});

test("pictures cut short are refused at every length", async () => {
  const source = noise(64, 64);
  for (const format of ["png", "jpeg", "webp"] as const) {
    const bytes = await encodePicture(source, format);
    for (const part of [0.01, 0.3, 0.6, 0.9])
      await expect(readPicture(bytes.subarray(0, Math.max(16, bytes.length * part)))).rejects.toMatchObject({
        name: "FewstepError",
        code: "BAD_FILE",
      });
  }
});

test("a picture above the limit is refused before it is decoded", async () => {
  // A PNG that claims 20000 x 20000 in its header.
  const bytes = await encodePicture(picture(1, 1));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(16, 20000);
  view.setUint32(20, 20000);
  await expect(readPicture(bytes)).rejects.toThrow(/at most 64 megapixels\n.*20000 x 20000 = 400 megapixels/);
});

test("PNG text comes back, and the picture stays", async () => {
  const source = picture(2, 2, [1, 2, 3]);
  const text = fc.dictionary(
    fc.string({ minLength: 1, maxLength: 79, unit: fc.constantFrom("a", "b", "Z", "_", "9") }),
    fc.string({ unit: fc.constantFrom("a", "\n", "\u00e9", "猫", "\u{1F600}") }),
    { noNullPrototype: true },
  );
  const png = await encodePicture(source);
  fc.assert(
    fc.property(
      text,
      fc.string({ unit: fc.constantFrom("a", "\n", "\u00e9", "\u0080", "猫") }),
      (others, parameters) => {
        expect(readPngText(addPngText(png, { ...others, parameters }))).toEqual({ ...others, parameters });
      },
    ),
    { numRuns: 30 },
  );
  const bytes = await encodePicture(source, "png", { text: { parameters: "a cat, steps: 4", fewstep: '{"seed":7}' } });
  expect(await readPicture(bytes)).toEqual(source);
  const types = Buffer.from(bytes).toString("latin1");
  const chunk = types.indexOf("tEXt");
  expect(Buffer.from(bytes).readUInt32BE(chunk + 30)).toBe(crc32(types.slice(chunk, chunk + 30)));
  expect(types).toContain("tEXtparameters\0a cat, steps: 4");
  expect(types).toContain('iTXtfewstep\0\0\0\0\0{"seed":7}');
  expect(() => readPngText(bytes.subarray(0, 60))).toThrow("cut short");
  await expect(encodePicture(source, "png", { text: { "": "x" } })).rejects.toThrow("bad keyword");
});
