/** Turns of clients, bounds, and batches taken out of the middle. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { fairQueue } from "./queue.ts";

const filled = (items: readonly string[], capacity = 100) => {
  const queue = fairQueue<string>(capacity);
  for (const item of items) queue.add(item[0], item);
  return queue;
};

const drain = (queue: ReturnType<typeof filled>) => {
  const out: string[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) out.push(item);
  return out;
};

test("clients are served in turns, whoever came first with however much", () => {
  expect(drain(filled(["a1", "a2", "a3", "a4", "b1", "c1", "c2"]))).toEqual(["a1", "b1", "c1", "a2", "c2", "a3", "a4"]);
});

test("a client that comes back waits behind the others", () => {
  const queue = filled(["a1", "b1", "b2"]);
  expect(queue.take()).toBe("a1");
  queue.add("a", "a2");
  expect(drain(queue)).toEqual(["b1", "a2", "b2"]);
});

test("half of the places are for others", () => {
  const queue = fairQueue<number>(4);
  expect([1, 2, 3].map((item) => queue.add("a", item))).toEqual([true, true, false]);
  expect([4, 5, 6].map((item) => queue.add(`other${item}`, item))).toEqual([true, true, false]);
  expect(queue.size).toBe(4);
});

test("what fits a batch is taken in order of service, and its client has had its turn", () => {
  const queue = filled(["a1", "a2x", "b1", "b2x"]);
  expect(queue.takeWhere((item) => item.endsWith("x"))).toBe("a2x");
  expect(queue.takeWhere((item) => item.endsWith("z"))).toBe(undefined);
  expect(drain(queue)).toEqual(["b1", "a1", "b2x"]);
});

test("order() is the order of take(), and remove() leaves the others in it", () => {
  const items = fc.uniqueArray(fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(99)).map(([c, i]) => c + i));
  fc.assert(
    fc.property(items, fc.nat(), (items, which) => {
      const queue = filled(items);
      const removed = items[which % items.length];
      if (removed !== undefined) expect(queue.remove(removed)).toBe(true);
      const order = queue.order();
      expect(order.toSorted()).toEqual(items.filter((item) => item !== removed).toSorted());
      expect(drain(queue)).toEqual(order);
    }),
  );
});
