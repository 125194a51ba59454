/** POST /v1/images/generations and /v1/images/edits, as OpenAI's clients speak them. */
import type { MaskMode } from "../image/index.ts";
import { checked, fromForm, readForm, readJson } from "./body.ts";
import type { Call } from "./call.ts";
import { base64, drawingOf, madeOf, previewsOf, usageOf } from "./drawing.ts";
import { refuse } from "./errors.ts";
import type { Limits } from "./limits.ts";
import { checkedPicture } from "./pictures.ts";
import {
  type CompletedImageEvent,
  ImageEditRequest,
  ImageGenerationRequest,
  type ImagesResponse,
  type PartialImageEvent,
} from "./protocol.ts";
import type { SseEvent } from "./sse.ts";
import type { Drawing, Work, WorkEvent } from "./work.ts";
import type { Ticket } from "./worker.ts";

const now = (): number => Math.floor(Date.now() / 1000);
type Drawn = Extract<WorkEvent, { kind: "images" }>;

export async function generations(call: Call): Promise<Response> {
  const { limits } = call.rules;
  const { value: body, unknown } = checked(ImageGenerationRequest, await readJson(call.request, limits.bytes));
  const drawing = drawingOf({ ...body, steps: body.steps ?? body.num_inference_steps }, limits);
  if (drawing.size && drawing.size.width !== drawing.size.height)
    refuse(400, `size: the model draws squares, for example ${drawing.size.height}x${drawing.size.height}`, {
      code: "invalid_value",
      param: "size",
    });
  const more = { partials: partialsOf(body, limits), cells: false, schedule: body.fewstep?.schedule ?? undefined };
  return answer(call, body, { task: "generate", ...drawing, ...more }, "image_generation", unknown);
}

export async function edits(call: Call): Promise<Response> {
  const { limits } = call.rules;
  const { fields, files } = await readForm(call.request, limits.bytes);
  const { value: body, unknown } = checked(ImageEditRequest, fromForm(fields));
  const given = [...(files.get("image") ?? []), ...(files.get("image[]") ?? [])];
  if (given.length !== 1)
    refuse(400, "image: send one picture as the file image, or image[]", {
      code: given.length ? "invalid_value" : "missing_required_parameter",
      param: "image",
    });
  const image = await checkedPicture(given[0], "image", call.rules);
  const sent = files.get("mask")?.[0];
  const mask = sent && (await checkedPicture(sent, "mask", call.rules));
  const drawing = drawingOf({ ...body, steps: body.steps ?? body.num_inference_steps }, limits);
  const { schedule, mask_mode, left, right, up, down } = body.fewstep ?? {};
  const margins = { left: left ?? 0, right: right ?? 0, up: up ?? 0, down: down ?? 0 };
  const maskMode: MaskMode = mask_mode ?? "auto";
  const more = { partials: partialsOf(body, limits), cells: false, schedule: schedule ?? undefined };
  const work: Work = { task: "edit", image, mask, maskMode, margins, ...drawing, ...more };
  return answer(call, body, work, "image_edit", unknown);
}

type Body = ImageGenerationRequest | ImageEditRequest;

const partialsOf = ({ stream, partial_images, n }: Body, limits: Limits): number =>
  stream ? previewsOf("partial_images", partial_images, n, limits) : 0;

type Kind = "image_generation" | "image_edit";

async function answer(
  call: Call,
  { model, stream, response_format }: Body,
  work: Drawing & Work,
  kind: Kind,
  unknown: readonly string[],
): Promise<Response> {
  const ticket = call.submit(model, work);
  const ignored = unknown.map((name) => `the field ${name} is not known here and was left out`);
  if (stream) return call.stream(ticket, (ticket) => streamed(ticket, work, kind, ignored));
  const drawn = await call.result(ticket, "images");
  const { width, height } = drawn.images[0];
  const data = drawn.images.map((image) => {
    const b64_json = base64(image.bytes);
    const url = response_format === "url" ? `data:image/${work.format};base64,${b64_json}` : undefined;
    return { b64_json, url, fewstep: madeOf(image) };
  });
  return Response.json({
    created: now(),
    background: "opaque",
    output_format: work.format,
    size: `${width}x${height}`,
    data,
    usage: usageOf(drawn.tokens),
    fewstep: { timings: drawn.timings, warnings: [...drawn.warnings, ...ignored] },
  } satisfies ImagesResponse);
}

async function* streamed(
  ticket: Ticket,
  work: Drawing,
  kind: Kind,
  ignored: readonly string[],
): AsyncGenerator<SseEvent> {
  const common = (bytes: Uint8Array, width: number, height: number) => ({
    b64_json: base64(bytes),
    created_at: now(),
    size: `${width}x${height}`,
    quality: "auto" as const,
    background: "opaque" as const,
    output_format: work.format,
  });
  const send = (event: PartialImageEvent | CompletedImageEvent) => ({ event: event.type, data: JSON.stringify(event) });
  const completed = (drawn: Drawn, image: number) => {
    const { bytes, width, height } = drawn.images[image];
    const { timings, warnings } = drawn;
    return send({
      type: `${kind}.completed`,
      ...common(bytes, width, height),
      usage: usageOf(drawn.tokens),
      fewstep: { ...madeOf(drawn.images[image]), image, timings, warnings: [...warnings, ...ignored] },
    });
  };
  let partials = 0;
  for await (const event of ticket) {
    if (event.kind === "partial")
      yield send({
        type: `${kind}.partial_image`,
        partial_image_index: partials++,
        ...common(event.bytes, event.width, event.height),
        fewstep: { step: event.index, total: event.total, image: event.image },
      });
    if (event.kind === "images") for (const image of event.images.keys()) yield completed(event, image);
  }
}
