/** Names of models: those that the package carries, those that were pulled, and folders. */
import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../base/index.ts";
import { modelsHome } from "./home.ts";
import { nearest } from "./nearest.ts";
import { publishedModel } from "./published.ts";

export { nearest } from "./nearest.ts";

export const DEFAULT_MODEL = "turbo-mini";

// The weights lie in the package root, two folders up from src/models and from dist/models alike.
const WEIGHTS = fileURLToPath(new URL("../../weights/", import.meta.url));

const isModel = (folder: string): boolean => existsSync(join(folder, "config.json"));

/** Names of the models in `folder`, by default those that the package carries. */
export const embeddedModels = (folder = WEIGHTS): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => isModel(join(folder, name)))
        .sort()
    : [];

/** Names of the models that this user pulled or converted: "name" or "owner/name". */
export function pulledModels(folder = modelsHome()): string[] {
  const inside = (at: string) => (existsSync(at) ? readdirSync(at).map((name) => join(at, name)) : []);
  const found = inside(folder).flatMap((at) => (isModel(at) ? [at] : inside(at).filter(isModel)));
  return found.map((at) => relative(folder, at).replaceAll("\\", "/")).sort();
}

/** The folder of a model, given its name or the folder itself. Errors: NOT_FOUND, with the nearest name. */
export function modelFolder(nameOrFolder: string, weights = WEIGHTS, pulled = modelsHome()): string {
  const names = [...embeddedModels(weights), ...pulledModels(pulled)];
  if (embeddedModels(weights).includes(nameOrFolder)) return join(weights, nameOrFolder);
  if (isModel(nameOrFolder)) return nameOrFolder;
  const published = publishedModel(nameOrFolder);
  const own = [nameOrFolder, published?.showo].find((name) => name !== undefined && names.includes(name));
  if (own !== undefined) return join(pulled, own);
  if (published)
    fail(`the published model ${published.showo} is not here yet`, {
      code: "NOT_FOUND",
      hint: `Run: fewstep pull ${published.showo}`,
    });
  if (existsSync(nameOrFolder))
    fail("this is not the folder of a model", {
      where: nameOrFolder,
      code: "NOT_FOUND",
      expected: "a folder that holds config.json and weights",
    });
  const near = nearest(nameOrFolder, names);
  return fail(`there is no model "${nameOrFolder}"`, {
    code: "NOT_FOUND",
    expected: `${names.length ? `one of ${names.join(", ")}` : "a name"}, or the folder of a model`,
    hint: near ? `Did you mean ${near}?` : `Models of this installation lie in ${weights}.`,
  });
}
