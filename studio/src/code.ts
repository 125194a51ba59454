/** The settings of the page as programs of its three kinds. */
import type { DrawRequest } from "./engine/types.ts";

export type Language = "Node" | "Command line" | "HTTP";
export const LANGUAGES: readonly Language[] = ["Node", "Command line", "HTTP"];

type Settings = Pick<
  DrawRequest,
  "prompt" | "model" | "steps" | "guidance" | "temperature" | "schedule" | "seed" | "n" | "draftScales"
>;

/** A program that draws the same pictures. */
export function codeFor(language: Language, settings: Settings): string {
  const { prompt, model, n, steps, guidance, temperature, schedule, seed, draftScales } = settings;
  const many = n > 1 && { n };
  const heat = temperature !== 1 && { temperature };
  const scales = draftScales !== undefined;
  if (language === "Node") {
    const named = scales
      ? { seed, draftScales, guidance, ...many }
      : { seed, steps, guidance, ...many, ...heat, ...(schedule !== "cosine" && { schedule }) };
    const options = JSON.stringify(named)
      .replace(/"(\w+)":/g, " $1: ")
      .replace("}", " }");
    const load = scales ? "loadLabelModel" : "loadModel";
    return `import { ${load} } from "fewstep";

const model = await ${load}(${JSON.stringify(model)});
const { images } = await model.generateImage(${JSON.stringify(prompt)}, ${options});
for (const [i, image] of images.entries()) await image.save(\`picture-\${i}.png\`);
await model.dispose();
`;
  }
  if (language === "Command line") {
    const how = scales ? { seed, "draft-scales": draftScales, guidance } : { seed, steps, guidance, ...heat };
    const flags = Object.entries({ ...how, ...many, model }).map(([name, value]) =>
      name === "n" ? `-n ${value}` : `--${name} ${value}`,
    );
    const note = scales || schedule === "cosine" ? "" : `# The schedule ${schedule} is for the other two.\n`;
    return `${note}npx fewstep generate ${shell(prompt)} ${flags.join(" ")}\n`;
  }
  const how = scales
    ? { draft_scales: draftScales, guidance_scale: guidance, ...many }
    : { steps, guidance_scale: guidance, ...many, ...heat, ...(schedule !== "cosine" && { fewstep: { schedule } }) };
  return `# npx fewstep serve --model ${model}
curl http://127.0.0.1:7117/v1/images/generations \\
  -H "content-type: application/json" \\
  -d ${shell(JSON.stringify({ prompt, model, seed, ...how }))}
`;
}

const shell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
