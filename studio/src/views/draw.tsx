/** A sentence becomes pictures, step by step. */
import { useEffect, useRef, useState } from "react";
import { CodeButton } from "../parts/code.tsx";
import { Segments, Slider, Title, Toggle, Warnings } from "../parts/fields.tsx";
import { HowFields } from "../parts/how.tsx";
import { Legend, LOOKS, type Look } from "../parts/picture.tsx";
import { Scrubber, useScrub } from "../parts/scrubber.tsx";
import { SeedField } from "../parts/seed.tsx";
import { Sheet, Took } from "../parts/sheet.tsx";
import { engine, nextSeed, settings, useModels } from "../state/app.ts";
import type { useDrawing } from "../state/drawing.ts";

const IDEAS = ["two red cars", "a photo of three cats", "a cake", "a dog left of a chair", "four clocks at night"];

export function Draw({ drawing, draw, cancel }: ReturnType<typeof useDrawing>) {
  const now = settings.use();
  const { models, how, model, change } = useModels("generate");
  const { ready } = engine.use();
  const [look, setLook] = useState<Look>("Picture");
  const [at, choose] = useScrub(drawing.steps.length);
  const result = useRef<HTMLElement>(null);
  const total = drawing.request ? (drawing.steps[0]?.total ?? drawing.request.steps) : how.steps;

  const start = () => {
    const { prompt, n, live } = settings.get();
    choose(Number.POSITIVE_INFINITY);
    // On a phone the result lies below.
    result.current?.scrollIntoView({ block: "nearest", behavior: "smooth" });
    void draw({ ...how, prompt, n, live, task: "generate", seed: nextSeed() });
  };
  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) start();
      if (event.key === "Escape") cancel();
    };
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  });

  return (
    <div className="grid items-start gap-4 lg:grid-cols-[22rem_1fr]">
      <form
        className="panel space-y-4"
        onSubmit={(event) => {
          event.preventDefault();
          start();
        }}
      >
        <Title>Draw</Title>
        <div className="space-y-1">
          <label className="label" htmlFor="prompt">
            Prompt
          </label>
          <textarea
            id="prompt"
            className="input min-h-20"
            rows={2}
            placeholder="Empty draws anything"
            value={now.prompt}
            onChange={(event) => settings.set({ prompt: event.target.value })}
          />
          {model?.classes && (
            <p className="hint">This model draws one class at a time, scale by scale: coarse ones first.</p>
          )}
          <ul className="flex max-h-40 flex-wrap gap-1.5 overflow-y-auto pt-1" aria-label="Ideas">
            {(model?.classes ?? IDEAS).map((idea) => (
              <li key={idea}>
                <button
                  type="button"
                  className="rounded-full bg-well px-3 py-1 text-sm text-soft hover:text-ink"
                  onClick={() => settings.set({ prompt: idea })}
                >
                  {idea}
                </button>
              </li>
            ))}
          </ul>
        </div>
        <div className="flex gap-2">
          <button type="submit" className="button primary grow" disabled={!ready || drawing.busy}>
            {ready ? "Draw" : "Loading the model"}
          </button>
          {drawing.busy && (
            <button type="button" className="button" onClick={cancel}>
              Stop
            </button>
          )}
        </div>
        <Slider label="Pictures" value={now.n} min={1} max={9} onChange={(n) => settings.set({ n })} />
        <SeedField />
        <details open={matchMedia("(min-width: 64rem)").matches}>
          <summary className="label py-1">Settings</summary>
          <div className="pt-3">
            <HowFields how={how} models={models} onChange={change} />
          </div>
        </details>
        <CodeButton />
      </form>

      <section ref={result} className="panel scroll-mt-32 space-y-4" aria-label="Result">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <Segments label="What to show" value={look} options={LOOKS} onChange={setLook} />
          <Toggle label="Picture at every step" value={now.live} onChange={(live) => settings.set({ live })} />
        </div>
        <div className="mx-auto max-w-2xl">
          {drawing.request ? (
            <Sheet {...{ drawing, at, look }} />
          ) : (
            <div className="grid aspect-[4/3] place-items-center rounded-2xl bg-well p-6 text-center">
              <p className="hint max-w-sm text-pretty">
                Every step the model decides some cells of a grid and leaves the others open. Draw something and watch
                them settle.
              </p>
            </div>
          )}
        </div>
        <Scrubber steps={drawing.steps.length} {...{ total, at }} onChange={choose} />
        {look !== "Picture" && <Legend look={look} step={drawing.steps[at - 1]} />}
        <Took drawing={drawing} />
        <Warnings error={drawing.error} warnings={drawing.outcome?.warnings} />
      </section>
    </div>
  );
}
