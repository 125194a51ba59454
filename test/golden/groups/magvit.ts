/** The picture tokenizer: encoding, ids, decoding, its codebook and the quantiser's losses. */

import type { NdArray } from "fewstep/base";
import { Graph, type Tensor } from "fewstep/graph";
import {
  codebook,
  downsampling,
  encodePixels,
  type MagvitConfig,
  type MagvitPrograms,
  powers,
  quantize,
  quantizerLosses,
  tokenIds,
} from "fewstep/models/magvit";
import { compile } from "fewstep/runtime";
import { z } from "zod";
import type { Case } from "../case.ts";
import type { Checks } from "../checks.ts";

type Weights = (name: string) => NdArray | undefined;

/** Runs what `build` makes of one recorded input, and checks its outputs by name. */
async function checkGraph(c: Case, input: string, build: (x: Tensor) => Record<string, Tensor>, weights?: Weights) {
  const graph = new Graph();
  const value = c.get(input);
  for (const [name, tensor] of Object.entries(build(graph.input(input, "float32", value.shape))))
    graph.output(name, tensor);
  const program = await compile(graph, { weights });
  const out = await program.run({ [input]: value });
  for (const name of program.outputs) if (c.has(name)) c.check(name, out[name]);
  await program.dispose();
}

/** Latents, codes and ids of recorded pixels. */
export const checkEncoding = (c: Case, config: MagvitConfig, weights: Weights) =>
  checkGraph(
    c,
    "pixels",
    (pixels) => {
      const z = encodePixels(pixels, config);
      return { z, ids: tokenIds(z), quantised: quantize(z) };
    },
    weights,
  );

/** Pictures of recorded ids, as long as a case has them. */
export async function checkDecoding(c: Case, magvit: MagvitPrograms, ids: string, pixels: string): Promise<void> {
  const [height, width] = c
    .get(pixels)
    .shape.slice(-2)
    .map((side) => side / downsampling(magvit.config));
  const pictures: number[] = [];
  for (const row of c.rows(ids)) {
    const { data } = await magvit.decode(Int32Array.from(row), height, width);
    for (const x of data) pictures.push(x);
  }
  c.check(pixels, pictures);
}

export const magvit: Checks = {
  magvit_encode: (c, { magvitConfig, weights }) => checkEncoding(c, magvitConfig, weights("magvit")),

  magvit_decode: (c, folder) => checkDecoding(c, folder.magvit, "ids", "pixels"),

  lfq_table(c) {
    const { bits } = c.params({ bits: z.int() });
    c.check("embedding", codebook(bits));
    c.check("power_vals", powers(bits));
  },

  lfq_losses(c) {
    const params = c.params({ beta: z.number(), entropy_multiplier: z.number(), commit_loss_multiplier: z.number() });
    const settings = {
      beta: params.beta,
      weight: params.commit_loss_multiplier,
      entropyWeight: params.entropy_multiplier,
    };
    return checkGraph(c, "z", (latent) => {
      const { commitment, entropy } = quantizerLosses(latent, settings);
      return { quantizer_loss: commitment, entropy_loss: entropy };
    });
  },
};
