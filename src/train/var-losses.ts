/** What next-scale models learn from: tokens, or the logits of a larger model (VAR spec sections 7 and 8). */
import { f32 } from "../base/index.ts";
import {
  add,
  div,
  exp,
  logSoftmax,
  mean,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  sub,
  sum,
  type Tensor,
} from "../graph/index.ts";
import { crossEntropyRows } from "../nn/index.ts";

/**
 * Cross entropy summed over positions with these weights [length] and averaged over the batch; default: 1 / length each.
 * `smoothing` of the label's mass is spread evenly over the vocabulary. logits [B, length, V], ids int64 [B, length].
 */
export function tokenLoss(
  logits: Tensor,
  ids: Tensor,
  { smoothing = 0, weights }: { smoothing?: number; weights?: readonly number[] } = {},
): Tensor {
  const [batch, length, vocab] = logits.shape.map(Number);
  const rows = reshape(logits, [batch * length, vocab]);
  const hard = crossEntropyRows(rows, reshape(ids, [batch * length]));
  const even = () => neg(reshape(reduceMean(logSoftmax(rows), [1]), [batch * length]));
  const each = smoothing ? add(mul(hard, 1 - smoothing), mul(even(), smoothing)) : hard;
  const share = weights ?? new Array<number>(length).fill(1 / length);
  const perPosition = logits.graph.constant(f32([1, length], share));
  return mul(sum(mul(reshape(each, [batch, length]), perPosition)), 1 / batch);
}

/** KL(teacher || student) of each row at a temperature; logits [N, V] -> [N]. */
export function divergenceRows(student: Tensor, teacher: Tensor, temperature = 1): Tensor {
  const rows = student.shape[0];
  const [s, t] = [student, teacher].map((logits) => logSoftmax(div(logits, temperature)));
  return reshape(reduceSum(mul(exp(t), sub(t, s)), [1]), [rows]);
}

/** Distillation: T^2 times the mean divergence over rows (Hinton et al., 2015). */
export const distillation = (student: Tensor, teacher: Tensor, temperature = 1): Tensor =>
  mul(mean(divergenceRows(student, teacher, temperature)), temperature * temperature);

/** Distillation at temperature 1 and cross entropy, mixed. */
export const distillationWithLabels = (student: Tensor, teacher: Tensor, labels: Tensor, share: number): Tensor =>
  add(mul(distillation(student, teacher), share), mul(mean(crossEntropyRows(student, labels)), 1 - share));
