// Adds to a student what its teacher has learnt since: STUDENT + (NEW - OLD), tensor by tensor (task arithmetic, Ilharco et
// al., "Editing Models with Task Arithmetic"): node runs/carry-over.mjs OLD_TEACHER NEW_TEACHER STUDENT OUT
// All are folders of models of one shape; OUT is a copy of STUDENT with other weights. SHARE (1) adds less or more of it: with
// A B A OUT and 0.5, OUT is the mean of A and B. Where NEW_TEACHER has cell embeddings, the others may be from before.
import { cpSync, existsSync, readFileSync } from "node:fs";
import { f32 } from "fewstep/base";
import { writeJson, writeSafetensors } from "fewstep/files";
import { tensorsOf } from "./checkpoints.mjs";

const [before, after, student, out] = process.argv.slice(2);
const share = Number(process.env.SHARE ?? 1);
const json = (folder) => JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
const { showo } = json(after);
const [old, learnt, sum] = [before, after, student].map((folder) => tensorsOf(`${folder}/showo.safetensors`));
for (const [name, { shape, data }] of Object.entries(learnt)) {
  // What only the new teacher has, the others have as zeros.
  sum[name] ??= f32(shape);
  for (let i = 0; i < data.length; i++) sum[name].data[i] += share * (data[i] - (old[name]?.data[i] ?? 0));
}
if (!existsSync(out)) cpSync(student, out, { recursive: true });
await writeSafetensors(`${out}/showo.safetensors`, sum, { format: "pt" });
await writeJson(`${out}/config.json`, { ...json(out), showo });
console.log(out);
