/** Show-o reading a picture and a question, as a Predictor over text ids with a key/value cache: what decodeJacobi asks. */
import { f32, i64, internal, type NdArray } from "../../base/index.ts";
import type { Canvas, Predictor, Span } from "../../decode/index.ts";
import { positionsFrom } from "./graph.ts";
import { additiveMask, understandingMask } from "./masks.ts";
import { packedTextPredictor } from "./packed-predictors.ts";
import type { ShowoPrograms } from "./programs.ts";
import { headColumns, vocabularyOf } from "./sequence.ts";

export interface TextRequest {
  /** Ids up to the first answered slot: picture, question (see questionIds). */
  prompt: readonly number[];
  /** Answer slots that will be asked at most. */
  slots: number;
  /** "text" (default) leaves control and image ids out; "all" is the published behaviour. */
  columns?: "text" | "all";
}

/** Slots evaluated, for measurements. */
export interface TextPredictor extends Predictor {
  readonly evaluated: number;
}

/**
 * The prompt is computed once, in one pass with the first slots. Keys and values of an answer slot are kept as soon as its
 * settled id is what the model was fed there, so every settled token is computed at most twice.
 */
export async function textPredictor(
  programs: ShowoPrograms,
  { prompt, slots, columns = "text" }: TextRequest,
): Promise<TextPredictor> {
  if (programs.packed) return packedTextPredictor(programs.packed, { prompt, slots, columns });
  const { config } = programs;
  const { start, end } = headColumns(config, columns);
  const program = await programs.text(columns);
  const cache = new TokenCache(config.layers, prompt.length + slots, config.hiddenSize);

  /**
   * Runs `ids` behind the cached tokens; `bias` [M, cached + M]. Their keys and values are in the result, logits of those
   * from `skip` on.
   */
  const run = (ids: readonly number[], skip: number, bias: NdArray<"float32">) => {
    const past = { heads: config.heads, width: config.hiddenSize / config.heads };
    return program.run({
      ids: i64([1, ids.length], ids),
      positions: positionsFrom(cache.length, ids.length),
      rows: i64(
        [ids.length - skip],
        Array.from({ length: ids.length - skip }, (_, i) => skip + i),
      ),
      bias,
      ...cache.feeds(past.heads, past.width),
    });
  };

  let fed: number[] = [];
  let fresh: Record<string, NdArray> | undefined;
  let settledSlots = 0;
  let evaluated = 0;
  const idAt = (canvas: Canvas, position: number) =>
    position < prompt.length ? prompt[position] : canvas.ids_BL[position - prompt.length];

  /** Keeps what the last pass computed for tokens that turned out right. */
  const commit = (canvas: Canvas): void => {
    let right = 0;
    // All but the last one: what follows it is decided where it is fed.
    const settled = prompt.length + settledSlots - 1;
    while (right < fed.length && cache.length + right < settled && fed[right] === idAt(canvas, cache.length + right))
      right++;
    if (right && fresh) cache.keep(fresh, right);
    fed = [];
  };

  return {
    vocab: end - start,
    get evaluated() {
      return evaluated;
    },
    async predict(canvas: Canvas, span: Span) {
      commit(canvas);
      // Slot s is decided by the token before it.
      const first = cache.length;
      const last = prompt.length + span.end - 2;
      fed = Array.from({ length: last - first + 1 }, (_, i) => idAt(canvas, first + i));
      evaluated += fed.length - Math.max(0, prompt.length - 1 - first);
      const bias = first ? causalBias(fed.length, first) : additiveMask(understandingMask([fed], vocabularyOf(config)));
      const skip = prompt.length + span.start - 1 - first;
      if (skip < 0) internal("a slot was cached before it was settled");
      fresh = await run(fed, skip, bias);
      return fresh.logits.data as Float32Array;
    },
    settle(end: number) {
      settledSlots = end;
    },
  };
}

/** New tokens see the whole past and each other causally; [1, 1, M, past + M]. */
function causalBias(length: number, past: number): NdArray<"float32"> {
  const bias = f32([1, 1, length, past + length]);
  for (let i = 0; i < length; i++)
    bias.data.fill(-Infinity, i * (past + length) + past + i + 1, (i + 1) * (past + length));
  return bias;
}

/** Keys and values of all layers, token-major in buffers allocated once, so that appending copies only what is new. */
class TokenCache {
  length = 0;
  private readonly width: number;
  private readonly buffers = new Map<string, Float32Array>();

  constructor(layers: number, capacity: number, width: number) {
    this.width = width;
    for (let l = 0; l < layers; l++)
      for (const part of ["k", "v"]) this.buffers.set(`${part}_${l}`, new Float32Array(capacity * width));
  }

  feeds(heads: number, width: number): Record<string, NdArray> {
    const feeds: Record<string, NdArray> = {};
    for (const [name, buffer] of this.buffers)
      feeds[`past_${name}`] = f32([1, this.length, heads, width], buffer.subarray(0, this.length * this.width));
    return feeds;
  }

  keep(computed: Record<string, NdArray>, tokens: number): void {
    for (const [name, buffer] of this.buffers)
      buffer.set((computed[name].data as Float32Array).subarray(0, tokens * this.width), this.length * this.width);
    this.length += tokens;
  }
}
