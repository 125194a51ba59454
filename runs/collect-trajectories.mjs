// Collects trajectories for runs/train-turbo.mjs ahead, beside other processes that do the same:
// node runs/collect-trajectories.mjs PART/PARTS [TEACHER] [OUT]   (1/2 here, 2/2 there; the same environment everywhere)
import { collectStage } from "fewstep/train";
import { threads, turboConfig } from "./turbo-settings.mjs";

const [share = "1/1", teacher = "weights/turbo-mini", out = "out/turbo"] = process.argv.slice(2);
const [part, parts] = share.split("/").map(Number);
const onProgress = ({ stage, collecting: { what, done, total } }) =>
  console.log(`stage ${stage}  ${what} ${done}/${total}`);
await collectStage(turboConfig(teacher), { out, threads, part: part - 1, parts, onProgress });
