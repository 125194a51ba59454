/**
 * A provider for the AI SDK (packages `ai` 6 and 7), by the third version of its provider interface, which both take.
 *
 * ```ts
 * const fewstep = createFewstep({ baseURL: "http://127.0.0.1:7117/v1" });
 * const { image } = await generateImage({ model: fewstep.image("turbo-mini"), prompt: "two red cars" });
 * ```
 */
import type { EmbeddingModelV3, ImageModelV3, LanguageModelV3, ProviderV3 } from "@ai-sdk/provider";
import { imageModel } from "./image-model.ts";
import { languageModel } from "./language-model.ts";
import { createTransport, type FewstepSettings, sdkError } from "./transport.ts";

export type { FewstepSettings } from "./transport.ts";

export interface FewstepProvider extends ProviderV3 {
  /** A model that answers questions about pictures. */
  (modelId: string): LanguageModelV3;
  /** A model that draws; the same as `imageModel`. */
  image(modelId: string): ImageModelV3;
  /** Ends the processes of models that this process serves itself. An idle one does not keep this process alive. */
  dispose(): Promise<void>;
}

/** A provider for a server, or without `baseURL` for models that this process serves itself, each in a child process. */
export function createFewstep(settings: FewstepSettings = {}): FewstepProvider {
  const transport = createTransport(settings);
  const language = (modelId: string) => languageModel(modelId, transport);
  const image = (modelId: string) => imageModel(modelId, transport);
  return Object.assign((modelId: string) => language(modelId), {
    specificationVersion: "v3" as const,
    languageModel: language,
    imageModel: image,
    image,
    embeddingModel(modelId: string): EmbeddingModelV3 {
      const modelType = "embeddingModel";
      throw sdkError("AI_NoSuchModelError", `No such ${modelType}: ${modelId}`, { modelId, modelType });
    },
    dispose: () => transport.dispose(),
  });
}

/** Serves the model of the package in this process, from its first use on. */
export const fewstep: FewstepProvider = createFewstep();
