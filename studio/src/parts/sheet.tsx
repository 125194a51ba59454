/** The pictures of a drawing side by side at one step, and what can be done with them when they are done. */

import type { Drawn } from "../engine/types.ts";
import { show } from "../state/app.ts";
import type { Drawing } from "../state/drawing.ts";
import { bytesOf, download } from "../state/files.ts";
import { IconButton } from "./icon.tsx";
import { type Look, StepPicture } from "./picture.tsx";

const sendTo = async (view: "Edit" | "Describe", { png }: Drawn) => show(view, await bytesOf(png));

export function Sheet({ drawing, at, look }: { drawing: Drawing; at: number; look: Look }) {
  const { request, steps, outcome, busy } = drawing;
  const step = steps[at - 1];
  const count = request?.n ?? 1;
  const done = outcome && at === steps.length ? outcome.images : [];
  return (
    <ul
      className={`grid gap-3 ${count > 1 ? "grid-cols-2" : ""} ${count > 4 ? "md:grid-cols-3" : ""}`}
      aria-busy={busy}
    >
      {Array.from({ length: count }, (_, row) => (
        <li key={row} className="overflow-hidden rounded-2xl border border-line bg-well">
          {step ? (
            <StepPicture {...{ step, row, look }} label={labelOf(drawing, row, at)} />
          ) : (
            <div className={`aspect-square ${busy ? "animate-pulse" : ""}`} />
          )}
          <div className="flex min-h-11 items-center justify-between bg-panel px-2">
            <span className="figure truncate px-1 text-sm text-soft">
              <span className="max-sm:sr-only">seed </span>
              {(request?.seed ?? 0) + row}
            </span>
            {done[row] && (
              <span className="flex max-sm:[&>button]:size-8">
                <IconButton icon="download" label="Download the PNG" onClick={() => download(done[row])} />
                <IconButton icon="edit" label="Edit this picture" onClick={() => sendTo("Edit", done[row])} />
                <IconButton icon="eye" label="Describe this picture" onClick={() => sendTo("Describe", done[row])} />
              </span>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

function labelOf({ request, steps }: Drawing, row: number, at: number): string {
  const what = request?.prompt ? `“${request.prompt}”` : "a picture without a prompt";
  const { mask } = steps[at - 1].cells[row] ?? { mask: [] };
  const open = Array.from(mask).filter(Boolean).length;
  return `${what}, picture ${row + 1}, step ${at} of ${steps[0].total}${open ? `, ${open} cells open` : ", all cells decided"}`;
}

/** How long it took, for a person. */
export function Took({ drawing }: { drawing: Drawing }) {
  const { outcome, steps } = drawing;
  if (!outcome) return null;
  const total = steps.at(-1)?.total ?? 0;
  return (
    <p className="hint figure">
      {(outcome.ms / 1000).toFixed(2)} s in all; the model {(outcome.modelMs / 1000).toFixed(2)} s,{" "}
      {((total * 1000) / outcome.modelMs).toFixed(1)} steps a second
    </p>
  );
}
