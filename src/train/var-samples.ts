/** Pictures that a model under training draws: one of each class, in rows. */

import { blank, decodeScales, finish, likely, seeded, squareScales } from "../decode/index.ts";
import { writeAtomic } from "../files/index.ts";
import { encodePicture, postprocess, sheet } from "../image/index.ts";
import { featureMaps, type MsvqPrograms, tokenCount } from "../models/msvq/index.ts";
import { type VarConfig, varPredictor, varPrograms } from "../models/var/index.ts";
import type { Arrays } from "../runtime/index.ts";
import type { LabelledSource } from "./labelled.ts";

const MOST = 32;

/** `scales`: how many the model has learnt; finer ones are not drawn. */
export async function drawClasses(
  { config, weights, scales = config.sides.length }: { config: VarConfig; weights: Arrays; scales?: number },
  tokenizer: MsvqPrograms,
  source: LabelledSource,
  path: string,
): Promise<void> {
  const step = Math.max(1, Math.floor(source.classes.length / MOST));
  const labels = Array.from({ length: Math.min(MOST, source.classes.length) }, (_, i) => i * step);
  const programs = varPrograms(config, (name) => weights[name]);
  const maps = featureMaps(tokenizer, labels.length);
  const predictor = await varPredictor(programs, { labels, maps, scales, guidance: 1 });
  const sample = likely({ noise: seeded(1, "sample"), topP: 0.95 });
  const canvas = blank(labels.length, tokenCount(config));
  const last = await finish(
    decodeScales(predictor, canvas, {
      scales: squareScales(config.sides).slice(0, scales),
      total: config.sides.length,
      sample,
    }),
  );
  const pictures = postprocess(await tokenizer.decode(await maps.after(last.canvas, scales)));
  await programs.dispose();
  const captions = labels.map((label) => source.classes[label]);
  await writeAtomic(path, await encodePicture(sheet(pictures, { columns: 8, gap: 2, captions }), "png"));
}
