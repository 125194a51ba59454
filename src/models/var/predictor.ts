/** A next-scale transformer that has been told what to draw, as a Predictor over codebook ids: what decodeScales asks. */
import { f32, fail, type NdArray } from "../../base/index.ts";
import type { Canvas, Predictor, Span } from "../../decode/index.ts";
import { type FeatureMaps, scaleOffsets } from "../msvq/index.ts";
import { cachedTokens, type VarConfig } from "./config.ts";
import { scaleMask } from "./graph.ts";
import type { VarPrograms } from "./programs.ts";
import { type Smooth, softCodes } from "./smooth.ts";

export interface VarRequest {
  /** Class of each row; `classes` itself is any class. */
  labels: readonly number[];
  /** The rows' picture so far. A drafter and a refiner share one. */
  maps: FeatureMaps;
  /** Guidance of the last scale; it grows from 0 at the first. 0 (default) asks once. */
  guidance?: number;
  /** How many scales it will be asked for, from the first on: a drafter keeps nothing for later ones. Default: all. */
  scales?: number;
  /** Adds mixtures of codes to the picture instead of those drawn. */
  smooth?: Smooth;
}

export interface VarPredictor extends Predictor {
  /** Bytes of keys and values held now. */
  readonly cacheBytes: number;
  release(): void;
}

/**
 * Asked for a scale, it computes what it has not yet seen of the scales before it in one pass: nothing for a model that
 * drew them, the whole prefix for a refiner that takes over. Errors: labels that are no classes, guidance below 0, a
 * canvas of other sizes.
 */
export async function varPredictor(programs: VarPrograms, request: VarRequest): Promise<VarPredictor> {
  const { config } = programs;
  const { labels, maps, guidance = 0, scales = config.sides.length, smooth } = request;
  checkRequest(config, labels, guidance, scales);
  const guided = guidance > 0;
  const offsets = scaleOffsets(config);
  const classes = labels.flatMap((label) => (guided ? [label, config.classes] : [label]));
  const rows = classes.length;
  const conditions = await programs.conditions(classes);
  const mods = f32([rows, 6 * config.depth + 2, config.width]);
  for (const [row, condition] of conditions.entries()) mods.data.set(condition.mods, row * condition.mods.length);
  const cache = new Cache(config, rows, cachedTokens(config, scales));
  let seen = 0;

  /** Tokens of scales `from` ... `to` [R, M, C]. */
  async function tokens(canvas: Canvas, from: number, to: number): Promise<NdArray<"float32">> {
    const length = offsets[to + 1] - offsets[from];
    const { width } = config;
    const x = f32([rows, length, width]);
    if (from === 0) for (const [row, { start }] of conditions.entries()) x.data.set(start, row * length * width);
    for (let scale = Math.max(1, from); scale <= to; scale++) {
      const part = await programs.embed(await maps.input(canvas, scale), scale);
      const size = part.shape[1] * width;
      const at = (offsets[scale] - offsets[from]) * width;
      for (let row = 0; row < rows; row++) {
        const source = guided ? row >> 1 : row;
        x.data.set(part.data.subarray(source * size, (source + 1) * size), row * length * width + at);
      }
    }
    return x;
  }

  return {
    vocab: config.codebookSize,
    get cacheBytes() {
      return cache.bytes;
    },
    async predict(canvas, span, progress) {
      if (canvas.rows !== labels.length)
        fail("the canvas does not fit the request", {
          expected: `${labels.length} rows`,
          got: `${canvas.rows}`,
        });
      const scale = scaleOf(span, offsets);
      if (scale < seen) fail("a scale was asked for again", { hint: "A predictor serves one drawing." });
      if (scale >= scales)
        fail("more scales were asked for than announced", { expected: `${scales}`, got: `${scale + 1}` });
      const from = seen;
      const length = offsets[scale + 1] - offsets[from];
      const own = offsets[scale + 1] - offsets[scale];
      const keep = scale + 1 < scales;
      const masked = scale > from;
      const x = await tokens(canvas, from, scale);
      const run = await programs.pass({ guided, masked, keep, last: masked ? own : undefined });
      const out = await run(
        {
          x,
          mods,
          ...cache.feeds(),
          ...(guided && { guidance: f32([], [guidance * progress]) }),
          ...(masked && { bias: prefixMask(config.sides, offsets[from], offsets[scale + 1]) }),
        },
        keep ? cache.room(length) : {},
      );
      if (keep) cache.length += length;
      seen = keep ? scale + 1 : seen;
      const logits_BTV = out.logits.data as Float32Array;
      if (smooth)
        maps.replace(
          scale,
          softCodes(logits_BTV, {
            ...smooth,
            topK: typeof smooth.topK === "object" ? smooth.topK[scale] : smooth.topK,
            vocab: config.codebookSize,
            progress,
            scale: { start: offsets[scale], length: own },
          }),
        );
      return logits_BTV;
    },
    settle() {},
    release() {
      cache.release();
      seen = 0;
    },
  };
}

