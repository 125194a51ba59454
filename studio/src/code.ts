/** The settings of the page as programs of its three kinds. */
import type { DrawRequest } from "./engine/types.ts";

export type Language = "Node" | "Command line" | "HTTP";
export const LANGUAGES: readonly Language[] = ["Node", "Command line", "HTTP"];

type Settings = Pick<
  DrawRequest,
  "prompt" | "model" | "steps" | "guidance" | "temperature" | "schedule" | "seed" | "n"
>;

/** A program that draws the same pictures. */
export function codeFor(
  language: Language,
  { prompt, model, n, steps, guidance, temperature, schedule, seed }: Settings,
): string {
  const how = { seed, steps, guidance, ...(n > 1 && { n }), ...(temperature !== 1 && { temperature }) };
  const named = { ...how, ...(schedule !== "cosine" && { schedule }) };
  if (language === "Node") {
    const options = JSON.stringify(named)
      .replace(/"(\w+)":/g, " $1: ")
      .replace("}", " }");
    return `import { loadModel } from "fewstep";

const model = await loadModel(${JSON.stringify(model)});
const { images } = await model.generateImage(${JSON.stringify(prompt)}, ${options});
for (const [i, image] of images.entries()) await image.save(\`picture-\${i}.png\`);
await model.dispose();
`;
  }
  if (language === "Command line") {
    const flags = Object.entries({ ...how, model }).map(([name, value]) =>
      name === "n" ? `-n ${value}` : `--${name} ${value}`,
    );
    const note = schedule === "cosine" ? "" : `# The schedule ${schedule} is for the other two.\n`;
    return `${note}npx fewstep generate ${shell(prompt)} ${flags.join(" ")}\n`;
  }
  const body = {
    prompt,
    model,
    seed,
    steps,
    guidance_scale: guidance,
    ...(n > 1 && { n }),
    ...(temperature !== 1 && { temperature }),
  };
  const all = schedule === "cosine" ? body : { ...body, fewstep: { schedule } };
  return `# npx fewstep serve --model ${model}
curl http://127.0.0.1:7117/v1/images/generations \\
  -H "content-type: application/json" \\
  -d ${shell(JSON.stringify(all))}
`;
}

const shell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
