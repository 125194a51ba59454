/** A state dict that is checked by its header and read tensor by tensor when asked: for weights too large to hold. */
import { readWeights, type Safetensors } from "../files/index.ts";
import { checkNames, type Shapes } from "./weights.ts";

/** Errors: BAD_WEIGHTS for missing, unexpected or misshaped tensors; BAD_FILE, NOT_FOUND. */
export function openWeights(path: string, expected: Shapes, others: readonly string[] = []): Safetensors {
  const file = readWeights(path);
  try {
    const stored = file.names.map((name) => {
      const { dtype, shape } = file.info(name);
      return [name, { shape, float: ["F16", "BF16", "F32", "F64"].includes(dtype) }] as const;
    });
    checkNames(new Map(stored), expected, path, [...others]);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
