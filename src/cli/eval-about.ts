/** What every evaluation says beside its figures, and how shares are shown. */
import os from "node:os";
import { commitOf, modelHash, type Share } from "../evaluate/index.ts";
import { DEFAULT_MODEL, modelFolder } from "../models/index.ts";

export interface About {
  model: string;
  modelHash: string;
}

/** The model by its name or folder, and a hash of its files. */
export async function aboutModel(name: string = DEFAULT_MODEL): Promise<About> {
  return { model: name, modelHash: await modelHash(modelFolder(name)) };
}

export const circumstances = () => ({ machine: machine(), commit: commitOf() });

const machine = (): string =>
  `${os.cpus()[0]?.model.trim() ?? "unknown processor"}, ${os.availableParallelism()} cores, Node ${process.version}`;

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
export const interval = ([low, high]: readonly [number, number]): string =>
  `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)}`;
export const shown = ({ share, ci95, of }: Share): string => `${percent(share)} (${interval(ci95)}, ${of} asked)`;
