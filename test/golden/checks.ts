/** What a group of checks looks like. */
import type { Case } from "./case.ts";
import type { Folder } from "./folder.ts";

export type Check = (c: Case, folder: Folder) => void | Promise<void>;

/** Checks by the beginning of a case's id; longer beginnings stand first. */
export type Checks = Readonly<Record<string, Check>>;
