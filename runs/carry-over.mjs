// Adds to a student what its teacher has learnt since: STUDENT + (NEW - OLD), tensor by tensor (task arithmetic, Ilharco et
// al., "Editing Models with Task Arithmetic"): node runs/carry-over.mjs OLD_TEACHER NEW_TEACHER STUDENT OUT
// All are folders of models of one shape; OUT is a copy of STUDENT with other weights. SHARE (1) adds less or more of it: with
// A B A OUT and 0.5, OUT is the mean of A and B.
import { cpSync, existsSync } from "node:fs";
import { writeSafetensors } from "fewstep/files";
import { tensorsOf } from "./checkpoints.mjs";

const [before, after, student, out] = process.argv.slice(2);
const share = Number(process.env.SHARE ?? 1);
const [old, learnt, sum] = [before, after, student].map((folder) => tensorsOf(`${folder}/showo.safetensors`));
for (const [name, { data }] of Object.entries(sum))
  for (let i = 0; i < data.length; i++) data[i] += share * (learnt[name].data[i] - old[name].data[i]);
if (!existsSync(out)) cpSync(student, out, { recursive: true });
await writeSafetensors(`${out}/showo.safetensors`, sum, { format: "pt" });
console.log(out);
