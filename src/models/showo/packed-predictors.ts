/** Predictors on a converted Show-o: the same answers as those on plain programs, with nothing copied that can stay. */
import { f32, fail, internal, type NdArray } from "../../base/index.ts";
import { type Canvas, type Predictor, type Span, UNDECIDED } from "../../decode/index.ts";
import { additiveMask, understandingMask } from "./masks.ts";
import { type CacheRows, type CacheUser, causalRows, type PackedShowo } from "./packed.ts";
import { headColumns, imageIds, imagePrompt, vocabularyOf } from "./sequence.ts";
import type { TextPredictor, TextRequest } from "./text-predictor.ts";

/** A prompt's text, computed: its rows of every cache. */
interface PromptRows {
  length: number;
  arrays: Float32Array[];
}

export interface PackedImageRequest {
  prompts: readonly (readonly number[])[];
  guidance: number;
}

/** Rows are computed one after the other, each behind its own prompt. */
export async function packedImagePredictor(
  packed: PackedShowo,
  { prompts, guidance }: PackedImageRequest,
): Promise<Predictor> {
  const { config } = packed;
  const { imageTokens: tokens, hiddenSize, codebookSize } = config;
  const { soi, eoi } = vocabularyOf(config);
  const user: CacheUser = { rows: 0 };
  const known = new Map<string, Promise<PromptRows>>();
  const encode = (text: readonly number[]): Promise<PromptRows> => {
    const ids = imagePrompt(config, text);
    const key = ids.join();
    if (!known.has(key))
      known.set(
        key,
        packed.use(user, ids.length + tokens + 2, async (cache) => {
          await cache.forward(ids, 0, 0, causalRows(ids.length));
          return { length: ids.length, arrays: await cache.read(0, ids.length) };
        }),
      );
    return known.get(key)!;
  };

  /** Hidden states of the picture's cells behind a prompt. */
  const cells = ({ length, arrays }: PromptRows, codes: Int32Array): Promise<Float32Array> =>
    packed.use(user, length + tokens + 2, async (cache: CacheRows) => {
      await cache.write(0, arrays);
      const ids = [soi, ...imageIds(config, codes), eoi];
      const hidden = await cache.forward(ids, length, 0, f32([1, tokens + 2, length + tokens + 2]));
      return hidden.subarray(hiddenSize, (tokens + 1) * hiddenSize);
    });

  const asked: PromptRows[] = [];
  for (const prompt of prompts) asked.push(await encode(prompt));
  const unasked = guidance ? await encode([]) : undefined;

  /** The empty prompt's view; that of an undecided picture is the same in every request. */
  async function unaskedCells(codes: Int32Array): Promise<Float32Array> {
    if (!codes.every((id) => id === UNDECIDED)) return cells(unasked!, codes);
    packed.undecided ??= (await cells(unasked!, codes)).slice();
    return packed.undecided;
  }

  return {
    vocab: codebookSize,
    async predict(canvas) {
      if (canvas.rows !== prompts.length || canvas.slots !== tokens)
        fail("the canvas does not fit the model", {
          expected: `${prompts.length} rows of ${tokens} cells`,
          got: `${canvas.rows} rows of ${canvas.slots}`,
        });
      const logits = new Float32Array(canvas.rows * tokens * codebookSize);
      for (let row = 0; row < canvas.rows; row++) {
        const codes = canvas.ids_BL.subarray(row * tokens, (row + 1) * tokens);
        let hidden = await cells(asked[row], codes);
        // The head is linear: guiding its inputs guides its outputs, at half the cost.
        if (guidance) hidden = guided(hidden, await unaskedCells(codes), guidance);
        logits.set(await packed.head("image", hidden), row * tokens * codebookSize);
      }
      return logits;
    },
    settle() {},
  };
}

/** (1 + g) * asked - g * unasked. */
const guided = (asked: Float32Array, unasked: Float32Array, g: number): Float32Array =>
  Float32Array.from(asked, (x, i) => x + g * (x - unasked[i]));

/** A settled token's keys and values stay where its pass wrote them; nothing is appended or moved. */
export async function packedTextPredictor(
  packed: PackedShowo,
  { prompt, slots, columns = "text" }: TextRequest,
): Promise<TextPredictor> {
  const { config } = packed;
  if (columns !== "text")
    fail("a converted model answers text only", { expected: 'columns "text"', got: JSON.stringify(columns) });
  const { start, end } = headColumns(config, "text");
  const user: CacheUser = { rows: 0 };
  const rows = prompt.length + slots;
  /** Rows that settled tokens wrote. */
  let kept = 0;
  const run = (ids: readonly number[], bias: NdArray<"float32">) =>
    packed.use(user, rows, (cache) => {
      user.rows = kept + ids.length;
      return cache.forward(ids, kept, 0, bias);
    });

  const opening = prompt.slice(0, -1);
  const mask = additiveMask(understandingMask([opening], vocabularyOf(config)));
  await run(opening, { ...mask, shape: mask.shape.slice(1) });
  kept = opening.length;

  let fed: number[] = [];
  let settledSlots = 0;
  let evaluated = 0;
  const idAt = (canvas: Canvas, position: number) =>
    position < prompt.length ? prompt[position] : canvas.ids_BL[position - prompt.length];

  return {
    vocab: end - start,
    get evaluated() {
      return evaluated;
    },
    async predict(canvas: Canvas, span: Span) {
      // All but the last one: what follows it is decided where it is fed.
      const settled = prompt.length + settledSlots - 1;
      for (const id of fed) {
        if (kept >= settled || id !== idAt(canvas, kept)) break;
        kept++;
      }
      // Slot s is decided by the token before it.
      const first = kept;
      const last = prompt.length + span.end - 2;
      fed = Array.from({ length: last - first + 1 }, (_, i) => idAt(canvas, first + i));
      evaluated += fed.length;
      const skip = prompt.length + span.start - 1 - first;
      if (skip < 0) internal("a slot was cached before it was settled");
      const hidden = await run(fed, causalRows(fed.length, first));
      return packed.head("text", hidden.subarray(skip * config.hiddenSize));
    },
    settle(end: number) {
      settledSlots = end;
    },
  };
}
