// Writes the averaged weights of a run's newest checkpoint beside it: node runs/export-run.mjs RUN [TO.safetensors]
import { exportWeights } from "fewstep/train";
import { newestCheckpoint } from "./checkpoints.mjs";

const [run, to = `${run}/weights.safetensors`] = process.argv.slice(2);
const last = newestCheckpoint(run).name;
// A refiner's teacher is in its graph, not in its weights.
const names = await exportWeights(`${run}/checkpoints/${last}`, to);
console.log(`${to}: ${names.length} tensors of ${last}`);
