/** OpenAI's chat endpoint: questions about pictures, and their answers. */
import { z } from "zod";
import { imageUrl, neutral, seed, text } from "./fields.ts";

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

export const chatUsage = z.object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() });
export type ChatUsage = z.infer<typeof chatUsage>;
export const finishReason = z.enum(["stop", "length"]);
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
