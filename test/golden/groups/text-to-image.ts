/** Masked denoising from a prompt: plain, guided, with top-k, into a picture's holes, beyond its edges. */
import { type NdArray, sizeOf } from "fewstep/base";
import {
  argmax,
  type Canvas,
  categorical,
  collect,
  DIRECTIONS,
  decodeMasked,
  extendWindow,
  type Grid,
  type MaskedState,
  probabilities,
  recorded,
  type ScheduleName,
  stitch,
  UNDECIDED,
} from "fewstep/decode";
import { maskToCells, preprocess } from "fewstep/image";
import { gridSide, imagePredictor, textToImageIds } from "fewstep/models/showo";
import { z } from "zod";
import type { Case } from "../case.ts";
import type { Checks } from "../checks.ts";
import type { Folder } from "../folder.ts";
import { canvasFrom, picturesIn, rowsOf } from "../ids.ts";
import { pictureOf } from "./image.ts";
import { checkDecoding } from "./magvit.ts";

const settings = {
  steps: z.int(),
  guidance_scale: z.number(),
  temperature: z.number(),
  schedule: z.string().default("cosine"),
  sampler: z.enum(["argmax", "inverse_cdf"]),
  top_k: z.int().nullish(),
};

interface Request {
  /** One for each row of the canvas. */
  prompts: readonly string[];
  canvas: Canvas;
  /** Field of the re-mask noise; at temperature 0 there is none. */
  uniforms?: string;
}

/** Decodes as the case's parameters say, with its recorded randomness. */
async function draw(c: Case, folder: Folder, request: Request): Promise<MaskedState[]> {
  const { canvas, uniforms = "gumbel_uniforms" } = request;
  const { steps, guidance_scale, temperature, schedule, sampler, top_k } = c.params(settings);
  const noiseOf = (field: string) => recorded(c.rows(field, 2), canvas.slots);
  const prompts = request.prompts.map(folder.tokenizer.encode);
  const model = await imagePredictor(folder.teacher, { prompts, guidance: guidance_scale });
  return collect(
    decodeMasked(model, canvas, {
      passes: steps,
      sample:
        sampler === "argmax" ? argmax : categorical({ noise: noiseOf("sample_uniforms"), topK: top_k ?? undefined }),
      schedule: schedule as ScheduleName,
      temperature,
      noise: c.has(uniforms) ? noiseOf(uniforms) : undefined,
    }),
  );
}

/** Checks the rows that a run starts from: asked and, where they are recorded, unasked. */
function checkRows(c: Case, { config, tokenizer }: Folder, { prompts, canvas }: Request, suffix = ""): void {
  const rows = (texts: readonly string[]) =>
    rowsOf(canvas).flatMap((codes, b) => textToImageIds(config, tokenizer.encode(texts[b]), codes));
  c.check(`input_ids${suffix}`, rows(prompts));
  const unasked = `uncond_input_ids${suffix}`;
  if (c.has(unasked)) c.check(unasked, rows(prompts.map(() => "")));
}

const openCells = ({ ids_BL }: Canvas) => Array.from(ids_BL, (id) => id === UNDECIDED);

function checkStates(c: Case, { config, tokenizer }: Folder, prompts: readonly string[], run: MaskedState[]): void {
  const sequences = (canvas: Canvas) =>
    rowsOf(canvas).flatMap((codes, b) => textToImageIds(config, tokenizer.encode(prompts[b]), codes));
  c.check("states", [...run.map(({ seen }) => seen), run.at(-1)!.remasked].flatMap(sequences));
  c.check(
    "masked",
    run.flatMap(({ remasked }) => openCells(remasked)),
  );
  c.check("final_ids", run.at(-1)!.canvas.ids_BL);
}

/** What a run records of each step. */
const STEP_FIELDS: Readonly<Record<string, (state: MaskedState) => ArrayLike<number>>> = {
  step_ids: ({ sampled }) => sampled.ids_BL,
  selected_probs: ({ sureness_BL }) => sureness_BL,
  confidence: ({ score_BL }) => score_BL,
  mask_len: ({ maskLength_B }) => maskLength_B,
  temperatures: ({ temperature }) => [temperature],
};

