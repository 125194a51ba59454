/**
 * What clients and the server say to each other over HTTP: requests and responses of OpenAI's image and chat endpoints
 * with the extensions of this server, and its own jobs. Knows no transport and no Node: browsers use it too.
 */
import { z } from "zod";

const text = z
  .string()
  .max(100_000)
  .refine((s) => !/\p{Surrogate}/u.test(s), "broken Unicode: half a surrogate pair");
const size = z
  .string()
  .regex(/^(auto|[1-9]\d{0,4}x[1-9]\d{0,4})$/, 'expected "auto" or WIDTHxHEIGHT such as 256x256')
  .describe("Pixels of the file, WIDTHxHEIGHT. The model draws squares of its own size, which are resized.");
const seed = z
  .int()
  .min(-(2 ** 48))
  .max(2 ** 48)
  .describe("The same seed gives the same result. Default: random.");
const outputFormat = z.enum(["png", "jpeg", "webp"]);
const schedule = z.string().regex(/^(cosine|linear|sigmoid|pow(?!0+(\.0+)?$)\d{1,4}(\.\d{1,4})?)$/);
const maskMode = z.enum(["auto", "alpha", "white", "black"]);
const margin = z.int().min(0).max(100_000);
const imageUrl = z.string().min(1).describe("A data: URL, or http(s) where the server allows remote pictures.");

/** What others have and these models do not: accepted where it changes nothing. */
const neutral = <T extends number | boolean>(value: T) => z.literal(value).nullish().describe(`Only ${value}.`);

/** How to draw; what is not given comes from the model. These stand at the top level of every drawing request. */
const drawing = {
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
  n: z.int().min(1).max(10).nullish(),
  size: size.nullish(),
  output_format: outputFormat.nullish(),
  output_compression: z.int().min(0).max(100).nullish().describe("Quality of JPEG and WebP."),
};

const extensions = { schedule: schedule.nullish(), mask_mode: maskMode.nullish() };
const margins = { left: margin.nullish(), right: margin.nullish(), up: margin.nullish(), down: margin.nullish() };

// ---- images --------------------------------------------------------------------------------------------------------

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

const imageUsage = z.object({
  input_tokens: z.int(),
  output_tokens: z.int(),
  total_tokens: z.int(),
  input_tokens_details: z.object({ text_tokens: z.int(), image_tokens: z.int() }),
});
export type ImageUsage = z.infer<typeof imageUsage>;
const timings = z.record(z.string(), z.number()).describe("Milliseconds by name.");

/** How a picture came about. */
const made = z.object({
  task: z.enum(["generate", "inpaint", "extend"]),
  model: z.string(),
  seed: z.int(),
  steps: z.int(),
  guidance_scale: z.number(),
  temperature: z.number(),
  top_k: z.int().optional(),
  schedule: z.string(),
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

// ---- chat ----------------------------------------------------------------------------------------------------------

const textPart = z.object({ type: z.literal("text"), text });
const imagePart = z.object({
  type: z.literal("image_url"),
  image_url: z.union([
    imageUrl,
    z.object({ url: imageUrl, detail: z.enum(["auto", "low", "high", "original"]).nullish() }),
  ]),
});

export const ChatMessage = z.object({
  role: z.enum(["system", "developer", "user", "assistant"]),
  content: z.union([
    text,
    z
      .array(z.discriminatedUnion("type", [textPart, imagePart]))
      .min(1)
      .max(64),
  ]),
  name: z.string().max(64).nullish(),
});
export type ChatMessage = z.infer<typeof ChatMessage>;

const stop = z.string().min(1).max(256);
export const ChatRequest = z.object({
  model: z.string().max(256).nullish(),
  messages: z.array(ChatMessage).min(1).max(256).describe("The last question and the last picture count."),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: z.int().min(1).max(4096).nullish(),
  max_completion_tokens: z.int().min(1).max(4096).nullish(),
  temperature: z.number().min(0).max(1000).nullish().describe("Default 0: the most likely tokens."),
  top_k: z.int().min(1).max(1_000_000).nullish(),
  seed: seed.nullish(),
  stop: z.union([stop, z.array(stop).max(4)]).nullish(),
  user: z.string().max(512).nullish(),
  n: neutral(1),
  top_p: neutral(1),
  presence_penalty: neutral(0),
  frequency_penalty: neutral(0),
  logprobs: neutral(false),
  tools: z.array(z.never()).nullish().describe("Not supported."),
  response_format: z.object({ type: z.literal("text") }).nullish(),
  fewstep: z
    .strictObject({ decoding: z.enum(["jacobi", "ar"]).nullish(), block: z.int().min(1).max(1024).nullish() })
    .nullish(),
});
export type ChatRequest = z.infer<typeof ChatRequest>;

const chatUsage = z.object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() });
export type ChatUsage = z.infer<typeof chatUsage>;
const finishReason = z.enum(["stop", "length"]);
/** Jacobi decoding settles several tokens in one forward pass. */
const decoded = z.object({ passes: z.int(), tokens: z.int(), seed: z.int(), warnings: z.array(z.string()) });

export const ChatResponse = z.object({
  id: z.string(),
  object: z.literal("chat.completion"),
  created: z.int(),
  model: z.string(),
  choices: z.array(
    z.object({
      index: z.literal(0),
      message: z.object({ role: z.literal("assistant"), content: z.string(), refusal: z.null() }),
      finish_reason: finishReason,
      logprobs: z.null(),
    }),
  ),
  usage: chatUsage,
  fewstep: decoded,
});
export type ChatResponse = z.infer<typeof ChatResponse>;

export const ChatChunk = z.object({
  id: z.string(),
  object: z.literal("chat.completion.chunk"),
  created: z.int(),
  model: z.string(),
  choices: z.array(
    z.object({
      index: z.literal(0),
      delta: z.object({ role: z.literal("assistant").optional(), content: z.string().optional() }),
      finish_reason: finishReason.nullable(),
      logprobs: z.null(),
    }),
  ),
  usage: chatUsage.nullish(),
  fewstep: decoded.optional(),
});
export type ChatChunk = z.infer<typeof ChatChunk>;

// ---- models and errors ---------------------------------------------------------------------------------------------

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

/** What the server and its models can do, for studios. */
export const Capabilities = z.object({
  models: z.array(
    z.object({
      id: z.string(),
      /** Whether its engine runs: it starts with the first request and after a crash. */
      state: z.enum(["stopped", "starting", "ready", "failed"]),
      tasks: z.array(z.enum(["generate", "inpaint", "extend", "describe"])),
      /** Sides of a picture in pixels and in cells; absent until the engine has been ready once. */
      resolution: z.int().optional(),
      grid: z.int().optional(),
      codebook: z.int().optional(),
      defaults: z.object({ steps: z.int(), guidance_scale: z.number(), temperature: z.number().optional() }).optional(),
      question: z.string().optional(),
      max_tokens: z.int().optional(),
      words: z.array(z.string()).optional(),
    }),
  ),
  limits: z.object({ steps: z.int(), n: z.int(), seconds: z.number(), bytes: z.int(), pixels: z.int() }),
  remote_images: z.boolean(),
});
export type Capabilities = z.infer<typeof Capabilities>;

// ---- jobs ----------------------------------------------------------------------------------------------------------

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
  task: z.enum(["generate", "inpaint", "extend", "describe"]),
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
