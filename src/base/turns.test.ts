import { expect, test } from "vitest";
import { breather } from "./turns.ts";

test("asks for a turn only when it has kept others waiting, and others get it", async () => {
  expect(breather(1e9)()).toBeUndefined();
  let others = 0;
  setTimeout(() => others++);
  await breather(0)();
  expect(others).toBe(1);
});
