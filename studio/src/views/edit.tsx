/** Part of a picture is drawn anew, or what lies beyond its edges. */
import { useEffect, useRef, useState } from "react";
import type { Margins } from "../engine/types.ts";
import { Segments, Slider, Title, Toggle, Warnings } from "../parts/fields.tsx";
import { EDGES, ExtendHandles } from "../parts/handles.tsx";
import { HowFields } from "../parts/how.tsx";
import { type Marks, MaskBrush } from "../parts/mask.tsx";
import { Legend, LOOKS, type Look } from "../parts/picture.tsx";
import { PictureInput, useUrl } from "../parts/picture-input.tsx";
import { Scrubber, useScrub } from "../parts/scrubber.tsx";
import { SeedField } from "../parts/seed.tsx";
import { Sheet, Took } from "../parts/sheet.tsx";
import { engine, nextSeed, settings, useModels } from "../state/app.ts";
import { type useDrawing, usePicture } from "../state/drawing.ts";
import { bytesOf, settingsIn } from "../state/files.ts";

const NONE: Margins = { left: 0, right: 0, up: 0, down: 0 };
const MODES = ["Redraw a part", "Extend"] as const;

export function Edit({ drawing, draw, cancel }: ReturnType<typeof useDrawing>) {
  const [given, setGiven] = usePicture();
  const [square, setSquare] = useState<{ bytes: Uint8Array<ArrayBuffer>; side: number } | undefined>(undefined);
  const [mode, setMode] = useState<(typeof MODES)[number]>(MODES[0]);
  const [marks, setMarks] = useState<Marks>(new Set());
  const [margins, setMargins] = useState(NONE);
  const [brush, setBrush] = useState(2);
  const [erasing, setErasing] = useState(false);
  const [prompt, setPrompt] = useState("");
  const [look, setLook] = useState<Look>("Picture");
  const { models, how, model, change } = useModels("inpaint");
  const { ready } = engine.use();
  const url = useUrl(square?.bytes);
  const [at, choose] = useScrub(drawing.steps.length);
  const result = useRef<HTMLElement>(null);
  const side = model?.grid ?? 8;

  useEffect(() => {
    if (!given) return;
    void middleSquare(given).then(setSquare);
    setPrompt(settingsIn(given)?.prompt ?? "");
    setMarks(new Set());
    setMargins(NONE);
  }, [given]);

  const marked = mode === "Extend" ? EDGES.some((edge) => margins[edge] > 0) : marks.size > 0;
  function start() {
    if (!square || !model) return;
    const { live } = settings.get();
    const request = { ...how, prompt, live, seed: nextSeed(), n: 1, image: square.bytes };
    choose(Number.POSITIVE_INFINITY);
    // On a phone the result lies below.
    result.current?.scrollIntoView({ block: "nearest", behavior: "smooth" });
    if (mode === "Extend") {
      const pixels = (cells: number) => Math.floor((cells * square.side) / side);
      const inPixels = Object.fromEntries(EDGES.map((edge) => [edge, pixels(margins[edge])])) as unknown as Margins;
      void draw({ ...request, task: "extend", margins: inPixels });
    } else void draw({ ...request, task: "inpaint", mask: maskOf(marks, side, model.resolution) });
  }

  return (
    <div className="grid items-start gap-4 lg:grid-cols-[24rem_1fr]">
      <form
        className="panel space-y-4"
        onSubmit={(event) => {
          event.preventDefault();
          start();
        }}
      >
        <Title hint={mode === "Extend" ? "Pull the edges out." : "Paint over what is to be drawn anew."}>Edit</Title>
        <Segments label="What to do" value={mode} options={MODES} onChange={setMode} />
        {!url && <PictureInput picture={undefined} onChange={setGiven} />}
        {url && mode === "Extend" && <ExtendHandles {...{ url, side, margins }} onChange={setMargins} />}
        {url && mode !== "Extend" && (
          <>
            <MaskBrush {...{ url, side, marks, brush, erasing }} onChange={setMarks} />
            <Slider label="Brush" value={brush} min={1} max={4} onChange={setBrush} />
            <div className="flex items-center justify-between">
              <Toggle label="Erase" value={erasing} onChange={setErasing} />
              <button type="button" className="button" onClick={() => setMarks(new Set())} disabled={marks.size === 0}>
                Clear
              </button>
            </div>
          </>
        )}
        {url && <PictureInput picture={given} onChange={setGiven} preview={false} />}
        <div className="space-y-1">
          <label className="label" htmlFor="edit-prompt">
            What it shall show
          </label>
          <input
            id="edit-prompt"
            className="input"
            value={prompt}
            placeholder="Empty lets the picture decide"
            onChange={(event) => setPrompt(event.target.value)}
          />
        </div>
        <div className="flex gap-2">
          <button type="submit" className="button primary grow" disabled={!ready || !square || !marked || drawing.busy}>
            {mode === "Extend" ? "Extend" : "Redraw"}
          </button>
          {drawing.busy && (
            <button type="button" className="button" onClick={cancel}>
              Stop
            </button>
          )}
        </div>
        <SeedField />
        <details>
          <summary className="label py-1">Settings</summary>
          <div className="pt-3">
            <HowFields how={how} models={models} onChange={change} />
          </div>
        </details>
      </form>
      <section ref={result} className="panel scroll-mt-32 space-y-4" aria-label="Result">
        <Segments label="What to show" value={look} options={LOOKS} onChange={setLook} />
        <div className="mx-auto max-w-xl">
          {drawing.request ? (
            <Sheet {...{ drawing, at, look }} />
          ) : (
            <p className="hint grid aspect-[4/3] place-items-center rounded-2xl bg-well p-6 text-center">
              All of the picture passes through the model's tokens, so what stays may change a little.
            </p>
          )}
        </div>
        <Scrubber steps={drawing.steps.length} total={drawing.steps[0]?.total ?? how.steps} at={at} onChange={choose} />
        {look !== "Picture" && <Legend look={look} step={drawing.steps[at - 1]} />}
        <Took drawing={drawing} />
        <Warnings error={drawing.error} warnings={drawing.outcome?.warnings} />
      </section>
    </div>
  );
}

function maskOf(marks: Marks, side: number, resolution: number) {
  const cell = resolution / side;
  const data = new Uint8Array(resolution * resolution);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor((i % resolution) / cell), Math.floor(i / resolution / cell)];
    if (marks.has(y * side + x)) data[i] = 255;
  }
  return { side: resolution, data };
}

/** The part of a picture that the model sees, so that marks lie where they are drawn. */
async function middleSquare(bytes: Uint8Array<ArrayBuffer>) {
  const bitmap = await createImageBitmap(new Blob([bytes]));
  const side = Math.min(bitmap.width, bitmap.height);
  if (bitmap.width === bitmap.height) return { bytes, side };
  const canvas = new OffscreenCanvas(side, side);
  canvas.getContext("2d")!.drawImage(bitmap, (side - bitmap.width) >> 1, (side - bitmap.height) >> 1);
  return { bytes: await bytesOf(await canvas.convertToBlob({ type: "image/png" })), side };
}
