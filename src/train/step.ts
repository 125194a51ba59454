/**
 * One training step. Forward, backward and the sum over micro-batches are one ONNX graph; clipping, AdamW and the moving
 * average are one pass over flat arrays. Knows no data, files or schedule.
 */
import { fail, type NdArray } from "../base/index.ts";
import { add, Graph, gradients, showShape, type Tensor } from "../graph/index.ts";
import { type Arrays, compile } from "../runtime/index.ts";
import { copyInto, layOut, type Slot, views, type Weights } from "./flat.ts";
import { initialise } from "./init.ts";
import { type AdamW, adamWInit, adamWUpdate, clipScale, emaUpdate, globalNorm } from "./optimizer.ts";

/** What a model's training graph yields: scalars. */
export interface Objective {
  loss: Tensor;
  /** Reported beside the loss, as means over micro-batches. */
  metrics?: Readonly<Record<string, Tensor>>;
}

export interface OptimizerConfig extends AdamW {
  /** Largest global norm of the gradients. */
  readonly clip: number;
  /** Decay of the moving average of the weights; 0 keeps none. */
  readonly ema: number;
}

export const OPTIMIZER: OptimizerConfig = {
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0.01,
  clip: 1,
  ema: 0,
};

export interface TrainerOptions {
  /** Declares inputs and parameters, returns the loss. */
  build(graph: Graph): Objective;
  optimizer?: Partial<OptimizerConfig>;
  seed?: number;
  /** Starting values by name; the other parameters start by their `init`. */
  weights?: Arrays;
  /** Parameters that stay as they are. */
  frozen?(name: string): boolean;
  /** Parameters that weight decay applies to; default: matrices and kernels, but no embeddings. */
  decays?(name: string, shape: readonly number[]): boolean;
  threads?: number;
  spinning?: boolean;
}

export interface StepResult {
  loss: number;
  /** Global norm of the gradients before clipping. */
  gradNorm: number;
  metrics: Record<string, number>;
}

/** Everything that changes while training, as views of the live arrays. */
export interface TrainerState {
  /** Updates done. */
  readonly step: number;
  /** Named "params/NAME", "m/NAME", "v/NAME" and, where an average is kept, "ema/NAME". */
  readonly arrays: Weights;
}

export interface Trainer {
  /** Live values by name. */
  readonly params: Weights;
  /** Moving averages (frozen parameters as they are); `params` itself when no average is kept. */
  readonly ema: Weights;
  /**
   * One update from the mean gradient over micro-batches, as if they were one batch.
   * Errors: DIVERGED when loss or gradients are not finite; then nothing has changed.
   */
  step(batches: readonly Arrays[], lr: number): Promise<StepResult>;
  state(): TrainerState;
  /** Goes on from a state. Errors: BAD_WEIGHTS for an array of another shape. */
  load(step: number, array: (name: string) => NdArray): void;
  dispose(): Promise<void>;
}

const decaysByDefault = (name: string, shape: readonly number[]) => shape.length > 1 && !name.includes("embed");

