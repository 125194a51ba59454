/** The tokenizer and the pieces that networks are made of. */
import { f32, i64, type NdArray } from "fewstep/base";
import { gelu, layerNormalization } from "fewstep/graph";
import {
  attentionBlock,
  decodeMap,
  downsample,
  encodePixels,
  latentOf,
  latentSide,
  MSVQ_PRESETS,
  msvqParameters,
  msvqPrograms,
  pictureSide,
  postQuantConv,
  quantConv,
  quantize,
  quantizerTraining,
  type ResampleMode,
  resample,
  scaleOffsets,
} from "fewstep/models/msvq";
import { teacherForced, unitLength, varConfig, varParameters } from "fewstep/models/var";
import { groupNorm } from "fewstep/nn";
import { z } from "zod";
import type { VarChecks } from "./checks.ts";
import { msvqConfigOf, type Weights } from "./folder.ts";
import { checkGraph, evaluate, item, pool4 } from "./graphs.ts";
import { proceduralTensor, uniforms } from "./procedural.ts";

const weightsOf =
  (seed: number) =>
  (shapes: ReadonlyMap<string, readonly number[]>): Weights =>
  (name) => {
    const shape = shapes.get(name);
    return shape && proceduralTensor(name, shape, seed);
  };

export const networks: VarChecks = {
  async primitives(c) {
    const { groups, eps } = z.object({ groups: z.int(), eps: z.number() }).parse(c.entry.params);
    const names = ["in.group_norm", "in.layer_norm", "in.gelu", "in.normalize", "in.attn_block", "in.downsample"];
    await checkGraph(
      c,
      Object.fromEntries(names.map((name) => [name, c.get(name)])),
      (x) => {
        const [norm, layer, curve, vectors, attended, large] = names.map((name) => x[name]);
        const { graph } = norm;
        const width = Number(layer.shape.at(-1));
        const ones = graph.constant(f32([width], new Float32Array(width).fill(1)));
        return {
          "out.group_norm": graph.scope("in.group_norm", () => groupNorm(norm, groups, eps)),
          "out.layer_norm": layerNormalization(layer, ones, undefined, eps),
          "out.gelu": gelu(curve),
          "out.normalize": unitLength(vectors),
          "out.attn_block": graph.scope("in.attn_block", () => attentionBlock(attended, { groups, eps })),
          "out.downsample": graph.scope("in.downsample.conv", () => downsample(large)),
        };
      },
      (name) => c.get(name),
    );
  },

  async interp(c) {
    const settings = z
      .record(z.string(), z.object({ mode: z.string(), size: z.array(z.int()).length(2) }))
      .parse(c.entry.params);
    await checkGraph(c, Object.fromEntries(c.entry.inputs.map((name) => [name, c.get(name)])), (x) =>
      Object.fromEntries(
        Object.entries(settings).map(
          ([
            name,
            {
              mode,
              size: [height, width],
            },
          ]) => [`out.${name}`, resample(x[`in.${name}`], mode as ResampleMode, height, width)],
        ),
      ),
    );
  },

  async vqvae(c, folder) {
    const { config, weights, programs } = folder.vae(c.entry.weights.vae);
    const pixels = c.get("in.image");
    const { ids, inputs, fHats } = await programs.encode(pixels);
    c.check("out.idx", ids);
    c.check("out.var_input", inputs);
    c.check("out.f_hat", fHats);
    const [scales, ...map] = fHats.shape;
    const size = fHats.data.length / scales;
    const of = (scale: number) => f32(map, fHats.data.subarray(scale * size, (scale + 1) * size));
    const last = of(scales - 1);
    c.check("out.image", await programs.decode(last));
    c.check("out.image_scale0_pool4", pool4(await programs.decode(item(of(0), 0))));
    await checkGraph(
      c,
      { pixels, last, first: item(last, 0) },
      (x) => {
        const encoded = encodePixels(x.pixels, config);
        const drawn = decodeMap(postQuantConv(x.first, config), config);
        return {
          "out.encoder": encoded,
          "out.latent": quantConv(encoded, config),
          "out.post_quant": postQuantConv(x.last, config),
          "out.decoder_raw": drawn,
        };
      },
      weights,
    );
  },

  async quantizer(c, folder) {
    const { config, weights, programs } = folder.vae(c.entry.weights.vae);
    if (c.entry.inputs.includes("in.latent")) {
      await checkGraph(
        c,
        { f: c.get("in.latent") },
        ({ f }) => {
          const { straight, loss } = quantizerTraining(f, quantize(f, config));
          return { "out.f_hat": straight, "out.vq_loss": loss };
        },
        weights,
      );
      return;
    }
    const ids = c.get("in.idx");
    const [batch, length] = ids.shape;
    const offsets = scaleOffsets(config);
    const side = latentSide(config);
    let fHat = f32([batch, config.zChannels, side, side]);
    for (const [scale, p] of config.sides.entries()) {
      const own = Array.from({ length: batch }, (_, b) =>
        Array.from(ids.data.slice(b * length + offsets[scale], b * length + offsets[scale + 1])),
      ).flat();
      const codes = f32([batch, p * p, config.zChannels], programs.codes(own));
      const step = await programs.addScale(scale, fHat, codes);
      fHat = step.fHat;
      c.check(`out.f_hat_${scale}`, fHat);
      c.check(`out.next_${scale}`, step.next ? mapsOf(step.next, config.sides[scale + 1]) : fHat);
    }
  },

  async vqvae_procedural(c) {
    const { seed, config: json } = z
      .object({ seed: z.int(), config: z.record(z.string(), z.unknown()) })
      .parse(c.entry.params);
    const config = msvqConfigOf(json);
    const weights = weightsOf(seed)(msvqParameters(config));
    const programs = msvqPrograms(config, weights);
    const side = pictureSide(config);
    const pixels = uniforms("image", [1, 3, side, side], seed);
    const { ids, fHats } = await programs.encode(pixels);
    c.check("out.idx", ids);
    const scales = fHats.shape[0];
    const last = fHats.data.subarray((fHats.data.length / scales) * (scales - 1));
    c.check("out.image", await programs.decode(f32(fHats.shape.slice(1), last)));
    await checkGraph(c, { pixels }, (x) => ({ "out.latent": latentOf(x.pixels, config) }), weights);
    await programs.dispose();
  },

  async vqvae_procedural_slow(c) {
    const { seed, f_hat_shape: shape } = z
      .object({ seed: z.int(), f_hat_shape: z.array(z.int()) })
      .parse(c.entry.params);
    const config = MSVQ_PRESETS.vae;
    await checkGraph(
      c,
      { fHat: uniforms("f_hat", shape, seed, 2) },
      (x) => ({ "out.decoder_raw": decodeMap(postQuantConv(x.fHat, config), config) }),
      weightsOf(seed)(msvqParameters(config)),
    );
  },

  async var_forward_procedural_slow(c) {
    const params = z
      .object({ seed: z.int(), label: z.int(), depth: z.int(), num_tokens: z.int() })
      .parse(c.entry.params);
    const config = varConfig(params.depth);
    const length = params.num_tokens;
    const { logits } = await evaluate(
      {
        labels: i64([1], [params.label]),
        inputs: uniforms("var_input", [1, length - 1, config.zChannels], params.seed),
      },
      ({ labels, inputs }) => ({ logits: teacherForced(config, { labels, inputs, length }) }),
      weightsOf(params.seed)(varParameters(config)),
    );
    const rows = Array.from({ length }, (_, i) =>
      (logits.data as Float32Array).subarray(i * config.codebookSize, (i + 1) * config.codebookSize),
    );
    c.check(
      "out.logits_head",
      rows.flatMap((row) => [...row.subarray(0, 256)]),
    );
    const best = rows.map((row) => [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, 5));
    c.check(
      "out.top1",
      best.map(([first]) => first),
    );
    c.check(
      "out.top5_logits",
      best.flatMap((ids, i) => ids.map((id) => rows[i][id])),
    );
    c.check(
      "out.logsumexp",
      rows.map((row, i) => {
        const max = row[best[i][0]];
        return max + Math.log(row.reduce((sum, x) => sum + Math.exp(x - max), 0));
      }),
    );
  },
};

/** Tokens [B, p*p, Z] as maps [B, Z, p, p]. */
function mapsOf({ shape, data }: NdArray<"float32">, side: number): NdArray<"float32"> {
  const [batch, cells, width] = shape;
  const out = f32([batch, width, side, side]);
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < cells; i++)
      for (let z = 0; z < width; z++) out.data[(b * width + z) * cells + i] = data[(b * cells + i) * width + z];
  return out;
}
