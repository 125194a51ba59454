/** What models there are, what they can do, and what went wrong. */
import { z } from "zod";

const model = { id: z.string(), object: z.literal("model"), created: z.int() };
export const ModelCard = z.object({ ...model, owned_by: z.literal("fewstep") });
export const ModelList = z.object({ object: z.literal("list"), data: z.array(ModelCard) });

export const ErrorResponse = z.object({
  error: z.object({
    message: z.string(),
    type: z.enum([
      "invalid_request_error",
      "authentication_error",
      "permission_error",
      "not_found_error",
      "rate_limit_error",
      "server_error",
    ]),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});
export type ErrorResponse = z.infer<typeof ErrorResponse>;

/** What there is to do. A model that draws classes does the first alone. */
export const TASKS = ["generate", "inpaint", "extend", "describe"] as const;
export type Task = (typeof TASKS)[number];

/** What the server and its models can do, for studios. */
export const Capabilities = z.object({
  models: z.array(
    z.object({
      id: z.string(),
      /** Whether its engine runs: it starts with the first request and after a crash. */
      state: z.enum(["stopped", "starting", "ready", "failed"]),
      tasks: z.array(z.enum(TASKS)),
      /** Sides of a picture in pixels and in cells; absent until the engine has been ready once. */
      resolution: z.int().optional(),
      grid: z.int().optional(),
      codebook: z.int().optional(),
      defaults: z
        .object({
          steps: z.int(),
          guidance_scale: z.number(),
          temperature: z.number().optional(),
          draft_scales: z.int().optional(),
        })
        .optional(),
      question: z.string().optional(),
      max_tokens: z.int().optional(),
      words: z.array(z.string()).optional(),
      classes: z.array(z.string()).optional().describe("What a model draws that takes no sentences."),
    }),
  ),
  limits: z.object({ steps: z.int(), n: z.int(), seconds: z.number(), bytes: z.int(), pixels: z.int() }),
  remote_images: z.boolean(),
});
export type Capabilities = z.infer<typeof Capabilities>;
