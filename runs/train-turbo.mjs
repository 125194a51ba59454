// Distils a teacher that draws without guidance in two stages into WEIGHTS/turbo-star-mini and WEIGHTS/turbo-mini:
// node runs/train-turbo.mjs [TEACHER] [OUT] [WEIGHTS]
// Killed, it goes on where it was. THREADS, STEPS, GUIDANCE, SEGMENTS, PICTURES, TEXTS: see runs/turbo-settings.mjs.
import { distil, publish, turboConfig } from "./turbo-settings.mjs";

const [teacher = "weights/turbo-mini", out = "out/turbo", weights = "out/turbo-weights"] = process.argv.slice(2);
await distil(turboConfig(teacher), out);
await publish(`${out}/stage-1/model`, `${weights}/turbo-star-mini`, "turbo-star-mini");
await publish(`${out}/stage-2/model`, `${weights}/turbo-mini`, "turbo-mini");
console.log(`${weights}/turbo-star-mini, ${weights}/turbo-mini`);
