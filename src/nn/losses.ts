/** Losses over logits [N, V]: hard and soft labels. Rows are chosen by weights, so shapes stay fixed. */
import {
  div,
  gatherElements,
  logSoftmax,
  maximum,
  mul,
  neg,
  reduceSum,
  reshape,
  sum,
  type Tensor,
} from "../graph/index.ts";

/** Weighted mean; 0 when all weights are 0. */
export const weightedMean = (values: Tensor, weights: Tensor): Tensor =>
  div(sum(mul(values, weights)), maximum(sum(weights), 1e-6));

/** Cross entropy of each row: logits [N, V], labels int64 [N] -> [N]. Labels of rows to ignore may be any valid id. */
export function crossEntropyRows(logits: Tensor, labels: Tensor): Tensor {
  const rows = labels.shape[0];
  return neg(reshape(gatherElements(logSoftmax(logits), reshape(labels, [rows, 1])), [rows]));
}

/** Mean cross entropy over the rows with weight 1; weights float32 [N]. */
export const crossEntropy = (logits: Tensor, labels: Tensor, weights: Tensor): Tensor =>
  weightedMean(crossEntropyRows(logits, labels), weights);

/** Cross entropy of each row against a distribution: logits and targets [N, V] -> [N]. */
export const softCrossEntropyRows = (logits: Tensor, targets: Tensor): Tensor =>
  neg(reduceSum(mul(targets, logSoftmax(logits)), [-1]));
