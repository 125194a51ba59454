/**
 * AdamW, global-norm clipping and moving averages over flat float32 arrays, updated in place. Knows no graph.
 * One fused loop reads and writes each value once, where the same update as graph nodes makes a dozen passes over
 * memory; and a step whose gradients are not finite can be refused before anything has changed.
 */

export interface AdamW {
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** First and second moment of the gradient, one value per parameter value. */
export interface Moments {
  readonly m: Float32Array;
  readonly v: Float32Array;
}

export const adamWInit = (size: number): Moments => ({ m: new Float32Array(size), v: new Float32Array(size) });

export interface AdamWStep extends AdamW {
  readonly lr: number;
  /** Updates so far, this one included: 1 for the first. */
  readonly count: number;
  /** Gradients are multiplied by this first (clipping, mean over micro-batches). */
  readonly scale: number;
}

/**
 * One decoupled-weight-decay step (Loshchilov and Hutter, ICLR 2019, in PyTorch's form): epsilon is added to
 * sqrt(v / (1 - beta2^t)), outside the root.
 */
export function adamWUpdate(params: Float32Array, grads: Float32Array, { m, v }: Moments, how: AdamWStep): void {
  const [beta1, beta2] = how.betas;
  const { epsilon, scale } = how;
  const keep = 1 - how.lr * how.weightDecay;
  const size = how.lr / (1 - beta1 ** how.count);
  const unbias = 1 / Math.sqrt(1 - beta2 ** how.count);
  for (let i = 0; i < params.length; i++) {
    const g = grads[i] * scale;
    const mean = m[i] + (1 - beta1) * (g - m[i]);
    const square = v[i] + (1 - beta2) * (g * g - v[i]);
    m[i] = mean;
    v[i] = square;
    params[i] = params[i] * keep - (size * mean) / (Math.sqrt(square) * unbias + epsilon);
  }
}

/** Euclidean length of all gradients together. */
export function globalNorm(grads: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < grads.length; i++) sum += grads[i] * grads[i];
  return Math.sqrt(sum);
}

/** Factor that brings gradients of length `norm` down to at most `limit`; PyTorch's clip_grad_norm_. */
export const clipScale = (norm: number, limit: number): number => Math.min(1, limit / (norm + 1e-6));

/** Moves `average` towards `values`. Young averages move faster: the decay of update n is at most (1 + n) / (10 + n). */
export function emaUpdate(average: Float32Array, values: Float32Array, decay: number, count: number): void {
  const rate = 1 - Math.min(decay, (1 + count) / (10 + count));
  for (let i = 0; i < average.length; i++) average[i] += rate * (values[i] - average[i]);
}
