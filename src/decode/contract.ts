/** The decoding contract: plain arrays and one verb. It knows no graph, session or tokenizer. */
import { fail } from "../base/index.ts";

/** Marks a slot that nobody has decided yet. */
export const UNDECIDED = -1;

/** B rows of L token slots, row-major. Ids are local to one modality: 0 ... vocab-1, or UNDECIDED. */
export interface Canvas {
  readonly rows: number;
  readonly slots: number;
  readonly ids_BL: Int32Array;
}

/** Slots start ... end-1. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A model already conditioned on one request: prompt, image or label, guidance, caches. */
export interface Predictor {
  readonly vocab: number;
  /**
   * One forward pass: logits_BTV for the slots of `span`. Any next-token shift is hidden in here: the logits of slot s
   * are those that decide slot s. The array is handed over: the predictor does not write to it again.
   * `progress` runs up to 1, for guidance that changes on the way.
   */
  predict(canvas: Canvas, span: Span, progress: number): Promise<Float32Array>;
  /**
   * A promise that slots before `end` no longer change. What the last pass computed for such a slot may be cached where
   * `canvas` already held the id that was settled; the last settled slot of a text pass often did not.
   */
  settle(end: number): void;
  /** Gives memory back that only further questions would need; asked again, it computes what it needs anew. */
  release?(): void;
}

/**
 * Picks one id from the logits of one slot. Noise is keyed by (pass, row, slot), never by call order, so the pick does
 * not depend on which other slots or rows are decoded beside it.
 */
export type Sampler = (logits_V: Float32Array, pass: number, row: number, slot: number) => number;

/** One point on a decoding trajectory. Everything in it is a snapshot and safe to keep. */
export interface DecodeState {
  /** What the model looked at. */
  readonly seen: Canvas;
  /** What the canvas looks like now. */
  readonly canvas: Canvas;
  /** The slots this pass worked on. */
  readonly span: Span;
  /** Forward passes so far, this one included. */
  readonly pass: number;
  /** Slots 0 ... settled-1 are final in every row. */
  readonly settled: number;
  /** What the model said of `span` in `seen`. */
  readonly logits_BTV: Float32Array;
}

/** Every decoder is one of these. A user interface draws it, a server streams it, training collects it. */
export type Trajectory<S extends DecodeState = DecodeState> = AsyncGenerator<S, void>;

/** A canvas with every slot open. */
export const blank = (rows: number, slots: number): Canvas =>
  canvasOf(rows, slots, new Int32Array(rows * slots).fill(-1));

/** A canvas over `ids_BL`. Refuses ids that do not fill it. */
export function canvasOf(rows: number, slots: number, ids_BL: Int32Array): Canvas {
  if (ids_BL.length !== rows * slots)
    fail("ids do not fill the canvas", {
      expected: `${rows} x ${slots} = ${rows * slots} ids`,
      got: `${ids_BL.length}`,
    });
  return { rows, slots, ids_BL };
}

/** Asks the model. Checks that it knows every id it is shown and answers for every slot asked. */
export async function ask(model: Predictor, canvas: Canvas, span: Span, progress: number): Promise<Float32Array> {
  const foreign = canvas.ids_BL.find((id) => id < UNDECIDED || id >= model.vocab);
  if (foreign !== undefined)
    fail("an id is outside the vocabulary", {
      where: "canvas",
      expected: `0 to ${model.vocab - 1}`,
      got: `${foreign}`,
    });
  const logits_BTV = await model.predict(canvas, span, progress);
  const expected = canvas.rows * (span.end - span.start) * model.vocab;
  if (logits_BTV.length !== expected)
    fail("the predictor returned logits of another size", {
      expected: `${canvas.rows} rows x ${span.end - span.start} slots x ${model.vocab} ids = ${expected}`,
      got: `${logits_BTV.length}`,
    });
  return logits_BTV;
}
