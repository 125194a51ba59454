import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { bool, type DType, FewstepError, f32, i64, type NdArray, nd, sizeOf } from "../base/index.ts";
import { encodeSafetensors, readSafetensors, type WriteOptions, writeSafetensors } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true }));

const encode = (tensors: Record<string, NdArray>, metadata?: Record<string, string>, options?: WriteOptions) =>
  Uint8Array.from(Buffer.concat([...encodeSafetensors(tensors, metadata, options)]));

/** A file with this header and this many bytes of data. */
function file(header: unknown, dataBytes = 0): Uint8Array {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

const refusal = (bytes: Uint8Array): string => {
  try {
    readSafetensors(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(FewstepError);
    expect((error as FewstepError).code).toBe("BAD_FILE");
    return (error as Error).message;
  }
  throw new Error("was accepted");
};

const dtypes: DType[] = ["float32", "float16", "int32", "int64", "uint8", "int8", "bool"];

const array = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.nat(4), { maxLength: 3 }), fc.infiniteStream(fc.nat(255)))
  .map(([dtype, shape, bytes]) => {
    const empty = nd(dtype, shape);
    const raw = new Uint8Array(empty.data.buffer);
    for (let i = 0; i < raw.length; i++) raw[i] = dtype === "bool" ? bytes.next().value & 1 : bytes.next().value;
    return empty;
  });
const stateDict = fc.dictionary(
  fc.string({ unit: fc.constantFrom("a", ".", "0", '"', "\\", "}", "猫", "\u{1F600}") }),
  array,
  { maxKeys: 5, noNullPrototype: true },
);
const rawBytes = ({ data }: NdArray) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");

test("whatever is written is read back, bit for bit", () => {
  fc.assert(
    fc.property(stateDict, fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }), (tensors, metadata) => {
      fc.pre(!Object.hasOwn(metadata, "__proto__"));
      const back = readSafetensors(encode(tensors, metadata));
      expect([...back.names].sort()).toEqual(Object.keys(tensors).sort());
      expect(back.metadata).toEqual(metadata);
      for (const [name, { dtype, shape }] of Object.entries(tensors)) {
        expect(back.get(name)).toMatchObject({ dtype, shape });
        expect(rawBytes(back.get(name))).toBe(rawBytes(tensors[name]));
      }
    }),
  );
});

test("a file reads like the bytes it holds, tensor by tensor", async () => {
  const path = join(folder, "a.safetensors");
  const tensors = { w: f32([2, 2], [1, -2, 3.5, 4]), ids: i64([3], [1, -1, 50256]), m: bool([2], [true, false]) };
  await writeSafetensors(path, tensors, { format: "pt" });
  expect(readFileSync(path)).toEqual(Buffer.from(encode(tensors, { format: "pt" })));
  const opened = readSafetensors(path);
  expect(opened.names).toEqual(["w", "ids", "m"]);
  expect(opened.get("ids").data).toEqual(BigInt64Array.of(1n, -1n, 50256n));
  expect(opened.info("ids").offset - opened.info("w").offset).toBe(16);
  expect(opened.float32("w").data).toEqual(Float32Array.of(1, -2, 3.5, 4));
  expect(() => opened.float32("ids")).toThrow("only floating point arrays widen");
  expect(() => opened.get("model.x.w")).toThrow(/no tensor "model.x.w"/);
  opened.close();
  expect(() => opened.get("w")).toThrow("the file was closed");
});

test("the header starts the data at a multiple of 8 bytes", () => {
  for (const name of ["a", "ab", "abcd", "abcdefg"])
    expect(readSafetensors(encode({ [name]: f32([1], [1]) })).info(name).offset % 8).toBe(0);
});

test("types that NdArray lacks widen", () => {
  const header = {
    d: { dtype: "F64", shape: [1], data_offsets: [0, 8] },
    b: { dtype: "BF16", shape: [2], data_offsets: [8, 12] },
    s: { dtype: "I16", shape: [2], data_offsets: [12, 16] },
  };
  const bytes = file(header, 16);
  const view = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 16);
  view.setFloat64(0, 0.1, true);
  view.setUint16(8, 0x3f80, true);
  view.setUint16(10, 0xc2f7, true);
  view.setInt16(12, -300, true);
  view.setInt16(14, 7, true);
  const read = readSafetensors(bytes);
  expect(read.get("d")).toEqual(f32([1], [0.1]));
  expect(read.get("b")).toEqual(f32([2], [1, -123.5]));
  expect(read.get("s")).toEqual(nd("int32", [2], Int32Array.of(-300, 7)));
});

test("tensors longer than a chunk are whole, also as float16", () => {
  const data = Float32Array.from({ length: 2 ** 20 + 5 }, (_, i) => i % 2048);
  const w = nd("float32", [data.length], data);
  for (const dtype of [undefined, "float16"] as const) {
    const back = readSafetensors(encode({ w }, {}, { dtype })).float32("w").data;
    // expect's own comparison takes a minute for a million numbers.
    expect(Buffer.compare(new Uint8Array(back.buffer), new Uint8Array(data.buffer))).toBe(0);
  }
});

test("float32 stores as float16 on request, integers stay", () => {
  const bytes = encode({ w: f32([3], [1, 65504, 2 ** -24]), n: i64([1], [5]) }, {}, { dtype: "float16" });
  const read = readSafetensors(bytes);
  expect(read.info("w").dtype).toBe("F16");
  expect(read.get("w").data).toEqual(Uint16Array.of(0x3c00, 0x7bff, 1));
  expect(read.float32("w").data).toEqual(Float32Array.of(1, 65504, 2 ** -24));
  expect(read.get("n").data).toEqual(BigInt64Array.of(5n));
  expect(() => encode({ w: f32([1], [70000]) }, {}, { dtype: "float16" })).toThrow('"w" does not fit float16');
});