async function checkLoop(c: Case, folder: Folder): Promise<void> {
  const { config } = folder;
  const { prompts } = c.params({ prompts: z.array(z.string()) });
  const request = { prompts, canvas: canvasFrom(picturesIn(config, c.rows("input_ids"))) };
  checkRows(c, folder, request);
  const run = await draw(c, folder, request);
  checkStates(c, folder, prompts, run);
  for (const [field, of] of Object.entries(STEP_FIELDS))
    c.check(
      field,
      run.flatMap((state) => Array.from(of(state))),
    );
  const whole = { probs_first_step: run[0], probs_last_step: run.at(-1)! };
  for (const [field, state] of Object.entries(whole))
    if (c.has(field)) c.check(field, probabilities(state.logits_BTV, config.codebookSize));
}

/** Checks what holds for every row of a batch and may be recorded once for each. */
function checkForAll(c: Case, field: string, { data }: { data: NdArray["data"] }): void {
  const size = sizeOf(c.get(field).shape);
  c.check(
    field,
    Array.from({ length: size }, (_, i) => Number(data[i % data.length])),
  );
}

/** Ids of a recorded picture, preprocessed and encoded. */
async function encodePicture(c: Case, { magvit }: Folder): Promise<Int32Array> {
  const pixels = preprocess(pictureOf(c, "rgb"), magvit.config.resolution);
  if (c.has("pixels_in")) checkForAll(c, "pixels_in", pixels);
  const ids = await magvit.encode(pixels);
  checkForAll(c, "source_ids", { data: ids });
  return ids;
}

async function checkInpainting(c: Case, folder: Folder): Promise<void> {
  const { config, magvit } = folder;
  const { prompt, batch_size } = c.params({ prompt: z.string(), batch_size: z.int() });
  const source = await encodePicture(c, folder);
  const holes = maskToCells(pictureOf(c, "mask_u8"), gridSide(config), magvit.config.resolution);
  checkForAll(c, "token_mask", holes);
  const cells = Array.from(source, (id, cell) => (holes.data[cell] ? UNDECIDED : id));
  const prompts = Array.from({ length: batch_size }, () => prompt);
  const request = { prompts, canvas: canvasFrom(prompts.map(() => cells)) };
  checkRows(c, folder, request);
  checkStates(c, folder, prompts, await draw(c, folder, request));
}

async function checkExtension(c: Case, folder: Folder): Promise<void> {
  const { prompt, directions, offset, final_grid } = c.params({
    prompt: z.string(),
    directions: z.array(z.enum(DIRECTIONS)),
    offset: z.int(),
    final_grid: z.array(z.int()),
  });
  if (c.has("rgb")) await encodePicture(c, folder);
  const side = gridSide(folder.config);
  let grid: Grid = { height: side, width: side, ids: Int32Array.from(c.numbers("source_ids")) };
  for (const [round, direction] of directions.entries()) {
    const canvas = extendWindow(grid, direction, side, offset);
    const request = { prompts: [prompt], canvas, uniforms: `gumbel_uniforms_${round}` };
    checkRows(c, folder, request, `_${round}`);
    const run = await draw(c, folder, request);
    const window = run.at(-1)!.canvas;
    c.check(
      `masked_${round}`,
      run.flatMap(({ remasked }) => openCells(remasked)),
    );
    c.check(`final_ids_${round}`, window.ids_BL);
    grid = stitch(grid, direction, window, offset);
  }
  c.expect("final_grid", [grid.height, grid.width].join(), final_grid.join());
  c.check("decode_ids", grid.ids);
  if (c.has("decoded")) await checkDecoding(c, folder.magvit, "decode_ids", "decoded");
}

export const textToImage: Checks = {
  t2i_: checkLoop,
  turbo_: checkLoop,
  inpaint_: checkInpainting,
  extrapolate_: checkExtension,
};
