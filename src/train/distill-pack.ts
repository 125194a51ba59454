/** What comes of a student: pictures to look at while it learns, and its folder. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Rng } from "../base/index.ts";
import { blank, categorical, decodeMasked, finish, seeded } from "../decode/index.ts";
import { writeAtomic } from "../files/index.ts";
import { encodePicture, enlarge, postprocess, sheet } from "../image/index.ts";
import { saveModel } from "../models/index.ts";
import { gridSide, imagePredictor, showoPrograms } from "../models/showo/index.ts";
import { exportWeights } from "./checkpoint.ts";
import type { DistillConfig, DistillStage } from "./distill-config.ts";
import type { Data } from "./distill-data.ts";
import { type TeacherModel, tensorsOf } from "./distill-teacher.ts";
import { isLora, mergeLora } from "./lora.ts";

const SHEET = { pictures: 12, columns: 6, size: 128 };

/** Held-out prompts drawn by the student as it will be used. */
export function sampler(config: DistillConfig, teacher: TeacherModel, student: TeacherModel, { source }: Data) {
  return async (weights: Parameters<typeof mergeLora>[0], _step: number, dir: string): Promise<void> => {
    const { showo } = student.networks.config;
    const plain = config.lora ? mergeLora(weights, config.lora) : weights;
    const programs = showoPrograms(showo, (name) => plain[name], { spinning: false });
    const rng = new Rng(1);
    const prompts = (await source.lessons(0, SHEET.pictures, "heldout")).map((lesson) => lesson.prompt(rng));
    const { steps: passes, guidance, topK, temperature } = config.defaults;
    const model = await imagePredictor(programs, {
      prompts: prompts.map((text) => teacher.text.encode(text)),
      guidance,
    });
    const sample = categorical({ noise: seeded(1, "sample"), topK });
    const canvas = blank(prompts.length, showo.imageTokens);
    const options = { passes, sample, noise: seeded(1, "remask"), temperature };
    const { ids_BL } = (await finish(decodeMasked(model, canvas, options))).canvas;
    const side = gridSide(showo);
    const pictures = [];
    for (const i of prompts.keys()) {
      const ids = ids_BL.slice(i * side * side, (i + 1) * side * side);
      const [small] = postprocess(await teacher.networks.tokenizer.decode(ids, side, side));
      pictures.push(enlarge(small, SHEET.size, SHEET.size));
    }
    const drawn = sheet(pictures, { columns: SHEET.columns, captions: prompts, gap: 4 });
    await writeAtomic(join(dir, "pictures.png"), await encodePicture(drawn, "png"));
    await programs.dispose();
  };
}

/** Writes the student's folder: its averaged weights, everything else as its teacher's. */
export async function pack(
  config: DistillConfig,
  {
    teacher,
    student,
    checkpoint,
    out,
    learnt,
  }: { teacher: TeacherModel; student: TeacherModel; checkpoint: string; out: string; learnt: readonly string[] },
): Promise<void> {
  const file = join(out, "run", "weights.safetensors");
  await exportWeights(checkpoint, file);
  const weights = tensorsOf(file);
  const { lora, defaults, name } = config;
  await saveModel(join(out, "model"), {
    config: { ...student.networks.config, model: name, defaults },
    showo: new Map(Object.entries(lora && Object.keys(weights).some(isLora) ? mergeLora(weights, lora) : weights)),
    magvit: new Map(Object.entries(tensorsOf(teacher.file("magvit")))),
    tokenizer: JSON.parse(readFileSync(join(teacher.folder, "tokenizer.json"), "utf8")),
    card: [`# ${name}`, "", ...learnt, ""].join("\n"),
  });
}

/** What a model card says of a stage; figures are added by who measures them. */
export function stageLearnt(config: DistillConfig, stage: DistillStage, { networks }: TeacherModel): string[] {
  const { rows, micro, lora, defaults, trajectories } = config;
  const collected =
    trajectories.from === "files"
      ? `${trajectories.pictures} pictures and answers to ${trajectories.texts} questions`
      : "drawn anew for every step";
  return [
    `${networks.config.model} distilled to draw in ${defaults.steps} steps and to write several tokens a pass.`,
    "",
    `- Trajectories: ${stage.passes} steps, guidance ${stage.guidance}, ${collected}`,
    `- Segments: ${stage.segments} of a picture, ${stage.textSegments} of each round of a text`,
    `- Training: ${stage.steps} steps of ${micro * rows.image} pictures and ${micro * rows.text} texts`,
    ...(lora ? [`- Low-rank additions of rank ${lora.rank}, merged`] : []),
  ];
}

/** The same of a stage that learns states as pictures. */
export function followedLearnt(config: DistillConfig, stage: DistillStage, { networks }: TeacherModel): string[] {
  const { rows, micro, trajectories } = config;
  const { rows: states, steps, by } = stage.followed!;
  return [
    `A student of ${networks.config.model} that has learnt to draw without guidance, in fewer steps.`,
    "",
    `- Trajectories: ${trajectories.pictures} of ${by === "teacher" ? "its teacher's" : "its own"} pictures in ${stage.passes} steps, each drawn again up to ${trajectories.redraws} times where it describes it as something else`,
    `- Training: ${stage.steps} steps of ${micro * rows.image} pictures, ${micro * states} of them states before steps ${steps.join(", ")}, and ${micro * rows.text} texts`,
  ];
}
