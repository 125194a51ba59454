/** The same prompt and seed with two settings, side by side. */
import { useState } from "react";
import type { How } from "../engine/types.ts";
import { Segments, Title, Toggle, Warnings } from "../parts/fields.tsx";
import { HowFields } from "../parts/how.tsx";
import { LOOKS, type Look } from "../parts/picture.tsx";
import { Scrubber } from "../parts/scrubber.tsx";
import { SeedField } from "../parts/seed.tsx";
import { Sheet, Took } from "../parts/sheet.tsx";
import { choose, engine, howOf, nextSeed, settings } from "../state/app.ts";
import { useDrawing } from "../state/drawing.ts";

const FILM = 100;

const scaled = ({ draftScales }: How): string =>
  draftScales === undefined ? "steps" : `scales, ${draftScales} of them drafted`;

export function Compare() {
  const now = settings.use();
  const { ready } = engine.use();
  const models = ready?.models ?? [];
  const [changed, setChosen] = useState<readonly [Partial<How>, Partial<How>?]>([{}]);
  // Until something is chosen: the first two models, or few steps of the only one.
  const chosen = [changed[0], changed[1] ?? (models[1] ? { model: models[1].id } : { steps: 4 })];
  const hows = chosen.map((one) => howOf(models, one));
  const drawings = [useDrawing(), useDrawing()];
  const [look, setLook] = useState<Look>("Picture");
  const [share, setShare] = useState(FILM);
  const busy = drawings.some(({ drawing }) => drawing.busy);

  async function start() {
    const seed = nextSeed();
    setShare(FILM);
    const { prompt, n, live } = settings.get();
    // One after the other, so that their times can be compared.
    for (const [i, { draw }] of drawings.entries()) {
      const done = await draw({ ...hows[i], prompt, n: Math.min(n, 4), live, seed, task: "generate" });
      if (!done) return;
    }
  }
  const change = (i: number, more: Partial<How>) =>
    setChosen([i === 0 ? choose(chosen[0], more) : chosen[0], i === 1 ? choose(chosen[1], more) : chosen[1]]);

  return (
    <div className="space-y-4">
      <form
        className="panel grid items-end gap-4 sm:grid-cols-[1fr_14rem_auto]"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <div className="space-y-1">
          <label className="label" htmlFor="compare-prompt">
            Prompt of both
          </label>
          <input
            id="compare-prompt"
            className="input"
            value={now.prompt}
            onChange={(event) => settings.set({ prompt: event.target.value })}
          />
        </div>
        <SeedField />
        <div className="flex gap-2">
          <button type="submit" className="button primary grow" disabled={!ready || busy}>
            Draw both
          </button>
          {busy && (
            <button type="button" className="button" onClick={() => drawings.forEach(({ cancel }) => void cancel())}>
              Stop
            </button>
          )}
        </div>
      </form>
      <div className="panel space-y-2">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <Segments label="What to show" value={look} options={LOOKS} onChange={setLook} />
          <Toggle label="Picture at every step" value={now.live} onChange={(live) => settings.set({ live })} />
        </div>
        <Scrubber
          label="Progress of both"
          shown={`${share} %`}
          steps={busy ? 0 : FILM}
          total={FILM}
          at={share}
          onChange={setShare}
        />
      </div>
      <div className="grid gap-4 md:grid-cols-2">
        {drawings.map(({ drawing }, i) => {
          const { steps } = drawing;
          const at = drawing.busy ? steps.length : Math.max(1, Math.ceil((steps.length * share) / FILM));
          return (
            <section key={i === 0 ? "A" : "B"} className="panel space-y-4" aria-label={i === 0 ? "A" : "B"}>
              <Title>{i === 0 ? "A" : "B"}</Title>
              {drawing.request && <Sheet {...{ drawing, look }} at={Math.min(at, steps.length)} />}
              <Took drawing={drawing} />
              <details open>
                <summary className="label py-1">
                  Settings: {[chosen[i].model, `${hows[i].steps} ${scaled(hows[i])}`].filter(Boolean).join(", ")}
                </summary>
                <div className="pt-3">
                  <HowFields how={hows[i]} models={models} onChange={(more) => change(i, more)} />
                </div>
              </details>
              <Warnings error={drawing.error} warnings={drawing.outcome?.warnings} />
            </section>
          );
        })}
      </div>
    </div>
  );
}
