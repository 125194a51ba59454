/** Jobs of this server: drawings and descriptions that tell every step. */
import { z } from "zod";
import { ChatRequest, chatUsage, finishReason } from "./chat.ts";
import { drawing, extensions, imageUrl, margins, outputFormat, text } from "./fields.ts";
import { imageUsage, made, timings } from "./images.ts";
import { ErrorResponse, TASKS } from "./models.ts";

const drawJob = {
  model: z.string().max(256).nullish(),
  prompt: text.nullish(),
  ...drawing,
  schedule: extensions.schedule,
  preview: z.int().min(0).max(1000).nullish().describe("Steps to show as pictures, spread over all steps."),
  cells: z.boolean().nullish().describe("Whether step events carry tokens, open cells and confidence."),
};

export const JobRequest = z.discriminatedUnion("task", [
  z.object({ task: z.literal("generate"), ...drawJob, prompt: text }),
  z.object({
    task: z.literal("inpaint"),
    ...drawJob,
    image: imageUrl,
    mask: imageUrl.nullish().describe("Without one, the transparent parts of the picture are drawn."),
    mask_mode: extensions.mask_mode,
  }),
  z.object({ task: z.literal("extend"), ...drawJob, image: imageUrl, ...margins }),
  z.object({
    task: z.literal("describe"),
    model: drawJob.model,
    image: imageUrl,
    question: text.nullish(),
    decoding: z.enum(["jacobi", "ar"]).nullish(),
    block: z.int().min(1).max(1024).nullish(),
    temperature: ChatRequest.shape.temperature,
    top_k: drawing.top_k,
    seed: drawing.seed,
    max_tokens: ChatRequest.shape.max_tokens,
  }),
]);
export type JobRequest = z.infer<typeof JobRequest>;

/** The cells of one picture in one step, row by row. */
const cells = z.object({
  tokens: z.array(z.int()).describe("Codebook ids: what is drawn if this is the last step."),
  mask: z.array(z.int()).describe("1 where the cell is still open."),
  confidence: z.array(z.number()).describe("Probability that the model gave each id; 1 where it was known."),
});

const jobImage = z.object({ b64_json: z.string(), width: z.int(), height: z.int(), fewstep: made });
export type JobImage = z.infer<typeof jobImage>;

export const JobResult = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("images"),
    images: z.array(jobImage),
    output_format: outputFormat,
    usage: imageUsage,
    timings,
    warnings: z.array(z.string()),
  }),
  z.object({
    kind: z.literal("text"),
    text: z.string(),
    question: z.string(),
    tokens: z.int(),
    passes: z.int(),
    finish: finishReason,
    seed: z.int(),
    usage: chatUsage,
    timings,
    warnings: z.array(z.string()),
  }),
]);
export type JobResult = z.infer<typeof JobResult>;

/** Events of a job; the SSE event name is `type`, the SSE id counts up, so that a stream can be taken up again. */
export const JobEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("queued"), position: z.int().describe("How many are served before; 0 is next.") }),
  z.object({ type: z.literal("started") }),
  z.object({
    type: z.literal("step"),
    index: z.int(),
    total: z.int(),
    grid: z.object({ height: z.int(), width: z.int() }),
    images: z.array(cells).optional(),
  }),
  z.object({
    type: z.literal("partial"),
    index: z.int(),
    total: z.int(),
    image: z.int(),
    width: z.int(),
    height: z.int(),
    b64_json: z.string(),
  }),
  z.object({
    type: z.literal("text"),
    delta: z.string(),
    draft: z.string().describe("What the model guesses comes next; may still change."),
    pass: z.int(),
    tokens: z.int(),
  }),
  z.object({ type: z.literal("done"), result: JobResult }),
  z.object({ type: z.literal("error"), error: ErrorResponse.shape.error }),
  z.object({ type: z.literal("cancelled") }),
]);
export type JobEvent = z.infer<typeof JobEvent>;

export const Job = z.object({
  id: z.string(),
  task: z.enum(TASKS),
  model: z.string(),
  status: z.enum(["queued", "running", "done", "error", "cancelled"]),
  queue_position: z.int().nullable(),
  created: z.int(),
  poll_url: z.string(),
  events_url: z.string(),
  result: JobResult.optional(),
  error: ErrorResponse.shape.error.optional(),
});
export type Job = z.infer<typeof Job>;
