/** A drawing under way in a component: its steps so far, its pictures, how to stop it. */
import { useEffect, useRef, useState } from "react";
import type { DrawOutcome, DrawRequest, Step } from "../engine/types.ts";
import { app, engine, say, toast } from "./app.ts";
import { keep } from "./gallery.ts";

export interface Drawing {
  readonly busy: boolean;
  readonly request?: DrawRequest;
  readonly steps: readonly Step[];
  readonly outcome?: DrawOutcome;
  readonly error: string;
}

export const isAbort = (error: unknown): boolean =>
  error instanceof Error && (error.name === "AbortError" || (error as { code?: string }).code === "ABORTED");

/** Drawings of this component, one at a time. They end with it. */
export function useDrawing() {
  const [drawing, setDrawing] = useState<Drawing>({ busy: false, steps: [], error: "" });
  const running = useRef<AbortController>(undefined);
  const cancel = () => running.current?.abort();
  useEffect(() => () => running.current?.abort(), []);

  async function draw(request: DrawRequest): Promise<DrawOutcome | undefined> {
    const { ready } = engine.get();
    if (!ready) return undefined;
    cancel();
    const controller = new AbortController();
    running.current = controller;
    const mine = () => running.current === controller;
    setDrawing({ busy: true, request, steps: [], error: "" });
    say("Drawing.");
    try {
      const outcome = await ready.draw(
        request,
        (step) => mine() && setDrawing((now) => ({ ...now, steps: [...now.steps, step] })),
        controller.signal,
      );
      const pictures = await Promise.all(outcome.images.map(({ png }) => createImageBitmap(png)));
      if (!mine()) return undefined;
      // The last step shows what came of it, also where steps carry no pictures.
      const finished = (steps: readonly Step[]) =>
        steps.map((step, i) => (i < steps.length - 1 ? step : { ...step, pictures }));
      setDrawing((now) => ({ ...now, busy: false, outcome, steps: finished(now.steps) }));
      say(`Done in ${(outcome.ms / 1000).toFixed(1)} seconds. ${outcome.warnings.join(". ")}`);
      void keep(outcome.images);
      return outcome;
    } catch (error) {
      if (!mine()) return undefined;
      const cancelled = controller.signal.aborted || isAbort(error);
      setDrawing((now) => ({ ...now, busy: false, error: cancelled ? "" : messageOf(error) }));
      if (cancelled) toast("Cancelled");
      return undefined;
    }
  }
  return { drawing, draw, cancel };
}

/** The first line of an error, and its hint. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The picture that was sent to this view, once. */
export function usePicture(): [Uint8Array<ArrayBuffer> | undefined, (picture?: Uint8Array<ArrayBuffer>) => void] {
  return [app.use().picture, (picture) => app.set({ picture })];
}
