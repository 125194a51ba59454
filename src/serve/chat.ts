/** POST /v1/chat/completions: questions about a picture, answered as text settles. */
import { checked, readJson } from "./body.ts";
import type { Call } from "./call.ts";
import { refuse } from "./errors.ts";
import { pictureOf } from "./pictures.ts";
import { type ChatChunk, type ChatMessage, ChatRequest, type ChatResponse, type ChatUsage } from "./protocol.ts";
import type { SseEvent } from "./sse.ts";
import type { DescribeWork, WorkEvent } from "./work.ts";
import type { Ticket } from "./worker.ts";

type Answer = Extract<WorkEvent, { kind: "answer" }>;

export async function chat(call: Call): Promise<Response> {
  const { value: body, unknown } = checked(ChatRequest, await readJson(call.request, call.rules.limits.bytes));
  const worker = call.worker(body.model);
  const asked = lastQuestion(body.messages);
  const work: DescribeWork = {
    task: "describe",
    image: await pictureOf(asked.url, asked.param, call.rules),
    question: asked.question,
    decoding: body.fewstep?.decoding ?? undefined,
    block: body.fewstep?.block ?? undefined,
    temperature: body.temperature ?? undefined,
    topK: body.top_k ?? undefined,
    seed: body.seed ?? undefined,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
  };
  const stops = body.stop === undefined || body.stop === null ? [] : [body.stop].flat();
  const ticket = call.submit(worker.id, work);
  const head = { id: `chatcmpl-${ticket.id}`, created: Math.floor(Date.now() / 1000), model: worker.id };
  const warnings = [
    ...asked.warnings,
    ...unknown.map((name) => `the field ${name} is not known here and was left out`),
  ];
  const said = saying(ticket, stops, () => call.leave.abort());
  if (body.stream)
    return call.stream(ticket, () => chunks(said, head, warnings, body.stream_options?.include_usage === true));
  const { text, end } = await whole(said);
  return Response.json({
    ...head,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: text, refusal: null },
        finish_reason: end.finish,
        logprobs: null,
      },
    ],
    usage: usageOf(end),
    fewstep: decodedOf(end, warnings),
  } satisfies ChatResponse);
}

/** The text and picture that come last; the model looks at one picture and hears one question. */
function lastQuestion(messages: readonly ChatMessage[]) {
  let [question, url, param] = ["", "", ""];
  let [questions, pictures] = [0, 0];
  for (const [i, { role, content }] of messages.entries()) {
    if (role !== "user") continue;
    const parts = typeof content === "string" ? [{ type: "text" as const, text: content }] : content;
    const texts = parts.flatMap((part) => (part.type === "text" ? [part.text] : []));
    question = texts.join(" ");
    questions++;
    for (const [k, part] of parts.entries()) {
      if (part.type !== "image_url") continue;
      url = typeof part.image_url === "string" ? part.image_url : part.image_url.url;
      param = `messages.${i}.content.${k}.image_url`;
      pictures++;
    }
  }
  if (pictures === 0)
    refuse(400, "messages: there is no picture; the model answers questions about pictures", {
      code: "missing_required_parameter",
      param: "messages",
    });
  const warnings: string[] = [];
  if (pictures > 1) warnings.push("the model looks at one picture: the last one");
  if (questions > 1) warnings.push("the model hears one question: the last one");
  if (messages.some(({ role }) => role === "system" || role === "developer"))
    warnings.push("the model takes no instructions: system messages were left out");
  return { question, url, param, warnings };
}

type Said =
  | { delta: string }
  | { end: Pick<Answer, "finish" | "passes" | "tokens" | "promptTokens" | "seed" | "warnings"> };

/** Text as it settles, up to the first of `stops`; `enough` ends the work there. */
async function* saying(ticket: Ticket, stops: readonly string[], enough: () => void): AsyncGenerator<Said> {
  const longest = Math.max(0, ...stops.map((stop) => stop.length));
  let held = "";
  for await (const event of ticket) {
    if (event.kind === "text") {
      held += event.delta;
      const at = Math.min(...stops.map((stop) => held.indexOf(stop)).filter((i) => i >= 0));
      if (at < Infinity) {
        enough();
        if (at > 0) yield { delta: held.slice(0, at) };
        yield { end: { ...event, finish: "stop", passes: event.pass } };
        return;
      }
      // The end of the text may be the beginning of a stop.
      const sure = Math.max(0, held.length - Math.max(0, longest - 1));
      if (sure > 0) yield { delta: held.slice(0, sure) };
      held = held.slice(sure);
    }
    if (event.kind === "answer") {
      if (held) yield { delta: held };
      yield { end: event };
    }
  }
}

async function whole(said: AsyncIterable<Said>) {
  let text = "";
  for await (const one of said) {
    if ("end" in one) return { text, end: one.end };
    text += one.delta;
  }
  return refuse(500, "internal: the work ended without a result");
}

type End = Extract<Said, { end: unknown }>["end"];

const usageOf = ({ promptTokens, tokens }: End): ChatUsage => ({
  prompt_tokens: promptTokens,
  completion_tokens: tokens,
  total_tokens: promptTokens + tokens,
});

const decodedOf = ({ passes, tokens, seed, warnings }: End, more: readonly string[]) => ({
  ...{ passes, tokens, seed },
  warnings: [...warnings, ...more],
});

async function* chunks(
  said: AsyncIterable<Said>,
  head: { id: string; created: number; model: string },
  warnings: readonly string[],
  withUsage: boolean,
): AsyncGenerator<SseEvent> {
  const object = "chat.completion.chunk" as const;
  const chunk = (
    delta: ChatChunk["choices"][number]["delta"],
    finish_reason: "stop" | "length" | null = null,
    more: Partial<ChatChunk> = {},
  ) => {
    const choices = [{ index: 0 as const, delta, finish_reason, logprobs: null }];
    return { data: JSON.stringify({ ...head, object, choices, ...more } satisfies ChatChunk) };
  };
  yield chunk({ role: "assistant", content: "" });
  for await (const one of said) {
    if ("delta" in one) {
      yield chunk({ content: one.delta });
      continue;
    }
    const { end } = one;
    yield chunk({}, end.finish, { fewstep: decodedOf(end, warnings) });
    if (withUsage)
      yield { data: JSON.stringify({ ...head, object, choices: [], usage: usageOf(end) } satisfies ChatChunk) };
  }
  yield { data: "[DONE]" };
}
