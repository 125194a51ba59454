/** LanguageModelV3 of the AI SDK: answers about a picture, streamed as they settle. */
import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3FilePart,
  LanguageModelV3FinishReason,
  LanguageModelV3Message,
  LanguageModelV3StreamPart,
  LanguageModelV3TextPart,
  LanguageModelV3Usage,
  SharedV3Warning,
} from "@ai-sdk/provider";
import type { ChatChunk, ChatResponse, ChatUsage } from "../serve/protocol.ts";
import { sseData } from "./sse-data.ts";
import { sdkError, type Transport } from "./transport.ts";

/** `providerOptions.fewstep`: decoding (jacobi or ar) and block. Errors: APICallError with what the server says. */
export function languageModel(modelId: string, transport: Transport): LanguageModelV3 {
  const ask = (options: LanguageModelV3CallOptions, stream: boolean) => {
    const { body, warnings } = requestOf(modelId, options);
    const more = stream ? { stream, stream_options: { include_usage: true } } : {};
    const { headers, abortSignal: signal } = options;
    const response = transport.ask({ path: "/chat/completions", body: { ...body, ...more }, headers, signal });
    return { response, warnings, body };
  };
  return {
    specificationVersion: "v3",
    provider: "fewstep.chat",
    modelId,
    supportedUrls: {},
    async doGenerate(options) {
      const { response, warnings, body } = ask(options, false);
      const answer = (await (await response).json()) as ChatResponse;
      const [{ message, finish_reason }] = answer.choices;
      const { passes, tokens, seed } = answer.fewstep;
      return {
        content: [{ type: "text", text: message.content }],
        finishReason: finishOf(finish_reason),
        usage: usageOf(answer.usage),
        providerMetadata: { fewstep: { passes, tokens, seed } },
        warnings: [...warnings, ...othersOf(answer.fewstep.warnings)],
        request: { body },
        response: { id: answer.id, timestamp: new Date(answer.created * 1000), modelId },
      };
    },
    async doStream(options) {
      const { response, warnings, body } = ask(options, true);
      const { body: bytes, headers } = await response;
      const parts = streamOf(bytes!, warnings);
      const stream = new ReadableStream<LanguageModelV3StreamPart>({
        async pull(controller) {
          const { done, value } = await parts.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: () => void parts.return(undefined),
      });
      return { stream, request: { body }, response: { headers: Object.fromEntries(headers) } };
    },
  };
}

async function* streamOf(
  bytes: ReadableStream<Uint8Array>,
  warnings: SharedV3Warning[],
): AsyncGenerator<LanguageModelV3StreamPart> {
  const id = "answer";
  yield { type: "stream-start", warnings };
  let finishReason: LanguageModelV3FinishReason = { unified: "other", raw: undefined };
  let [usage, open] = [usageOf(undefined), false];
  try {
    for await (const data of sseData(bytes)) {
      if (data === "[DONE]") break;
      const chunk = JSON.parse(data) as ChatChunk & { error?: { message: string } };
      if (chunk.error) throw new Error(chunk.error.message);
      if (chunk.usage) usage = usageOf(chunk.usage);
      for (const { delta, finish_reason } of chunk.choices) {
        if (delta.role) yield { type: "response-metadata", id: chunk.id, timestamp: new Date(chunk.created * 1000) };
        if (delta.content && !open) yield { type: "text-start", id };
        if (delta.content) yield { type: "text-delta", id, delta: delta.content };
        open ||= !!delta.content;
        if (finish_reason) finishReason = finishOf(finish_reason);
      }
    }
  } catch (error) {
    finishReason = { unified: "error", raw: undefined };
    yield { type: "error", error };
  }
  if (open) yield { type: "text-end", id };
  yield { type: "finish", finishReason, usage };
}

const finishOf = (raw: "stop" | "length"): LanguageModelV3FinishReason => ({ unified: raw, raw });

const othersOf = (messages: readonly string[]): SharedV3Warning[] =>
  messages.map((message) => ({ type: "other", message }));

const usageOf = (usage: ChatUsage | undefined): LanguageModelV3Usage => ({
  inputTokens: {
    total: usage?.prompt_tokens,
    noCache: usage?.prompt_tokens,
    cacheRead: undefined,
    cacheWrite: undefined,
  },
  outputTokens: { total: usage?.completion_tokens, text: usage?.completion_tokens, reasoning: undefined },
});

function requestOf(model: string, options: LanguageModelV3CallOptions) {
  const { topP, presencePenalty, frequencyPenalty, tools, responseFormat } = options;
  const without: Record<string, unknown> = { topP, presencePenalty, frequencyPenalty };
  if (tools?.length) without.tools = tools;
  if (responseFormat?.type === "json") without.responseFormat = responseFormat;
  const warnings = Object.entries(without)
    .filter(([, value]) => value !== undefined)
    .map(([feature]): SharedV3Warning => ({ type: "unsupported", feature }));
  const body = {
    model,
    messages: options.prompt.map(messageOf),
    max_tokens: options.maxOutputTokens,
    temperature: options.temperature,
    top_k: options.topK,
    seed: options.seed,
    stop: options.stopSequences?.length ? options.stopSequences : undefined,
    fewstep: options.providerOptions?.fewstep,
  };
  return { body, warnings };
}

function messageOf({ role, content }: LanguageModelV3Message) {
  if (typeof content === "string") return { role, content };
  const parts = content.map((part) => {
    if (part.type === "text" || part.type === "reasoning") return { type: "text", text: part.text };
    if (part.type === "file" && role === "user") return { type: "image_url", image_url: { url: urlOf(part) } };
    return unsupported(part.type);
  });
  return { role, content: parts as (LanguageModelV3TextPart | object)[] };
}

function urlOf({ data, mediaType }: LanguageModelV3FilePart): string {
  if (!mediaType.startsWith("image/")) unsupported(`files of type ${mediaType}`);
  if (data instanceof URL) return data.href;
  const type = mediaType === "image/*" ? "image/png" : mediaType;
  return `data:${type};base64,${typeof data === "string" ? data : Buffer.from(data).toString("base64")}`;
}

function unsupported(functionality: string): never {
  const message = `'${functionality}' functionality not supported: the model answers questions about pictures`;
  throw sdkError("AI_UnsupportedFunctionalityError", message, { functionality });
}
