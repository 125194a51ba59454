/** Fields that several requests and answers have. */
import { z } from "zod";

export const text = z
  .string()
  .max(100_000)
  .refine((s) => !/\p{Surrogate}/u.test(s), "broken Unicode: half a surrogate pair");
const size = z
  .string()
  .regex(/^(auto|[1-9]\d{0,4}x[1-9]\d{0,4})$/, 'expected "auto" or WIDTHxHEIGHT such as 256x256')
  .describe("Pixels of the file, WIDTHxHEIGHT. The model draws squares of its own size, which are resized.");
export const seed = z
  .int()
  .min(-(2 ** 48))
  .max(2 ** 48)
  .describe("The same seed gives the same result. Default: random.");
export const outputFormat = z.enum(["png", "jpeg", "webp"]);
const schedule = z.string().regex(/^(cosine|linear|sigmoid|pow(?!0+(\.0+)?$)\d{1,4}(\.\d{1,4})?)$/);
const maskMode = z.enum(["auto", "alpha", "white", "black"]);
const margin = z.int().min(0).max(100_000);
export const imageUrl = z.string().min(1).describe("A data: URL, or http(s) where the server allows remote pictures.");

/** What others have and these models do not: accepted where it changes nothing. */
export const neutral = <T extends number | boolean>(value: T) => z.literal(value).nullish().describe(`Only ${value}.`);

/** How to draw; what is not given comes from the model. These stand at the top level of every drawing request. */
export const drawing = {
  seed: seed.nullish(),
  steps: z.int().min(1).max(1000).nullish().describe("Forward passes."),
  guidance_scale: z
    .number()
    .min(0)
    .max(1000)
    .nullish()
    .describe("Guidance g: logits (1 + g) * asked - g * unasked; 0 asks once."),
  temperature: z.number().min(0).max(1000).nullish().describe("Noise in the choice of the cells drawn again."),
  top_k: z.int().min(1).max(1_000_000).nullish(),
  draft_scales: z.int().min(0).max(32).nullish().describe("Class models: scales that the large drafter decides."),
  n: z.int().min(1).max(10).nullish(),
  size: size.nullish(),
  output_format: outputFormat.nullish(),
  output_compression: z.int().min(0).max(100).nullish().describe("Quality of JPEG and WebP."),
};

export const extensions = { schedule: schedule.nullish(), mask_mode: maskMode.nullish() };
export const margins = {
  left: margin.nullish(),
  right: margin.nullish(),
  up: margin.nullish(),
  down: margin.nullish(),
};
