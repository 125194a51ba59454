/** Pictures of steps and results on their way out of the process of a model, in the size and format that was asked for. */
import { encodePicture, type Picture } from "../../image/index.ts";
import { type GeneratedImage, resized } from "../../tasks/index.ts";
import type { Drawing, ImageTokens, WorkEvent } from "../work.ts";

/** One request of a batch. */
export interface Member<W> {
  work: W;
  signal: AbortSignal;
  tell(event: WorkEvent): void;
  fail(error: unknown): void;
}

/** Small pictures are handed over at least this large. */
const SHOWN_SIZE = 256;

const shorterSide = ({ size }: Drawing, resolution: number): number =>
  size ? Math.min(size.width, size.height) : Math.max(SHOWN_SIZE, resolution);

/** Which steps are shown: `count` of them, spread evenly over those before the last. */
export const shownSteps = (total: number, count: number): Set<number> =>
  new Set(
    Array.from({ length: count }, (_, i) => Math.round((total * (i + 1)) / (count + 1))).filter(
      (index) => index >= 1 && index < total,
    ),
  );

export interface Shown {
  readonly index: number;
  readonly total: number;
  readonly tokens: readonly Int32Array[];
  image(row: number): Promise<Picture>;
}

/** Tells the pictures of a step, if it is one of those to be shown. */
export async function tellPartials({ work, tell }: Member<Drawing>, step: Shown, resolution: number): Promise<void> {
  const { index, total, tokens } = step;
  if (!shownSteps(total, work.partials).has(index)) return;
  for (const row of tokens.keys()) {
    const shown = resized(await step.image(row), shorterSide(work, resolution));
    const bytes = await encodePicture(shown, work.format, { quality: work.quality });
    tell({ kind: "partial", index, total, image: row, bytes, width: shown.width, height: shown.height });
  }
}

type Told = Omit<Extract<WorkEvent, { kind: "images" }>, "kind" | "images"> & { tokens: ImageTokens };

/** Tells what was drawn in the end. */
export async function tellImages(
  { work, tell }: Member<Drawing>,
  { images, ...about }: Told & { images: readonly GeneratedImage[] },
  resolution: number,
): Promise<void> {
  const size = shorterSide(work, resolution);
  const drawn = await Promise.all(
    images.map(async (image) => {
      const { width, height } = resized(image, size);
      const bytes = await image.encode(work.format, { size, quality: work.quality });
      return { bytes, width, height, settings: image.settings };
    }),
  );
  tell({ kind: "images", images: drawn, ...about });
}
