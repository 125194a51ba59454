/** Weights in several safetensors files, joined by an index file (`*.safetensors.index.json`) as on the model hub. */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fail } from "../base/index.ts";
import { explain } from "./errno.ts";
import { isZip, readPth } from "./pth.ts";
import { readSafetensors, type Safetensors } from "./safetensors.ts";

/**
 * Opens a safetensors file, a .pth file, or all shards of an index file as one.
 * Errors: as `readSafetensors` and `readPth`; an index that is not JSON, names files outside its folder or tensors a
 * shard lacks.
 */
export const readWeights = (path: string): Safetensors => {
  if (path.endsWith(".index.json")) return readShards(path);
  return isZip(path) ? readPth(path) : readSafetensors(path);
};

function readShards(path: string): Safetensors {
  const place = new Map<string, Safetensors>();
  const shards = new Map<string, Safetensors>();
  const close = () => shards.forEach((shard) => void shard.close());
  try {
    for (const [name, file] of weightMap(path)) {
      const shard = shards.get(file) ?? readSafetensors(join(dirname(path), file));
      shards.set(file, shard);
      if (!shard.has(name)) fail(`${file} lacks the tensor "${name}"`, { where: path, code: "BAD_FILE" });
      place.set(name, shard);
    }
  } catch (error) {
    close();
    throw error;
  }
  const shardOf = (name: string): Safetensors =>
    place.get(name) ?? fail(`there is no tensor "${name}"`, { where: path, code: "NOT_FOUND" });
  return {
    metadata: {},
    names: [...place.keys()],
    has: (name) => place.has(name),
    info: (name) => shardOf(name).info(name),
    get: (name) => shardOf(name).get(name),
    float32: (name) => shardOf(name).float32(name),
    rows: (name, start, end) => shardOf(name).rows(name, start, end),
    close,
  };
}

function weightMap(path: string): [name: string, file: string][] {
  const bad = (got: string, cause?: unknown): never =>
    fail("not an index of weights", {
      where: path,
      code: "BAD_FILE",
      expected: '{"weight_map": {"tensor": "file in the same folder"}}',
      got,
      cause,
    });
  let text = "";
  let index: { weight_map?: unknown } | null = null;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    explain(error, path, "read");
  }
  try {
    index = JSON.parse(text);
  } catch (error) {
    bad("no JSON", error);
  }
  const map = index?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map)) return bad("no weight_map");
  return Object.entries(map).map(([name, file]) =>
    typeof file === "string" && file === basename(file) && !file.startsWith(".")
      ? [name, file]
      : bad(`the file ${JSON.stringify(file)} for "${name}"`),
  );
}
