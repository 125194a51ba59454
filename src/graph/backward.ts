/** Reverse-mode differentiation: adds to a graph the nodes that compute the gradients of a scalar. */
import { f32, fail, internal } from "../base/index.ts";
import { opDef } from "./apply.ts";
import { type Node, showShape, showType, type Tensor } from "./graph.ts";
import { add } from "./ops/index.ts";
import { readers } from "./table.ts";

/**
 * Gradients of the scalar `loss` with respect to each tensor of `wrt`, as tensors of the same shapes in the same graph.
 * Fails where an op without a gradient lies between them, naming the op, its layer and who used it.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  const graph = loss.graph;
  if (loss.dtype !== "float32" || loss.shape.some((d) => d !== 1))
    fail("only a float32 scalar has gradients", {
      where: showNode(loss.node),
      expected: "float32[]",
      got: showType(loss),
      hint: "Take the mean or the sum first.",
      code: "BAD_GRAPH",
    });
  const forward = graph.reachable([loss]);
  const wanted = tensorsOnTheWay(forward, wrt);
  const grads = new Map<Tensor, Tensor>([[loss, graph.constant(f32(loss.shape as number[], [1]))]]);

  for (const node of forward.toReversed()) {
    if (!node.inputs.some((t) => t && wanted.has(t))) continue;
    const incoming = node.outputs.map((t) => grads.get(t));
    if (!incoming.some((g) => g)) continue;
    graph.scope(node.layer ? `grad(${node.layer})` : "grad", () => {
      for (const [i, g] of nodeGradients(node, incoming, wanted, forward).entries()) {
        const input = node.inputs[i];
        if (!g || !input || !wanted.has(input)) continue;
        if (g.shape.join() !== input.shape.join())
          internal(`gradient of ${node.op} input ${i} is ${showShape(g.shape)}, not ${showShape(input.shape)}`);
        const before = grads.get(input);
        grads.set(input, before ? add(before, g) : g);
      }
    });
  }
  return wrt.map(
    (t) =>
      grads.get(t) ??
      fail(`the loss does not depend on "${t.name}" in a way that has gradients`, {
        where: showNode(t.node),
        code: "BAD_GRAPH",
      }),
  );
}

/** "Softmax in decoder.attention". */
const showNode = (node: Node | undefined) => node && (node.layer ? `${node.op} in ${node.layer}` : node.op);

/** Tensors between the wanted ones and the loss: those whose gradient is needed. */
function tensorsOnTheWay(forward: readonly Node[], wrt: readonly Tensor[]): Set<Tensor> {
  const wanted = new Set(wrt);
  for (const node of forward) {
    if (opDef(node.op).flat) continue;
    if (node.inputs.some((t) => t && wanted.has(t))) for (const t of node.outputs) wanted.add(t);
  }
  return wanted;
}

function nodeGradients(node: Node, grads: (Tensor | undefined)[], wanted: Set<Tensor>, forward: readonly Node[]) {
  const rule = opDef(node.op).gradient;
  if (!rule) {
    const user = forward.find((n) => n.inputs.some((t) => t && node.outputs.includes(t)));
    fail(`${node.op} has no gradient`, {
      where: node.layer,
      got: `${showType(node.outputs[0])}, used by ${showNode(user) ?? "the loss"}`,
      hint: "Stop the gradient before it, or ask for gradients of other tensors.",
      code: "BAD_GRAPH",
    });
  }
  const { inputs, outputs, attributes, layer } = node;
  const read = readers(`the gradient of ${node.op}`, layer, inputs, attributes);
  const result = rule({
    graph: outputs[0].graph,
    inputs: inputs as readonly Tensor[],
    outputs,
    attributes,
    grads,
    wants: (i) => inputs[i] !== undefined && wanted.has(inputs[i]),
    ...read,
  });
  return Array.isArray(result) ? (result as readonly (Tensor | undefined)[]) : [result as Tensor];
}
