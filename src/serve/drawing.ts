/** What drawing requests of all kinds have in common, from the wire to work and from events back to the wire. */
import type { Format } from "../image/index.ts";
import { refuse } from "./errors.ts";
import type { Limits } from "./limits.ts";
import type { ImageUsage, Made } from "./protocol.ts";
import type { Drawing, DrawnImage, ImageTokens } from "./work.ts";

/** The fields of a drawing request as they are on the wire. */
export interface WireDrawing {
  prompt?: string | null;
  seed?: number | null;
  steps?: number | null;
  guidance_scale?: number | null;
  temperature?: number | null;
  top_k?: number | null;
  draft_scales?: number | null;
  n?: number | null;
  size?: string | null;
  output_format?: Format | null;
  output_compression?: number | null;
}

/** Errors: 400 for more steps or pixels than the server's limits. */
export function drawingOf(body: WireDrawing, limits: Limits): Omit<Drawing, "partials" | "cells" | "schedule"> {
  const { prompt, seed, steps, guidance_scale, temperature, top_k, n, output_format, output_compression } = body;
  if ((steps ?? 0) > limits.steps)
    refuse(400, `steps: this server takes at most ${limits.steps}`, { code: "invalid_value", param: "steps" });
  return {
    prompt: prompt ?? "",
    seed: seed ?? undefined,
    steps: steps ?? undefined,
    guidance: guidance_scale ?? undefined,
    temperature: temperature ?? undefined,
    topK: top_k ?? undefined,
    draftScales: body.draft_scales ?? undefined,
    n: n ?? 1,
    size: sizeOf(body.size, limits),
    format: output_format ?? "png",
    // Their 0 is the strongest compression, our scale begins at 1.
    quality: Math.max(1, output_compression ?? 90),
  };
}

function sizeOf(size: string | null | undefined, limits: Limits): Drawing["size"] {
  if (!size || size === "auto") return undefined;
  const [width, height] = size.split("x").map(Number);
  const [least, most] = [16, limits.side];
  if (Math.min(width, height) < least || Math.max(width, height) > most)
    refuse(400, `size: sides of ${least} to ${most} pixels are drawn`, { code: "invalid_value", param: "size" });
  return { width, height };
}

/** How many steps are shown. Errors: 400 for more than the server's limit. */
export function previewsOf(
  param: string,
  count: number | null | undefined,
  n: number | null | undefined,
  limits: Limits,
) {
  if ((count ?? 0) * (n ?? 1) > limits.previews)
    refuse(400, `${param}: this server shows at most ${limits.previews} steps of all pictures of a request`, {
      code: "invalid_value",
      param,
    });
  return count ?? 0;
}

export const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");

export const usageOf = ({ text, given, drawn }: ImageTokens): ImageUsage => ({
  input_tokens: text + given,
  output_tokens: drawn,
  total_tokens: text + given + drawn,
  input_tokens_details: { text_tokens: text, image_tokens: given },
});

export const madeOf = ({ settings }: DrawnImage): Made => {
  const { task, model, seed, steps, guidance, temperature, topK, schedule, draftScales } = settings;
  const common = { task, model, seed, steps, guidance_scale: guidance, temperature, schedule };
  return { ...common, top_k: topK, draft_scales: draftScales };
};
