/** Events on their way to readers, fast and slow. */
import { expect, test } from "vitest";
import { mailbox } from "./mailbox.ts";

const readAll = async (box: AsyncIterable<number>, seen: number[] = []): Promise<number[]> => {
  for await (const item of box) seen.push(item);
  return seen;
};

test("everything arrives in order, before and after the reader comes", async () => {
  const box = mailbox<number>(() => false);
  box.put(1);
  box.put(2);
  const read = readAll(box);
  await Promise.resolve();
  box.put(3);
  box.close();
  box.put(4);
  expect(await read).toEqual([1, 2, 3]);
});

test("an error comes after what was put before it", async () => {
  const box = mailbox<number>(() => false);
  box.put(1);
  box.close(new Error("the end"));
  const seen: number[] = [];
  await expect(readAll(box, seen)).rejects.toThrow("the end");
  expect(seen).toEqual([1]);
});

test("a reader who does not read holds up few passing items, and none of the others", async () => {
  const box = mailbox<number>((item) => item < 1000);
  for (let i = 0; i < 1001; i++) box.put(i);
  box.close();
  expect(await readAll(box)).toEqual([...Array(64).keys(), 1000]);
});
