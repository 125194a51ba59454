/** The keys of the page. */
import type { RefObject } from "react";
import { IconButton } from "./icon.tsx";

const KEYS = [
  ["Ctrl or ⌘ + Enter", "draw"],
  ["Escape", "stop drawing"],
  ["Alt + 1 to 7", "go to a view"],
  ["Arrow keys on the steps", "one step back or on"],
  ["Arrow keys and space on a mask", "move, mark a cell"],
  ["Arrow keys on an edge", "more or less picture"],
  ["Ctrl or ⌘ + V", "take up a picture"],
];

export const Help = ({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) => (
  <dialog
    ref={dialog}
    aria-label="Keyboard shortcuts"
    className="m-auto w-[min(28rem,calc(100vw-2rem))] rounded-2xl border border-line bg-panel p-5 text-ink backdrop:bg-black/40"
  >
    <div className="mb-2 flex items-center justify-between">
      <h2 className="text-lg font-semibold">Keys</h2>
      <IconButton icon="close" label="Close" onClick={() => dialog.current?.close()} />
    </div>
    <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2 text-sm">
      {KEYS.map(([keys, does]) => (
        <div key={keys} className="contents">
          <dt className="font-medium">{keys}</dt>
          <dd className="text-soft">{does}</dd>
        </div>
      ))}
    </dl>
  </dialog>
);