export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { frozen = () => false, decays = decaysByDefault } = options;
  const optimizer = { ...OPTIMIZER, ...options.optimizer };
  const graph = new Graph();
  const objective = options.build(graph);

  // Trained parameters come first, so that everything the optimiser owns is a prefix of the values.
  const all = [...graph.params].map(([name, { tensor }]) => ({ name, shape: tensor.shape as readonly number[] }));
  const trained = layOut(all.filter(({ name }) => !frozen(name)));
  const slots = layOut([...trained, ...all.filter(({ name }) => frozen(name))]);
  if (!trained.length) fail("nothing to train", { expected: "a parameter that is not frozen", code: "BAD_GRAPH" });
  const values = new Float32Array(slots.at(-1)!.end);
  const params = views(slots, values);
  startValues(params, graph, options);

  const own = values.subarray(0, trained.at(-1)!.end);
  const grads = new Float32Array(own.length);
  const moments = adamWInit(own.length);
  const average = optimizer.ema ? own.slice() : undefined;
  const arrays: Weights = {
    ...views(slots, values, "params"),
    ...views(trained, moments.m, "m"),
    ...views(trained, moments.v, "v"),
    ...(average && views(trained, average, "ema")),
  };

  addGradientSums(graph, objective, trained);
  const program = await compile(graph, { threads: options.threads, spinning: options.spinning });
  const feeds = { ...params, ...views(trained, grads, "before") };
  const into = views(trained, grads, "after");
  let steps = 0;

  function update(lr: number, scale: number): void {
    steps++;
    for (const { name, shape, start, end } of trained) {
      const part = (flat: Float32Array) => flat.subarray(start, end);
      const weightDecay = decays(name, shape) ? optimizer.weightDecay : 0;
      const how = { ...optimizer, weightDecay, lr, scale, count: steps };
      adamWUpdate(part(values), part(grads), { m: part(moments.m), v: part(moments.v) }, how);
    }
    if (average) emaUpdate(average, own, optimizer.ema, steps);
  }

  return {
    params,
    ema: average ? { ...params, ...views(trained, average) } : params,
    async step(batches, lr) {
      grads.fill(0);
      let loss = 0;
      const metrics: Record<string, number> = {};
      for (const batch of batches) {
        const out = await program.run({ ...batch, ...feeds }, into);
        const mean = (name: string) => (out[name].data as Float32Array)[0] / batches.length;
        loss += mean("loss");
        for (const name of Object.keys(objective.metrics ?? {}))
          metrics[name] = (metrics[name] ?? 0) + mean(`metric/${name}`);
      }
      const gradNorm = globalNorm(grads) / batches.length;
      if (!Number.isFinite(loss + gradNorm))
        fail(`training diverged at step ${steps + 1}`, {
          expected: "a finite loss and finite gradients",
          got: `loss ${loss}, gradient norm ${gradNorm}`,
          hint: "Lower the learning rate or lengthen the warm-up.",
          code: "DIVERGED",
        });
      update(lr, clipScale(gradNorm, optimizer.clip) / batches.length);
      return { loss, gradNorm, metrics };
    },
    state: () => ({ step: steps, arrays }),
    load(step, array) {
      for (const [name, to] of Object.entries(arrays)) copyInto(to, array(name), name);
      steps = step;
    },
    dispose: () => program.dispose(),
  };
}

/**
 * Completes a graph: outputs "loss", "metric/NAME" and, for each parameter, "after/NAME" = "before/NAME" + its gradient.
 * One node reads the old sum and writes the new one, so before and after may be the same array.
 */
export function addGradientSums(graph: Graph, { loss, metrics = {} }: Objective, params: readonly Slot[]): void {
  const tensors = params.map(({ name }) => graph.params.get(name)!.tensor);
  for (const [i, gradient] of gradients(loss, tensors).entries()) {
    const { name, shape } = params[i];
    graph.output(`after/${name}`, add(graph.input(`before/${name}`, "float32", shape), gradient));
  }
  graph.output("loss", loss);
  for (const [name, value] of Object.entries(metrics)) {
    if (value.shape.some((d) => d !== 1))
      fail("a metric is one number", { where: name, got: showShape(value.shape), code: "BAD_GRAPH" });
    graph.output(`metric/${name}`, value);
  }
}

/** Values that were given, or those that each parameter starts from. */
function startValues(params: Weights, graph: Graph, { weights = {}, frozen, seed = 0 }: TrainerOptions): void {
  for (const name of Object.keys(weights))
    if (!(name in params)) fail("the model has no such parameter", { where: name, code: "BAD_WEIGHTS" });
  for (const [name, { init }] of graph.params) {
    if (weights[name]) copyInto(params[name], weights[name], name);
    else if (frozen?.(name)) fail("a frozen parameter needs weights", { where: name, code: "BAD_WEIGHTS" });
    else initialise(params[name].data, init, seed, name);
  }
}
