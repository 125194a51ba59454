/** The transformers of a next-scale model by their names, wherever their files lie. */
import { fail } from "../../base/index.ts";
import type { LabelConfig } from "./label-config.ts";
import type { VarPrograms } from "./programs.ts";

type Network = LabelConfig["networks"][string];

/** Each is opened when it is first asked for; one that failed is tried again. Errors: no such network. */
export function networksOf(
  { networks }: LabelConfig,
  where: string,
  open: (network: Network) => Promise<VarPrograms>,
): (name: string) => Promise<VarPrograms> {
  const opened = new Map<string, Promise<VarPrograms>>();
  return async (name) => {
    const network =
      networks[name] ??
      fail("the model has no such network", { where, expected: Object.keys(networks).join(", "), got: name });
    const known = opened.get(name) ?? open(network);
    opened.set(name, known);
    known.catch(() => opened.delete(name));
    return known;
  };
}
