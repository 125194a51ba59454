/** A page has no file errors to explain. */
export function explain(error: unknown): never {
  throw error;
}