function checkRequest(config: VarConfig, labels: readonly number[], guidance: number, scales: number): void {
  const bad = labels.find((label) => !(Number.isInteger(label) && label >= 0 && label <= config.classes));
  if (bad !== undefined)
    fail("no such class", { where: "label", expected: `0 to ${config.classes - 1}`, got: `${bad}` });
  if (!(guidance >= 0 && guidance < Infinity))
    fail("bad guidance", { where: "guidance", expected: "a number of at least 0", got: `${guidance}` });
  if (!(Number.isInteger(scales) && scales >= 1 && scales <= config.sides.length))
    fail("bad number of scales", { where: "scales", expected: `1 to ${config.sides.length}`, got: `${scales}` });
}

function scaleOf({ start, end }: Span, offsets: readonly number[]): number {
  const scale = offsets.indexOf(start);
  if (scale < 0 || offsets[scale + 1] !== end)
    fail("the span is no scale of the model", { got: `${start} to ${end}`, expected: `a range between ${offsets}` });
  return scale;
}

/** Scores of tokens from ... to-1 against all up to to-1 [1, 1, M, T]. */
function prefixMask(sides: readonly number[], from: number, to: number): NdArray<"float32"> {
  const whole = scaleMask(sides, to);
  return f32([1, 1, to - from, to], whole.data.subarray(from * to));
}

/** Keys and values of all layers in buffers that are allocated once, token-major: appending copies nothing else. */
class Cache {
  length = 0;
  private readonly config: VarConfig;
  private readonly rows: number;
  private readonly capacity: number;
  private buffers: Map<string, Float32Array> | undefined;

  constructor(config: VarConfig, rows: number, capacity: number) {
    this.config = config;
    this.rows = rows;
    this.capacity = capacity;
  }

  get bytes(): number {
    return this.buffers ? 2 * this.config.depth * this.capacity * this.tokenSize * 4 : 0;
  }

  private get tokenSize(): number {
    return this.rows * this.config.width;
  }

  private shape(tokens: number): number[] {
    const { heads, width } = this.config;
    return [tokens, this.rows, heads, width / heads];
  }

  private views(name: (part: string) => string, from: number, tokens: number): Record<string, NdArray<"float32">> {
    const views: Record<string, NdArray<"float32">> = {};
    const size = this.tokenSize;
    const empty = new Float32Array(0);
    for (let i = 0; i < this.config.depth; i++)
      for (const part of [`k_${i}`, `v_${i}`]) {
        const buffer = this.buffers?.get(part)?.subarray(from * size, (from + tokens) * size);
        views[name(part)] = f32(this.shape(tokens), buffer ?? empty);
      }
    return views;
  }

  /** What is cached, as inputs. */
  feeds(): Record<string, NdArray<"float32">> {
    return this.views((part) => `past_${part}`, 0, this.length);
  }

  /** Where the next tokens go. */
  room(tokens: number): Record<string, NdArray<"float32">> {
    this.buffers ??= new Map(
      Array.from({ length: this.config.depth }, (_, i) => [`k_${i}`, `v_${i}`])
        .flat()
        .map((part) => [part, new Float32Array(this.capacity * this.tokenSize)]),
    );
    return this.views((part) => part, this.length, tokens);
  }

  release(): void {
    this.buffers = undefined;
    this.length = 0;
  }
}