test("golden file: names, shapes and values", () => {
  const cases = readSafetensors(join(import.meta.dirname, "../../test/golden-data/show-o/cases_image.safetensors"));
  expect(cases.info("image_pre_landscape.rgb")).toMatchObject({ dtype: "U8", shape: [55, 101, 3], bytes: 16665 });
  expect(sizeOf(cases.get("image_post.pixels").shape)).toBe(192);
  cases.close();
});

test("headers that lie are refused before anything is allocated", () => {
  const tensor = (shape: unknown, data_offsets: unknown, dtype: unknown = "U8") => ({ dtype, shape, data_offsets });
  expect(refusal(new Uint8Array(0))).toContain("too short");
  const terabyte = file("{}", 50);
  terabyte[5] = 1;
  expect(refusal(terabyte)).toContain("got      1099511627778");
  expect(refusal(file("{}", 0).subarray(0, 9))).toContain("too short");
  expect(refusal(file("[1,2]"))).toContain("not a JSON object");
  expect(refusal(file("hello world"))).toContain("not JSON");
  const notUtf8 = file('{"a?":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1);
  expect(readSafetensors(notUtf8).names).toEqual(["a?"]);
  notUtf8[notUtf8.indexOf(63)] = 255;
  expect(refusal(notUtf8)).toContain("not JSON");
  expect(refusal(file({ a: tensor([4], [0, 4]) }, 3))).toContain("cut short");
  expect(refusal(file({ a: tensor([4], [0, 4]) }, 5))).toContain("belong to no tensor");
  expect(refusal(file({ a: tensor([4], [0, 4]), b: tensor([4], [2, 6]) }, 6))).toContain("overlaps");
  expect(refusal(file({ a: tensor([4], [0, 4]), b: tensor([4], [5, 9]) }, 9))).toContain("gap");
  expect(refusal(file({ a: tensor([2], [0, 4]) }, 4))).toContain("does not fit its offsets");
  expect(refusal(file({ a: tensor([2 ** 40, 2 ** 40, 0], [0, 0]) }))).toContain("does not fit its offsets");
  expect(refusal(file({ a: tensor([-1], [0, 4]) }, 4))).toContain("no shape");
  expect(refusal(file({ a: tensor([4], [-4, 0]) }, 4))).toContain("data_offsets");
  expect(refusal(file({ a: tensor([4], [4, 0]) }, 4))).toContain("data_offsets");
  expect(refusal(file({ a: tensor([4], [0, 4], "F8_E4M3") }, 4))).toContain("unknown dtype");
  expect(refusal(file({ a: tensor([4], [0, 4], "toString") }, 4))).toContain("unknown dtype");
  expect(refusal(file({ a: 3 }))).toContain("unknown dtype");
  expect(refusal(file('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1))).toContain("no name");
  const entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  expect(refusal(file(`{"a":${entry},"\\u0061":${entry}}`, 1))).toContain('names "a" twice');
  expect(refusal(file('{"__metadata__":{"a":1}}'))).toContain("not a string");
  expect(refusal(file('{"__metadata__":[]}'))).toContain("not an object");
});

test("a truncated or mutated file is read or refused, nothing else", () => {
  const good = encode(
    { w: f32([2, 3], [1, 2, 3, 4, 5, 6]), h: nd("float16", [4]), b: bool([3], [1, 0, 1]) },
    { k: "v" },
  );
  const headerBytes = good.length - 24 - 8 - 3;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(headerBytes - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.option(fc.nat(good.length - 1)),
      (edits, cut) => {
        const bytes = good.slice();
        for (const [at, value] of edits) bytes[at] = value;
        try {
          const read = readSafetensors(cut === null ? bytes : bytes.subarray(0, cut));
          expect(cut).toBe(null);
          const total = read.names.reduce((n, name) => n + read.get(name).data.byteLength, 0);
          expect(total).toBeLessThanOrEqual(4 * good.length);
        } catch (error) {
          expect(error).toMatchObject({ name: "FewstepError", code: "BAD_FILE" });
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test("a 12 GB file is opened and read without loading it", () => {
  const path = join(folder, "huge.safetensors");
  const size = 12 * 2 ** 30;
  const header = file({
    filler: { dtype: "F32", shape: [size / 4], data_offsets: [0, size] },
    last: { dtype: "U8", shape: [3], data_offsets: [size, size + 3] },
  });
  const fd = openSync(path, "w");
  writeSync(fd, header);
  writeSync(fd, Uint8Array.of(7, 8, 9), 0, 3, header.length + size);
  const opened = readSafetensors(path);
  expect(opened.get("last").data).toEqual(Uint8Array.of(7, 8, 9));
  ftruncateSync(fd, header.length + size + 1);
  expect(() => opened.get("last")).toThrow("became shorter");
  opened.close();
  closeSync(fd);
  expect(() => readSafetensors(path)).toThrow("cut short");
});

test("missing files, folders and other formats say what they are", () => {
  expect(() => readSafetensors(join(folder, "none"))).toThrow(/none: there is no such file/);
  expect(() => readSafetensors(folder)).toThrow("not a regular file");
  const path = join(folder, "text.safetensors");
  writeFileSync(path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  expect(() => readSafetensors(path)).toThrow("not a safetensors file");
});
