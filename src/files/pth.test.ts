import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FewstepError, f32 } from "../base/index.ts";
import { readPth } from "./pth.ts";
import { readSafetensors } from "./safetensors.ts";
import { readWeights } from "./shards.ts";

const golden = (file: string) => fileURLToPath(new URL(`../../test/golden-data/var/weights/${file}`, import.meta.url));
const SAVED = new Uint8Array(readFileSync(golden("var_l2.pth")));

const refusal = (bytes: Uint8Array): string => {
  try {
    readPth(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(FewstepError);
    expect((error as FewstepError).code).toBe("BAD_FILE");
    return (error as Error).message;
  }
  throw new Error("was accepted");
};

test("a file that PyTorch saved holds what its safetensors twin holds", () => {
  const twin = readSafetensors(golden("var_l2.safetensors"));
  for (const saved of [readPth(SAVED), readWeights(golden("var_l2.pth"))]) {
    expect([...saved.names].sort()).toEqual([...twin.names].sort());
    expect(saved.names[0]).toBe("pos_start");
    for (const name of saved.names) {
      expect(saved.info(name)).toMatchObject({ dtype: twin.info(name).dtype, shape: twin.info(name).shape });
      expect(saved.get(name)).toEqual(twin.get(name));
    }
    expect(saved.get("lvl_1L").data.subarray(0, 6)).toEqual(BigInt64Array.of(0n, 1n, 1n, 1n, 1n, 2n));
    expect(() => saved.get("blocks.7.attn.q_bias")).toThrow(/no tensor.*\n.*\n.*Names that end alike: blocks\.0/s);
    saved.close();
  }
  twin.close();
});

/** Archives and pickles byte by byte. */
const u16 = (n: number) => [n & 255, n >> 8];
const u32 = (n: number) => [...u16(n & 0xffff), ...u16(n >>> 16)];
const u64 = (n: number) => [...u32(n), ...u32(Math.floor(n / 2 ** 32))];
const ascii = (text: string) => [...Buffer.from(text)];
const unicode = (text: string) => [...ascii("X"), ...u32(text.length), ...ascii(text)];
const global = (module: string, name: string) => ascii(`c${module}\n${name}\n`);
const int = (n: number) => [...ascii("J"), ...u32(n)];
const tuple = (...items: number[][]) => [...ascii("("), ...items.flat(), ...ascii("t")];

interface Zipped {
  name: string;
  data: number[];
  method?: number;
  /** A size to claim instead of the true one. */
  claims?: number;
}

function zip(entries: Zipped[], { large = false } = {}): Uint8Array {
  const out: number[] = [];
  const directory: number[] = [];
  for (const { name, data, method = 0, claims = data.length } of entries) {
    const at = out.length;
    const extra = large ? [...u16(1), ...u16(24), ...u64(claims), ...u64(claims), ...u64(at)] : [];
    const [size, place] = large ? [u32(0xffffffff), u32(0xffffffff)] : [u32(claims), u32(at)];
    const common = [...u16(method), ...u32(0), ...u32(0), ...size, ...size, ...u16(name.length), ...u16(extra.length)];
    out.push(...u32(0x04034b50), ...u16(20), ...u16(0), ...common, ...ascii(name), ...extra, ...data);
    directory.push(...u32(0x02014b50), ...u16(20), ...u16(20), ...u16(0), ...common);
    directory.push(...u16(0), ...u16(0), ...u16(0), ...u32(0), ...place, ...ascii(name), ...extra);
  }
  const start = out.length;
  const count = entries.length;
  out.push(...directory);
  if (large) {
    const record = out.length;
    out.push(...u32(0x06064b50), ...u64(44), ...u16(45), ...u16(45), ...u32(0), ...u32(0));
    out.push(...u64(count), ...u64(count), ...u64(directory.length), ...u64(start));
    out.push(...u32(0x07064b50), ...u32(0), ...u64(record), ...u32(1));
  }
  const end = large ? [u16(0xffff), u32(0xffffffff), u32(0xffffffff)] : [u16(count), u32(directory.length), u32(start)];
  out.push(...u32(0x06054b50), ...u16(0), ...u16(0), ...end[0], ...end[0], ...end[1], ...end[2], ...u16(0));
  return Uint8Array.from(out);
}

const floats = (...values: number[]) => [...new Uint8Array(Float32Array.from(values).buffer)];

interface Described {
  shape: number[];
  strides: number[];
  offset?: number;
  elements?: number;
  type?: string;
}

const tensor = ({ shape, strides, offset = 0, elements = 6, type = "FloatStorage" }: Described) => [
  ...global("torch._utils", "_rebuild_tensor_v2"),
  ...tuple(
    [
      ...tuple(unicode("storage"), global("torch", type), unicode("0"), unicode("cuda:0"), int(elements)),
      ...ascii("Q"),
    ],
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    [0x89],
    [...global("collections", "OrderedDict"), ...ascii(")R")],
  ),
  ...ascii("R"),
];

const dict = (...items: number[][]) => [
  ...[0x80, 2, ...global("collections", "OrderedDict"), ...ascii(")R(")],
  ...items.flat(),
  ...ascii("u."),
];

const file = (pickle: number[], data = floats(1, 2, 3, 4, 5, 6), options?: { large: boolean }) =>
  zip(
    [
      { name: "m/data.pkl", data: pickle },
      { name: "m/data/0", data },
    ],
    options,
  );
const holding = (described: Described) => file(dict(unicode("w"), tensor(described)));

test("tensors of any steps, in files with 64-bit sizes too", () => {
  const all = { shape: [2, 3], strides: [3, 1] };
  for (const large of [false, true])
    expect(readPth(file(dict(unicode("w"), tensor(all)), undefined, { large })).get("w").data).toEqual(
      Float32Array.of(1, 2, 3, 4, 5, 6),
    );
  expect(readPth(file(dict(unicode("w"), tensor(all)))).rows("w", 1, 2).data).toEqual(Float32Array.of(4, 5, 6));
  expect(readPth(holding({ shape: [3, 2], strides: [1, 3] })).rows("w", 1, 2).data).toEqual(Float32Array.of(2, 5));
  expect(readPth(holding({ shape: [3, 2], strides: [1, 3] })).get("w").data).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
  expect(readPth(holding({ shape: [2], strides: [2], offset: 1 })).get("w").data).toEqual(Float32Array.of(2, 4));
  expect(readPth(holding({ shape: [1, 2], strides: [77, 1], offset: 4 })).get("w").data).toEqual(Float32Array.of(5, 6));
  expect(readPth(holding({ shape: [], strides: [], offset: 5 })).get("w")).toEqual(f32([], [6]));
});

test("code in a pickle is an error, never run", () => {
  const run = (module: string, name: string) =>
    file(dict(unicode("w"), [...global(module, name), ...tuple(unicode("touch /tmp/owned")), ...ascii("R")]));
  expect(refusal(run("os", "system"))).toMatch(/asks to run code[\s\S]*os\.system/);
  expect(refusal(run("builtins", "eval"))).toContain("builtins.eval");
  expect(refusal(run("torch", "load"))).toContain("torch.load");
  // Names that objects of JavaScript have without being asked.
  expect(refusal(run("torch", "constructor"))).toContain("torch.constructor");
  expect(refusal(run("torch", "__proto__"))).toContain("torch.__proto__");
  expect(refusal(file(dict(unicode("w"), [...global("torch", "FloatStorage"), ...ascii(")R")])))).toContain(
    "FloatStorage",
  );
  expect(refusal(file([0x80, 2, ...ascii("ios\nsystem\n.")]))).toContain("instruction");
  expect(refusal(file([0x80, 4, ...ascii(".")]))).toContain("protocol 4");
});

test("sizes are checked before anything is made of them", () => {
  expect(refusal(holding({ shape: [7], strides: [1] }))).toContain('"w" is larger than its data');
  expect(refusal(holding({ shape: [2], strides: [6] }))).toContain("larger than its data");
  expect(refusal(holding({ shape: [2 ** 31 - 1, 2 ** 31 - 1], strides: [0, 0] }))).toContain("larger than its data");
  expect(refusal(holding({ shape: [2], strides: [1], offset: 5 }))).toContain("larger than its data");
  expect(refusal(holding({ shape: [2], strides: [] }))).toContain("sizes without steps");
  expect(refusal(holding({ shape: [6], strides: [1], type: "LongStorage" }))).toContain("48 bytes");
  expect(refusal(holding({ shape: [-1], strides: [1] }))).toContain("a tensor that cannot be");
  expect(refusal(file(dict(unicode("w"), int(3))))).toContain('"w" is no tensor');
  expect(refusal(file(dict(unicode("w"), tensor({ shape: [], strides: [] }), unicode("w"), int(1))))).toContain(
    "twice",
  );
});

test("archives that are not what they say", () => {
  const whole = holding({ shape: [6], strides: [1] });
  expect(refusal(whole.subarray(0, 9))).toContain("too short");
  for (const length of [30, 200, whole.length - 1]) expect(refusal(whole.subarray(0, length))).toContain("cut short");
  const data = floats(1);
  expect(refusal(zip([{ name: "m/data.pkl", data, method: 8 }]))).toContain("is compressed");
  expect(refusal(zip([{ name: "m/data.pkl", data, claims: 2 ** 31 }]))).toContain("runs into the directory");
  expect(refusal(zip([{ name: "m/data.pkl", data, claims: 2 ** 40 }], { large: true }))).toContain("runs into");
  expect(
    refusal(
      zip([
        { name: "a", data, claims: 40 },
        { name: "m/data.pkl", data },
      ]),
    ),
  ).toContain("overlap");
  expect(
    refusal(
      zip([
        { name: "a", data },
        { name: "a", data },
      ]),
    ),
  ).toContain("twice");
  expect(refusal(zip([{ name: "a", data }]))).toContain("no state dict");
});

/** Either an error that says what is wrong, or a state dict whose tensors can be read. */
function survives(bytes: Uint8Array): void {
  try {
    const opened = readPth(bytes);
    for (const name of opened.names) opened.get(name);
  } catch (error) {
    if (!(error instanceof FewstepError && error.code === "BAD_FILE")) throw error;
  }
}

test("damaged files are refused or read, and nothing else happens", () => {
  const small = holding({ shape: [2, 3], strides: [1, 2] });
  const edit = fc.tuple(fc.nat(small.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(small.length), (edits, length) => {
      const bytes = small.slice();
      for (const [at, value] of edits) bytes[at] = value;
      survives(bytes);
      survives(bytes.subarray(0, length));
    }),
    { numRuns: 400 },
  );
});

test("any instructions in a pickle are refused or read", () => {
  const ops = fc.oneof(
    fc.constantFrom(..."()]}tNQRsuaebK.".split("").map(ascii), [0x85], [0x86], [0x87], [0x88], [0x89]),
    fc.constantFrom(unicode("w"), global("torch", "FloatStorage"), tensor({ shape: [2], strides: [1] }), int(5)),
    fc.nat(20).map((slot) => [...ascii("q"), slot]),
    fc.nat(20).map((slot) => [...ascii("h"), slot]),
    fc.uint8Array({ maxLength: 4 }).map((raw) => [...raw]),
  );
  fc.assert(
    fc.property(fc.array(ops, { maxLength: 30 }), (program) => {
      survives(file([0x80, 2, ...program.flat(), ...ascii(".")]));
    }),
    { numRuns: 400 },
  );
});
