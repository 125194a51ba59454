// Distils show-o-mini in two stages into weights/turbo-star-mini and weights/turbo-mini:
// node runs/train-turbo.mjs [TEACHER] [OUT] [WEIGHTS]
// Killed, it goes on where it was. THREADS, STEPS, GUIDANCE, SEGMENTS, PICTURES, TEXTS: see runs/turbo-settings.mjs.
import { distil, publish, turboConfig } from "./turbo-settings.mjs";

const [teacher = "weights/show-o-mini", out = "out/turbo", weights = "weights"] = process.argv.slice(2);
await distil(turboConfig(teacher), out);
await publish(`${out}/stage-1/model`, `${weights}/turbo-star-mini`, "turbo-star-mini");
await publish(`${out}/stage-2/model`, `${weights}/turbo-mini`, "turbo-mini");
console.log(`${weights}/turbo-star-mini, ${weights}/turbo-mini`);
