/** Next-scale models are folders of files that a page does not fetch. */
import { fail } from "../../base/index.ts";
import type { LabelLoadOptions, LabelNetworks, LabelParts, PublishedFiles } from "./folder.ts";

export type { LabelConfig, LabelLoadOptions, LabelNetworks, LabelParts, PublishedFiles } from "./folder.ts";

const notHere = (): never => fail("a page draws no classes", { hint: "Use a server: npx fewstep studio." });

export const LABEL_SETTINGS = "var.json";
export const embeddedLabelModels = (): string[] => [];
export const labelModelFolder = (_: string): string | undefined => undefined;
export const locateLabelModel = (_: string | PublishedFiles): never => notHere();
export const loadLabelNetworks = async (_: string | PublishedFiles, __?: LabelLoadOptions): Promise<LabelNetworks> =>
  notHere();
export const saveLabelModel = async (_: string, __: LabelParts): Promise<void> => notHere();
