/**
 * Reads the pickles of state dicts: the part of the format that names, sizes and storages need, and nothing else. A
 * pickle is a program that may name any function; here four names of the format are known as data, every other is an
 * error, and nothing is ever called or imported.
 */
import { fail } from "../base/index.ts";

/** Element types of storages, with their bytes. */
export const STORAGES = {
  FloatStorage: "F32",
  DoubleStorage: "F64",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
} as const;
export type StorageType = keyof typeof STORAGES;

/** A name of code that the pickle mentions. */
interface Global {
  kind: "global";
  name: "OrderedDict" | "rebuild" | StorageType;
}

export interface Storage {
  kind: "storage";
  type: StorageType;
  /** Name of its entry under `data/`. */
  key: string;
  elements: number;
}

export interface TensorRecord {
  kind: "tensor";
  storage: Storage;
  /** First element, sizes and steps, in elements. */
  offset: number;
  shape: number[];
  strides: number[];
}

interface Mark {
  kind: "mark";
}

export type Value = null | boolean | number | string | Value[] | Map<string, Value> | Global | Storage | TensorRecord;

const OTHER_GLOBALS: Record<string, Global["name"]> = {
  "collections OrderedDict": "OrderedDict",
  "torch._utils _rebuild_tensor_v2": "rebuild",
};

const isKind = <K extends "global" | "storage" | "tensor">(
  value: unknown,
  kind: K,
): value is Extract<Value, { kind: K }> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Map) &&
  (value as { kind?: unknown }).kind === kind;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCounts = (value: unknown): value is number[] => Array.isArray(value) && value.every(isCount);

/** What the pickle holds. Errors: BAD_FILE naming the code it asks for, or what is damaged. */
export function parsePickle(bytes: Uint8Array, where: string): Value {
  return new Machine(bytes, where).run();
}

const STOP = ".";

/** What each instruction does to the machine. */
const OPERATIONS: Readonly<Record<string, ((m: Machine) => void) | undefined>> = {
  "(": (m) => m.mark(),
  ")": (m) => m.push([]),
  "]": (m) => m.push([]),
  "}": (m) => m.push(new Map()),
  t: (m) => m.push(m.popToMark()),
  "\x85": (m) => m.push(m.popMany(1)),
  "\x86": (m) => m.push(m.popMany(2)),
  "\x87": (m) => m.push(m.popMany(3)),
  N: (m) => m.push(null),
  "\x88": (m) => m.push(true),
  "\x89": (m) => m.push(false),
  K: (m) => m.push(m.take(1)[0]),
  M: (m) => m.push(m.number(2)),
  J: (m) => m.push(m.number(4) | 0),
  "\x8a": (m) => m.push(m.long()),
  X: (m) => m.push(m.text(m.number(4))),
  q: (m) => m.remember(m.take(1)[0]),
  r: (m) => m.remember(m.number(4)),
  h: (m) => m.recall(m.take(1)[0]),
  j: (m) => m.recall(m.number(4)),
  c: (m) => m.push(m.global()),
  Q: (m) => m.push(m.storage(m.pop())),
  R: (m) => m.reduce(),
  s: (m) => m.setItems(m.popMany(2)),
  u: (m) => m.setItems(m.popToMark()),
  a: (m) => m.append(m.popMany(1)),
  e: (m) => m.append(m.popToMark()),
  b: (m) => m.build(),
};

