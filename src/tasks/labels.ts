/** Classes as people name them: by name, by id, or any of them. */
import { fail } from "../base/index.ts";
import { nearest } from "../models/index.ts";
import type { LabelConfig } from "../models/var/index.ts";

/** A name, an id, or "" for any class. */
export type Label = string | number;

export interface Class {
  /** Id that the network reads; its number of classes stands for any class. */
  readonly id: number;
  readonly name: string;
}

/** Errors: an id that is out of range; a name that is unknown, with the nearest that is known. */
export function classOf({ classes, networks }: LabelConfig, label: Label): Class {
  const count = networks.drafter.config.classes;
  const text = String(label).trim();
  if (text === "") return { id: count, name: "" };
  const wanted = text
    .toLowerCase()
    .replaceAll(/[-_\s]+/g, " ")
    .replace(/^(a photo of )?((a|an|the) )?/, "");
  const named = classes?.findIndex((name) => name.toLowerCase() === wanted) ?? -1;
  if (named >= 0) return { id: named, name: classes![named] };
  const id = Number(text);
  if (!Number.isNaN(id)) {
    if (!(Number.isInteger(id) && id >= 0 && id < count))
      fail("there is no such class", { where: "class", expected: `a number from 0 to ${count - 1}`, got: text });
    return { id, name: classes?.[id] ?? `class ${id}` };
  }
  const near = classes && nearest(wanted, classes);
  return fail(`the model knows no class "${text.slice(0, 60)}"`, {
    where: "class",
    expected: classes ? `one of ${classes.slice(0, 8).join(", ")}, ...` : `a number from 0 to ${count - 1}`,
    hint: near ? `Did you mean ${near}?` : undefined,
  });
}
