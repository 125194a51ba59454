/**
 * Pictures that a next-scale model drew of classes, as lessons for a smaller one, which so learns guidance and all choices
 * among the likeliest along with them (sequence-level distillation, Kim and Rush, 2016).
 */
import { f32, fail, i64, nd, Rng, shuffledRounds } from "../base/index.ts";
import { type MsvqPrograms, pictureSide, tokenCount } from "../models/msvq/index.ts";
import type { Codec } from "./trajectory-files.ts";
import type { VarLesson } from "./var.ts";

export interface DrawnClass {
  readonly label: number;
  /** Ids of all scales. */
  readonly ids_L: Int32Array;
}

/** Pictures of `length` ids below `vocab`, of one of so many classes. */
export const drawnCodec = (length: number, vocab: number, classes: number): Codec<DrawnClass> => ({
  kind: "drawn",
  pack: (items) => ({
    labels: nd(
      "int32",
      [items.length],
      Int32Array.from(items, ({ label }) => label),
    ),
    ids: nd("int32", [items.length, length], Int32Array.from(items.flatMap(({ ids_L }) => [...ids_L]))),
  }),
  unpack(array) {
    const [labels, ids] = ["labels", "ids"].map((name) => array(name).data as Int32Array);
    const below = (limit: number) => (id: number) => id >= 0 && id < limit;
    if (ids.length !== labels.length * length || !ids.every(below(vocab)) || !labels.every(below(classes)))
      fail("these are not pictures of this model", {
        expected: `${length} ids below ${vocab} of each, ${classes} classes`,
        got: `${labels.length} labels, ${ids.length} ids`,
        code: "BAD_FILE",
      });
    return Array.from(labels, (label, i) => ({ label, ids_L: ids.slice(i * length, (i + 1) * length) }));
  },
});

export interface DrawnLessons {
  drawn: readonly DrawnClass[];
  batchSize: number;
  classes: number;
  labelDropout: number;
  seed: number;
}

/** Lessons from such pictures, in another order each time all of them were seen. */
export function drawnLessons(
  { drawn, batchSize, classes, labelDropout, seed }: DrawnLessons,
  tokenizer: MsvqPrograms,
): (step: number, micro: number, micros?: number) => Promise<VarLesson> {
  const { config } = tokenizer;
  const side = pictureSide(config);
  const length = tokenCount(config);
  // With every token given, the pixels change nothing.
  const pixels = f32([batchSize, 3, side, side]);
  const place = shuffledRounds(drawn.length, seed);
  return async (step, micro, micros = 1) => {
    const first = (step * micros + micro) * batchSize;
    const rng = new Rng(seed, first);
    const some = Array.from({ length: batchSize }, (_, i) => drawn[place(first + i)]);
    const labels = some.map(({ label }) => (rng.uniform() < labelDropout ? classes : label));
    const ids = some.flatMap(({ ids_L }) => [...ids_L]);
    const { inputs } = await tokenizer.encode(pixels, Int32Array.from(ids));
    return { labels: i64([batchSize], labels), ids: i64([batchSize, length], ids), inputs };
  };
}
