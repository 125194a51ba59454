/** A page has no file system. */
import type nodeFs from "node:fs";
import { fail } from "../base/index.ts";

export const fs: typeof nodeFs = new Proxy({} as typeof nodeFs, {
  get: () => fail("a page cannot read paths", { hint: "Give the bytes of the file." }),
});
