/** fewstep rm MODEL: removes a pulled model and, if asked, the downloads that no other model needs. */
import { existsSync } from "node:fs";
import { rm as removeFolder } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { fail } from "../base/index.ts";
import { bytesIn, cachedRepositories, gigabytes, hubFrom, removeRepository } from "../files/index.ts";
import { modelsHome, PUBLISHED, publishedModel, pulledModels } from "../models/index.ts";
import type { Io } from "./shell/io.ts";

export function rm(program: Command, io: Io): void {
  program
    .command("rm")
    .description("remove a pulled model")
    .argument("<model>", "name of the model")
    .option("--downloads", "also remove what was downloaded for it and no other pulled model needs")
    .action(async (name: string, { downloads }: { downloads?: boolean }) => {
      const home = modelsHome(io.env);
      const published = publishedModel(name);
      const model = published?.showo ?? name;
      const folder = join(home, model);
      const partial = `${folder}.partial`;
      const here = pulledModels(home);
      const there = here.includes(model) || existsSync(partial);
      const hub = hubFrom(io.env);
      const repositories = downloads && published ? removable(published.showo, here, hub.cache) : [];
      if (!there && repositories.length === 0)
        fail(`there is no pulled model "${name}"`, {
          code: "NOT_FOUND",
          expected: here.join(", ") || "none is pulled",
        });
      let freed = 0;
      if (there)
        for (const path of [folder, partial]) {
          freed += bytesIn(path);
          await removeFolder(path, { recursive: true, force: true });
        }
      for (const { repository, bytes } of repositories) {
        freed += bytes;
        await removeRepository(hub.cache, repository);
      }
      await io.out(`removed ${model}, ${gigabytes(freed)}\n`);
    });
}

/** Repositories of a model that are in the cache and that no other pulled model is made of. */
function removable(showo: string, here: readonly string[], cache: string) {
  const repositoriesOf = (name: string) => {
    const model = PUBLISHED.find((one) => one.showo === name);
    return model ? [model.showo, model.magvit, model.tokenizer] : [];
  };
  const needed = new Set(here.filter((name) => name !== showo).flatMap(repositoriesOf));
  const wanted = repositoriesOf(showo).filter((repository) => !needed.has(repository));
  return cachedRepositories(cache).filter(({ repository }) => wanted.includes(repository));
}
