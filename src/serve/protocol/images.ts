/** OpenAI's image endpoints, with the extensions of this server. */
import { z } from "zod";
import { drawing, extensions, margins, neutral, outputFormat, text } from "./fields.ts";

const imageRequest = {
  model: z.string().max(256).nullish(),
  prompt: text.describe("What to draw; empty draws anything."),
  ...drawing,
  num_inference_steps: drawing.steps,
  stream: z.boolean().nullish(),
  partial_images: z.int().min(0).max(1000).nullish().describe("Steps to show while streaming, spread over all steps."),
  response_format: z.enum(["url", "b64_json"]).nullish().describe('"url" adds a data: URL.'),
  top_p: neutral(1),
  // Of no meaning to these models.
  quality: z.enum(["low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"]).nullish(),
  background: z.enum(["opaque", "auto"]).nullish(),
  moderation: z.string().max(64).nullish(),
  style: z.string().max(64).nullish(),
  user: z.string().max(512).nullish(),
  safety_identifier: z.string().max(512).nullish(),
};

export const ImageGenerationRequest = z.object({
  ...imageRequest,
  fewstep: z.strictObject({ schedule: extensions.schedule }).nullish(),
});
export type ImageGenerationRequest = z.infer<typeof ImageGenerationRequest>;

/** The fields of the multipart form beside its files `image` (or `image[]`) and `mask`. */
export const ImageEditRequest = z.object({
  ...imageRequest,
  input_fidelity: z.string().max(64).nullish(),
  fewstep: z.strictObject({ ...extensions, ...margins }).nullish(),
});
export type ImageEditRequest = z.infer<typeof ImageEditRequest>;

export const imageUsage = z.object({
  input_tokens: z.int(),
  output_tokens: z.int(),
  total_tokens: z.int(),
  input_tokens_details: z.object({ text_tokens: z.int(), image_tokens: z.int() }),
});
export type ImageUsage = z.infer<typeof imageUsage>;
export const timings = z.record(z.string(), z.number()).describe("Milliseconds by name.");

/** How a picture came about. */
export const made = z.object({
  task: z.enum(["generate", "inpaint", "extend"]),
  model: z.string(),
  seed: z.int(),
  steps: z.int(),
  guidance_scale: z.number(),
  temperature: z.number(),
  top_k: z.int().optional(),
  schedule: z.string(),
  draft_scales: z.int().optional(),
});
export type Made = z.infer<typeof made>;

export const ImagesResponse = z.object({
  created: z.int(),
  background: z.literal("opaque"),
  output_format: outputFormat,
  size: z.string(),
  data: z.array(z.object({ b64_json: z.string(), url: z.string().optional(), fewstep: made })),
  usage: imageUsage,
  fewstep: z.object({ timings, warnings: z.array(z.string()) }),
});
export type ImagesResponse = z.infer<typeof ImagesResponse>;

const streamed = {
  b64_json: z.string(),
  created_at: z.int(),
  size: z.string(),
  quality: z.literal("auto"),
  background: z.literal("opaque"),
  output_format: outputFormat,
};

/** A real denoising step: what would be drawn if it were the last one. */
export const PartialImageEvent = z.object({
  type: z.enum(["image_generation.partial_image", "image_edit.partial_image"]),
  partial_image_index: z.int(),
  ...streamed,
  fewstep: z.object({ step: z.int(), total: z.int(), image: z.int() }),
});
export type PartialImageEvent = z.infer<typeof PartialImageEvent>;

export const CompletedImageEvent = z.object({
  type: z.enum(["image_generation.completed", "image_edit.completed"]),
  ...streamed,
  usage: imageUsage,
  fewstep: made.extend({ image: z.int(), timings, warnings: z.array(z.string()) }),
});
export type CompletedImageEvent = z.infer<typeof CompletedImageEvent>;
