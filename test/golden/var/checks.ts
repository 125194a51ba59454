/** Checks of a folder of VAR by the kind of a case. */
import type { VarCase, VarFolder } from "./folder.ts";

export type VarCheck = (c: VarCase, folder: VarFolder) => Promise<void>;
export type VarChecks = Readonly<Record<string, VarCheck>>;
