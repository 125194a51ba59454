/** A loaded model and everything it can do. The verbs are in the files named after them. */
import { fail } from "../base/index.ts";
import { type LoadOptions, loadNetworks, type ModelSource, type Networks } from "../models/index.ts";
import { loadTokenizer, phiTokenizer, type Tokenizer } from "../text/index.ts";
import type { DrawRun } from "./drawing.ts";
import { type ExtendOptions, extend } from "./extend.ts";
import { type DescribeOptions, describe, type TextRun } from "./image-to-text.ts";
import { type InpaintOptions, inpaint, type MaskLike } from "./inpaint.ts";
import type { ImageLike } from "./picture.ts";
import type { DrawOptions } from "./settings.ts";
import { generateImage } from "./text-to-image.ts";

/** What the tasks work with: transformer, image tokenizer, text tokenizer and configuration of a Show-o. */
export interface ShowoModel extends Networks {
  readonly text: Tokenizer;
}

export interface Model extends ShowoModel, AsyncDisposable {
  /** Draws pictures of a sentence, or of several. */
  generateImage(prompt: string | readonly string[], options?: DrawOptions): DrawRun;
  /** Describes a picture, or answers a question about it. */
  describe(image: ImageLike, question?: string, options?: DescribeOptions): TextRun;
  /** Draws the masked part of a picture anew. */
  inpaint(image: ImageLike, mask: MaskLike, prompt: string, options?: InpaintOptions): DrawRun;
  /** Draws what lies beyond the edges of a picture. */
  extend(image: ImageLike, options: ExtendOptions): DrawRun;
}

/**
 * Loads a model: by default the one that the package carries, else by name, folder, or the folders of a published
 * Show-o. Give it back with `dispose()` or `await using`. Errors: NOT_FOUND, BAD_FILE, BAD_WEIGHTS naming the tensors,
 * ABORTED.
 */
export async function loadModel(source?: ModelSource, options?: LoadOptions): Promise<Model> {
  const networks = await loadNetworks(source, options);
  try {
    const { textFolder, config } = networks;
    const text = textFolder === undefined ? await phiTokenizer() : await loadTokenizer(textFolder);
    const { endOfText, llmVocabSize } = config.showo;
    if (text.endOfText !== endOfText || text.size > llmVocabSize)
      fail("the tokenizer does not belong to the model", {
        where: textFolder,
        expected: `at most ${llmVocabSize} ids, ${endOfText} ending a text`,
        got: `${text.size} ids, ${text.endOfText} ending a text`,
        code: "BAD_FILE",
      });
    return withVerbs({ ...networks, text });
  } catch (error) {
    await networks.dispose();
    throw error;
  }
}

const withVerbs = (model: ShowoModel): Model => ({
  ...model,
  generateImage: (prompt, options) => generateImage(model, prompt, options),
  describe: (image, question, options) => describe(model, image, question, options),
  inpaint: (image, mask, prompt, options) => inpaint(model, image, mask, prompt, options),
  extend: (image, options) => extend(model, image, options),
  [Symbol.asyncDispose]: () => model.dispose(),
});
