/** ImageModelV3 of the AI SDK: pictures from text, and with files and a mask inpainting or extrapolation. */
import type { ImageModelV3, ImageModelV3CallOptions, ImageModelV3File, SharedV3Warning } from "@ai-sdk/provider";
import { fail } from "../base/index.ts";
import type { ImagesResponse } from "../serve/protocol.ts";
import type { Transport } from "./transport.ts";

/**
 * `providerOptions.fewstep`, all optional: steps, guidance, temperature, topK, schedule, and for edits maskMode and
 * left, right, up, down (pixels to add). Errors: APICallError with what the server says.
 */
export function imageModel(modelId: string, transport: Transport): ImageModelV3 {
  const model: ImageModelV3 & { supportsFileInputs: true; supportsMaskInputs: true } = {
    specificationVersion: "v3",
    provider: "fewstep.image",
    modelId,
    maxImagesPerCall: 8,
    // Fields of the fourth version of the interface.
    supportsFileInputs: true,
    supportsMaskInputs: true,
    async doGenerate(options) {
      const { body, warnings } = requestOf(modelId, options);
      const { files, mask, headers, abortSignal: signal } = options;
      const response = files?.length
        ? await transport.ask({ path: "/images/edits", body: formOf(body, files, mask), headers, signal })
        : await transport.ask({ path: "/images/generations", body, headers, signal });
      const made = (await response.json()) as ImagesResponse;
      return {
        images: made.data.map(({ b64_json }) => b64_json),
        warnings: [...warnings, ...made.fewstep.warnings.map((message) => ({ type: "other" as const, message }))],
        providerMetadata: {
          fewstep: { images: made.data.map(({ fewstep }) => fewstep), timings: made.fewstep.timings },
        },
        response: {
          timestamp: new Date(made.created * 1000),
          modelId,
          headers: Object.fromEntries(response.headers),
        },
        usage: {
          inputTokens: made.usage.input_tokens,
          outputTokens: made.usage.output_tokens,
          totalTokens: made.usage.total_tokens,
        },
      };
    },
  };
  return model;
}

function requestOf(model: string, options: ImageModelV3CallOptions) {
  const { prompt = "", n, size, aspectRatio, seed, providerOptions, files, mask } = options;
  const warnings: SharedV3Warning[] = [];
  if (aspectRatio && aspectRatio !== "1:1")
    warnings.push({ type: "unsupported", feature: "aspectRatio", details: "the model draws squares" });
  if (mask && !files?.length)
    warnings.push({ type: "unsupported", feature: "mask", details: "a mask needs the picture that it belongs to" });
  const { steps, guidance, temperature, topK, maskMode, ...fewstep } = providerOptions.fewstep ?? {};
  const drawing = { steps, guidance_scale: guidance, temperature, top_k: topK };
  const more = { ...fewstep, ...(maskMode !== undefined && { mask_mode: maskMode }) };
  return {
    body: { model, prompt, n, size, seed, ...drawing, ...(Object.keys(more).length && { fewstep: more }) },
    warnings,
  };
}

function formOf(body: object, files: readonly ImageModelV3File[], mask: ImageModelV3File | undefined): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(body))
    if (value !== undefined) form.set(name, typeof value === "object" ? JSON.stringify(value) : `${value}`);
  for (const file of files) form.append("image[]", blobOf(file), "image");
  if (mask) form.set("mask", blobOf(mask), "mask");
  return form;
}

function blobOf(file: ImageModelV3File): Blob {
  if (file.type === "url")
    return fail("pictures to edit are sent as data, not as URLs", { where: "files", got: file.url.slice(0, 80) });
  const bytes = typeof file.data === "string" ? Buffer.from(file.data, "base64") : file.data;
  return new Blob([bytes as Uint8Array<ArrayBuffer>], { type: file.mediaType });
}
