/** Predictors made of predictors: guidance and drafter-to-refiner are not decoders. */
import { fail } from "../base/index.ts";
import type { Predictor, Span } from "./contract.ts";

function sameVocab(a: Predictor, b: Predictor): void {
  if (a.vocab !== b.vocab)
    fail("predictors of different vocabularies cannot be combined", { expected: `${a.vocab} ids`, got: `${b.vocab}` });
}

/**
 * Classifier-free guidance: (1 + w) * asked - w * unasked. Where the weight is 0 the unasked model does not run. A model
 * that can run both rows in one batch should, and be a Predictor of its own.
 */
export function guide(
  asked: Predictor,
  unasked: Predictor,
  weight: number | ((progress: number) => number),
): Predictor {
  sameVocab(asked, unasked);
  return {
    vocab: asked.vocab,
    async predict(canvas, span, progress) {
      const w = typeof weight === "number" ? weight : weight(progress);
      const a = await asked.predict(canvas, span, progress);
      if (w === 0) return a;
      const u = await unasked.predict(canvas, span, progress);
      if (a.length !== u.length)
        fail("guided predictors disagree on size", { expected: `${a.length}`, got: `${u.length}` });
      for (let i = 0; i < a.length; i++) a[i] = (1 + w) * a[i] - w * u[i];
      return a;
    },
    settle(end) {
      asked.settle(end);
      unasked.settle(end);
    },
    release() {
      asked.release?.();
      unasked.release?.();
    },
  };
}

/**
 * Collaborative decoding (CoDe): the drafter predicts until `refines` says the refiner does, and then gives its memory
 * back. By slot for scales, `({ start }) => start >= 30`; by progress for masked canvases,
 * `(_, progress) => progress > 0.5`. Chen et al., "Collaborative Decoding Makes Visual Auto-Regressive Modeling
 * Efficient" (CVPR 2025).
 */
export function handOver(
  drafter: Predictor,
  refiner: Predictor,
  refines: (span: Span, progress: number) => boolean,
): Predictor {
  sameVocab(drafter, refiner);
  return {
    vocab: refiner.vocab,
    predict(canvas, span, progress) {
      if (!refines(span, progress)) return drafter.predict(canvas, span, progress);
      drafter.release?.();
      return refiner.predict(canvas, span, progress);
    },
    settle(end) {
      drafter.settle(end);
      refiner.settle(end);
    },
    release() {
      drafter.release?.();
      refiner.release?.();
    },
  };
}
