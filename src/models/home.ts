/** The folder of this user's own models and measurements. */
import { homedir } from "node:os";
import { join } from "node:path";

type Env = Readonly<Record<string, string | undefined>>;

/** FEWSTEP_HOME, else XDG_CACHE_HOME/fewstep, else ~/.cache/fewstep. */
export const home = (env: Env = process.env): string =>
  env.FEWSTEP_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "fewstep");

/** Where converted models lie, by name. */
export const modelsHome = (env?: Env): string => join(home(env), "models");
