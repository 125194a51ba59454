/**
 * One training step. Forward, backward and the sum over micro-batches are one ONNX graph; clipping, AdamW and the moving
 * average are one pass over flat arrays. Knows no data, files or schedule.
 */
import { f32, fail, type NdArray, sizeOf } from "../base/index.ts";
import { add, Graph, gradients, showShape, type Tensor } from "../graph/index.ts";
import { type Arrays, compile } from "../runtime/index.ts";
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

type Weights = Readonly<Record<string, NdArray<"float32">>>;

/** Everything that changes while training, as views of the live arrays. */
export interface TrainerState {
  step: number;
  arrays: Weights;
}

export interface Trainer {
  /** Live values by name. */
  readonly params: Weights;
  /** Moving averages (and frozen parameters as they are); `params` itself when no average is kept. */
  readonly ema: Weights;
  /** Updates done so far. */
  readonly steps: number;
  /** One update from one batch, or from several micro-batches as if they were one. Errors: DIVERGED, nothing changed. */
  step(batches: Arrays | readonly Arrays[], lr: number): Promise<StepResult>;
  /** Arrays are named "params/NAME", "m/NAME", "v/NAME", "ema/NAME". */
  state(): TrainerState;
  /** Continues from a state. Errors: BAD_WEIGHTS when an array is missing or has another shape. */
  load(step: number, get: (name: string, shape: readonly number[]) => NdArray): void;
  dispose(): Promise<void>;
}

interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

const decaysByDefault = (name: string, shape: readonly number[]) => shape.length > 1 && !name.includes("embed");

export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { build, seed = 0, weights = {}, frozen = () => false, decays = decaysByDefault } = options;
  const optimizer = { ...OPTIMIZER, ...options.optimizer };
  const graph = new Graph();
  const objective = build(graph);

  // Trained parameters come first, so that the optimiser's arrays are a prefix of the parameters.
  const all = [...graph.params].map(([name, { tensor, init }]) => ({ name, tensor, init, fixed: frozen(name) }));
  all.sort((a, b) => Number(a.fixed) - Number(b.fixed));
  const slots: Slot[] = [];
  let total = 0;
  for (const { name, tensor } of all) {
    const shape = tensor.shape as number[];
    slots.push({ name, shape, start: total, end: (total += sizeOf(shape)) });
  }
  const trained = slots.filter((_, i) => !all[i].fixed);
  if (!trained.length) fail("nothing to train", { expected: "a parameter that is not frozen", code: "BAD_GRAPH" });
  const trainedSize = trained.at(-1)!.end;

  const wanted = trained.map(({ name }) => graph.params.get(name)!.tensor);
  for (const [i, g] of gradients(objective.loss, wanted).entries()) {
    const { name, shape } = trained[i];
    // Reader and writer of a sum are the same node, so it may be updated in place.
    graph.output(`grad/${name}`, add(graph.input(`sum/${name}`, "float32", shape), g));
  }
  graph.output("loss", objective.loss);
  for (const [name, value] of Object.entries(objective.metrics ?? {})) {
    if (sizeOf(value.shape as number[]) !== 1)
      fail("a metric is one number", { where: name, got: showShape(value.shape), code: "BAD_GRAPH" });
    graph.output(`metric/${name}`, value);
  }
  const program = await compile(graph, { threads: options.threads, spinning: options.spinning });

  const values = new Float32Array(total);
  const grads = new Float32Array(trainedSize);
  const moments = adamWInit(trainedSize);
  const average = optimizer.ema ? new Float32Array(trainedSize) : undefined;
  const params = views(slots, values);
  const ema = average ? { ...params, ...views(trained, average) } : params;
  const sums = prefixed("sum", views(trained, grads));
  const gradViews = prefixed("grad", views(trained, grads));

  for (const name of Object.keys(weights))
    if (!(name in params))
      fail("weights for a parameter that the model does not have", { where: name, code: "BAD_WEIGHTS" });
  for (const { name, init, fixed } of all) {
    if (weights[name]) copyInto(params[name], weights[name], name);
    else if (fixed) fail("a frozen parameter needs weights", { where: name, code: "BAD_WEIGHTS" });
    else initialise(params[name].data, init, seed, name);
  }
  average?.set(values.subarray(0, trainedSize));
  let steps = 0;

  async function step(batches: Arrays | readonly Arrays[], lr: number): Promise<StepResult> {
    const list = Array.isArray(batches) ? (batches as readonly Arrays[]) : [batches as Arrays];
    grads.fill(0);
    let loss = 0;
    const metrics: Record<string, number> = {};
    for (const batch of list) {
      const out = await program.run({ ...batch, ...params, ...sums }, gradViews);
      loss += number(out.loss) / list.length;
      for (const name of Object.keys(objective.metrics ?? {}))
        metrics[name] = (metrics[name] ?? 0) + number(out[`metric/${name}`]) / list.length;
    }
    const gradNorm = globalNorm(grads) / list.length;
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm))
      fail(`training diverged at step ${steps}`, {
        expected: "a finite loss and finite gradients",
        got: `loss ${loss}, gradient norm ${gradNorm}`,
        hint: "Lower the learning rate or lengthen the warm-up, and go on from the last checkpoint.",
        code: "DIVERGED",
      });
    steps++;
    const scale = clipScale(gradNorm, optimizer.clip) / list.length;
    for (const { name, shape, start, end } of trained)
      adamWUpdate(
        values.subarray(start, end),
        grads.subarray(start, end),
        { m: moments.m.subarray(start, end), v: moments.v.subarray(start, end) },
        { ...optimizer, lr, count: steps, scale, weightDecay: decays(name, shape) ? optimizer.weightDecay : 0 },
      );
    if (average) emaUpdate(average, values.subarray(0, trainedSize), optimizer.ema, steps);
    return { loss, gradNorm, metrics };
  }

  const arrays: Weights = {
    ...prefixed("params", params),
    ...prefixed("m", views(trained, moments.m)),
    ...prefixed("v", views(trained, moments.v)),
    ...(average ? prefixed("ema", views(trained, average)) : {}),
  };

  return {
    params,
    ema,
    get steps() {
      return steps;
    },
    step,
    state: () => ({ step: steps, arrays }),
    load(at, get) {
      for (const [name, array] of Object.entries(arrays)) copyInto(array, get(name, array.shape), name);
      steps = at;
    },
    dispose: () => program.dispose(),
  };
}

const number = (array: NdArray): number => (array.data as Float32Array)[0];

const views = (slots: readonly Slot[], flat: Float32Array): Weights =>
  Object.fromEntries(slots.map(({ name, shape, start, end }) => [name, f32(shape, flat.subarray(start, end))]));

const prefixed = (prefix: string, arrays: Weights): Weights =>
  Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${prefix}/${name}`, array]));

function copyInto(to: NdArray<"float32">, from: NdArray, name: string): void {
  if (from.dtype !== "float32" || from.shape.join() !== to.shape.join())
    fail("these weights do not fit the parameter", {
      where: name,
      expected: `float32${showShape(to.shape)}`,
      got: `${from.dtype}${showShape(from.shape)}`,
      code: "BAD_WEIGHTS",
    });
  to.data.set(from.data as Float32Array);
}