class Machine {
  private at = 0;
  private readonly stack: (Value | Mark)[] = [];
  private readonly memo = new Map<number, Value>();
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly where: string;

  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.where = where;
  }

  run(): Value {
    if (this.take(1)[0] !== 0x80) this.bad("this is no pickle of protocol 2");
    const protocol = this.take(1)[0];
    if (protocol !== 2) this.bad("this is no pickle of protocol 2", `protocol ${protocol}`);
    for (;;) {
      const op = String.fromCharCode(this.take(1)[0]);
      if (op === STOP) break;
      const run = OPERATIONS[op];
      if (!run) this.bad("the pickle uses an instruction that state dicts do not need", JSON.stringify(op));
      run(this);
    }
    const result = this.pop();
    if (this.stack.length || this.at !== this.bytes.length) this.bad("the pickle goes on after its end");
    return result;
  }

  bad(what: string, got?: string): never {
    return fail(what, {
      where: this.where,
      code: "BAD_FILE",
      got,
      hint: "Only plain state dicts of tensors are read; nothing of a file is ever executed.",
    });
  }

  take(count: number): Uint8Array {
    if (this.at + count > this.bytes.length) this.bad("the pickle is cut short");
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  number(size: 2 | 4): number {
    this.take(size);
    return size === 2 ? this.view.getUint16(this.at - 2, true) : this.view.getUint32(this.at - 4, true);
  }

  /** A whole number of up to 8 bytes, two's complement. */
  long(): number {
    const size = this.take(1)[0];
    if (size > 8) this.bad("the pickle holds a number beyond any size", `${size} bytes`);
    const bytes = this.take(size);
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[i]);
    return Number(BigInt.asIntN(8 * size, value));
  }

  text(length: number): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.take(length));
    } catch (error) {
      if (error instanceof TypeError) this.bad("the pickle holds a name that is no text");
      throw error;
    }
  }

  private line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) this.bad("the pickle is cut short");
    const text = this.text(end - this.at);
    this.take(1);
    return text;
  }

  global(): Global {
    const [module, name] = [this.line(), this.line()];
    if (module === "torch" && Object.hasOwn(STORAGES, name)) return { kind: "global", name: name as StorageType };
    const key = `${module} ${name}`;
    if (Object.hasOwn(OTHER_GLOBALS, key)) return { kind: "global", name: OTHER_GLOBALS[key] };
    return this.bad("the file asks to run code", `${module}.${name}`.slice(0, 100));
  }

  mark(): void {
    this.stack.push({ kind: "mark" });
  }

  push(value: Value): void {
    this.stack.push(value);
  }

  pop(): Value {
    const value = this.stack.pop();
    if (value === undefined || isMark(value)) return this.bad("the pickle is damaged");
    return value;
  }

  popMany(count: number): Value[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  popToMark(): Value[] {
    const start = this.stack.findLastIndex(isMark);
    if (start < 0) this.bad("the pickle is damaged");
    const values = this.stack.splice(start).slice(1);
    return values as Value[];
  }

  remember(slot: number): void {
    const value = this.pop();
    this.push(value);
    this.memo.set(slot, value);
  }

  recall(slot: number): void {
    const value = this.memo.get(slot);
    if (value === undefined) this.bad("the pickle is damaged");
    this.push(value);
  }

  /** ('storage', type, key, device, elements): which device it was on does not matter. */
  storage(id: Value): Storage {
    if (Array.isArray(id) && id.length === 5) {
      const [tag, type, key, device, elements] = id;
      if (
        tag === "storage" &&
        isKind(type, "global") &&
        Object.hasOwn(STORAGES, type.name) &&
        typeof key === "string" &&
        typeof device === "string" &&
        isCount(elements)
      )
        return { kind: "storage", type: type.name as StorageType, key, elements };
    }
    return this.bad("the pickle refers to something that is no storage");
  }

  reduce(): void {
    const [callee, given] = this.popMany(2);
    if (!isKind(callee, "global") || !Array.isArray(given)) this.bad("the pickle is damaged");
    if (callee.name === "OrderedDict" && given.length === 0) this.push(new Map());
    else if (callee.name === "rebuild") this.push(this.tensor(given));
    else this.bad("the file asks to run code", callee.name);
  }

  private tensor([storage, offset, shape, strides]: Value[]): TensorRecord {
    if (!isKind(storage, "storage") || !isCount(offset) || !isCounts(shape) || !isCounts(strides))
      return this.bad("the pickle describes a tensor that cannot be");
    return { kind: "tensor", storage, offset, shape, strides };
  }

  setItems(items: Value[]): void {
    const target = this.stack[this.stack.length - 1];
    if (!(target instanceof Map) || items.length % 2) this.bad("the pickle is damaged");
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== "string") this.bad("the pickle has a key that is no name");
      if (target.has(key)) this.bad(`the pickle names "${key.slice(0, 100)}" twice`);
      target.set(key, items[i + 1]);
    }
  }

  append(items: Value[]): void {
    const target = this.stack[this.stack.length - 1];
    if (!Array.isArray(target)) this.bad("the pickle is damaged");
    for (const item of items) target.push(item);
  }

  /** Attributes of a dict (versions of modules) are read over. */
  build(): void {
    this.pop();
    if (!(this.stack[this.stack.length - 1] instanceof Map)) this.bad("the file asks to change an object");
  }
}

const isMark = (value: Value | Mark): value is Mark =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Map) &&
  value.kind === "mark";
