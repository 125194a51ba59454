/**
 * A detector as a folder: detector.json (sizes, names, thresholds), detector.safetensors (float16), README.md. Not
 * config.json, so that nobody takes it for a model that draws.
 */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { fail } from "../../base/index.ts";
import { writeAtomic, writeJson, writeSafetensors } from "../../files/index.ts";
import { Graph } from "../../graph/index.ts";
import type { Host } from "../../runtime/index.ts";
import { checkFinite, checkNames, readStateDict, type Shapes, type StateDict } from "../weights.ts";
import { type DetectorConfig, detectorGrid } from "./config.ts";
import { detectorGraph } from "./graph.ts";
import { type DetectorPrograms, detectorPrograms } from "./programs.ts";

/** Scores from which an object counts, set on pictures that are used for nothing else. */
export interface Thresholds {
  /** Where a picture is asked to show something. */
  present: number;
  /** Where objects are counted. */
  counted: number;
}

export interface Detector extends DetectorPrograms {
  readonly thresholds: Thresholds;
  /** Name of the domain that it was trained on. */
  readonly domain: string;
}

// The weights lie in the package root, three folders up from src/models/detector and from dist/models/detector alike.
const inPackage = (name: string) => fileURLToPath(new URL(`../../../weights/${name}/`, import.meta.url));
/** Folders of the package's detectors: of several objects in any of their colours, and of one large object. */
export const DETECTORS = { scenes: inPackage("detector"), objects: inPackage("detector-objects") };

const FILES = { settings: "detector.json", weights: "detector.safetensors", card: "README.md" };

const size = z.int().min(1).max(4096);
const count = z.int().min(0).max(100);
const score = z.number().min(0).max(1);
const names = z.array(z.string().min(1)).min(1).max(10000);
const settings = z.strictObject({
  config: z.strictObject({
    model: z.literal("detector"),
    resolution: size,
    patch: size,
    width: size,
    deepWidth: size,
    blocks: z.tuple([count, count]),
    deepBlocks: count,
    groups: size,
    classes: names,
    colors: names,
  }),
  thresholds: z.strictObject({ present: score, counted: score }),
  domain: z.string(),
});

/** Names and shapes of its parameters. */
export function detectorParameters(config: DetectorConfig): Shapes {
  const graph = new Graph();
  detectorGraph(graph.input("pixels", "float32", [1, 3, config.resolution, config.resolution]), config);
  return new Map([...graph.params].map(([name, { tensor }]) => [name, tensor.shape as readonly number[]]));
}

/** The detector of scenes, or the one in a folder. Errors: NOT_FOUND; BAD_FILE; BAD_WEIGHTS naming the tensors. */
export async function loadDetector(folder: string = DETECTORS.scenes, host?: Host): Promise<Detector> {
  const path = join(folder, FILES.settings);
  const { config, thresholds, domain } = readSettings(path);
  if (!Number.isInteger(detectorGrid(config) / 2) || config.width % config.groups || config.deepWidth % config.groups)
    fail("the sizes of this detector contradict each other", { where: path, code: "BAD_FILE" });
  const weights = await readStateDict(join(folder, FILES.weights), detectorParameters(config));
  return { ...detectorPrograms(config, (name) => weights.get(name), host), thresholds, domain };
}

function readSettings(path: string): z.infer<typeof settings> {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const code = cause instanceof SyntaxError ? "BAD_FILE" : "NOT_FOUND";
    fail("the settings of the detector cannot be read", { where: path, code, got: (cause as Error).message, cause });
  }
  const parsed = settings.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path: at, message } = parsed.error.issues[0];
  return fail("these are not the settings of a detector", {
    where: [path, ...at].join(", "),
    code: "BAD_FILE",
    got: message,
  });
}

export interface DetectorParts {
  config: DetectorConfig;
  thresholds: Thresholds;
  domain: string;
  weights: StateDict;
  /** Markdown. */
  card: string;
}

/** Writes the folder of a detector, the settings last. Errors: what `loadDetector` would refuse. */
export async function saveDetector(folder: string, { weights, card, ...about }: DetectorParts): Promise<void> {
  const shapes = detectorParameters(about.config);
  checkNames(new Map([...weights].map(([name, { shape }]) => [name, { shape, float: true }])), shapes, "detector");
  for (const name of shapes.keys()) checkFinite(name, weights.get(name)!, "detector");
  await mkdir(folder, { recursive: true });
  const tensors = Object.fromEntries([...shapes.keys()].map((name) => [name, weights.get(name)!]));
  await writeSafetensors(join(folder, FILES.weights), tensors, { format: "pt" }, { dtype: "float16" });
  await writeAtomic(join(folder, FILES.card), card);
  await writeJson(join(folder, FILES.settings), settings.parse(about));
}
