/** What is timed: the embedded model reading and drawing held-out scenes or, where there is none, one of random weights. */
import { loadModel } from "fewstep";
import { f32, Rng, sizeOf } from "fewstep/base";
import { picture, preprocess } from "fewstep/image";
import { DEFAULT_MODEL, embeddedModels, magvitParameters, type Shapes, showoParameters } from "fewstep/models";
import { MAGVIT_PRESETS, type MagvitPrograms, magvitPrograms } from "fewstep/models/magvit";
import { questionIds, questionText, SHOWO_PRESETS, type ShowoPrograms, showoPrograms } from "fewstep/models/showo";
import { createHost } from "fewstep/runtime";
import { DOMAINS, loadAtlas, makeScene } from "fewstep/scenes";

export interface Subject {
  /** "show-o-mini", or that the weights are random. */
  name: string;
  transformer: ShowoPrograms;
  tokenizer: MagvitPrograms;
  /** Ids of one text to draw. */
  prompt: number[];
  /** Ids of pictures, each with the question that asks for its caption. */
  questions: number[][];
  dispose(): Promise<void>;
}

const PICTURES = 4;

export const openSubject = (): Promise<Subject> =>
  embeddedModels().includes(DEFAULT_MODEL) ? embedded() : randomWeights();

async function embedded(): Promise<Subject> {
  const model = await loadModel(DEFAULT_MODEL, { host: "inline" });
  const { showo, magvit, text } = model.config;
  const atlas = await loadAtlas();
  const scenes = Array.from({ length: PICTURES }, (_, index) =>
    makeScene(atlas, DOMAINS.easy, { seed: 1000, index, split: "heldout", pixels: magvit.resolution }),
  );
  const asked = model.text.encode(questionText(text.captionQuestion));
  const questions: number[][] = [];
  for (const { width, height, pixels } of scenes) {
    const codes = await model.tokenizer.encode(preprocess(picture(width, height, pixels), magvit.resolution));
    questions.push(questionIds(showo, codes, asked));
  }
  return { ...model, name: DEFAULT_MODEL, prompt: model.text.encode(scenes[0].prompt), questions };
}

/** Times of drawing do not depend on what the weights are; how many tokens a Jacobi pass settles does. */
async function randomWeights(): Promise<Subject> {
  const [showo, magvit] = [SHOWO_PRESETS.mini, MAGVIT_PRESETS.mini];
  const rng = new Rng(1);
  const ids = (length: number, below: number) => Array.from({ length }, () => rng.int(below));
  const state = (shapes: Shapes) => {
    const arrays = new Map([...shapes].map(([name, shape]) => [name, randomArray(shape, rng)]));
    return (name: string) => arrays.get(name);
  };
  const host = createHost({ host: "inline", spinning: false });
  return {
    name: "random weights",
    transformer: showoPrograms(showo, state(showoParameters(showo)), { host }),
    tokenizer: magvitPrograms(magvit, state(magvitParameters(magvit)), host),
    prompt: ids(12, showo.endOfText),
    questions: Array.from({ length: PICTURES }, () =>
      questionIds(showo, ids(showo.imageTokens, showo.codebookSize), ids(10, showo.endOfText)),
    ),
    dispose: () => host.dispose(),
  };
}

/** Vectors are 1, matrices and kernels keep the size of what they are applied to. */
const randomArray = (shape: readonly number[], rng: Rng) =>
  f32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () =>
      shape.length === 1 ? 1 : rng.normal() / Math.sqrt(sizeOf(shape.slice(1))),
    ),
  );
